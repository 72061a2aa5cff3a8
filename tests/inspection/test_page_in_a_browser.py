"""The page as a reader sees it: opened from a file, in light and dark, on a wide and a narrow screen, by keyboard."""

import json

import pytest

import ostinato

TEXT = 'he said "to be (or not) to be",\n  and asked <b>\'why\'</b> & "how"?\n' * 60
CONTROLS = "a[href], button, input, select, summary, textarea, [tabindex='0']"
WIDE, NARROW = {"width": 1200, "height": 900}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the page of a run."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "text.txt").write_text(TEXT)
    ostinato.train_language_model(
        folder / "text.txt", out=folder / "run", steps=3, hidden_size=12, sample_length=0, progress=False
    )
    return ostinato.inspect(folder / "run", steps=60, rows=4)


class Opened:
    """A page in a browser, and what the browser had to say about it."""

    def __init__(self, browser, path, scheme, size):
        self.page = browser.new_page(color_scheme=scheme, viewport=size)
        self.complaints, self.requests = [], []
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_load_state("networkidle")


@pytest.fixture
def opened(browser, made):
    """Return a function that opens the page."""
    pages = []

    def open_page(scheme="light", size=WIDE):
        pages.append(Opened(browser, made, scheme, size))
        return pages[-1]

    yield open_page
    for each in pages:
        each.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_nothing_goes_wrong_and_nothing_is_fetched(opened, made, scheme, size):
    seen = opened(scheme, size)
    assert seen.complaints == []
    assert [url for url in seen.requests if url not in (made.as_uri(), "data:,")] == []


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_page_is_no_wider_than_the_screen(opened, size):
    page = opened("light", size).page
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


CONTRASTS = """() => {
    const number = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const light = text => number(text).map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
    const ground = light(getComputedStyle(document.body).backgroundColor);
    const contrast = ink => (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    return ["body", "h1", "h2", ".quiet", ".question", "figcaption", "nav a", "figure svg"].map(
        place => [place, contrast(light(getComputedStyle(document.querySelector(place)).color))]);
}"""


ON_COLOUR = """() => {
    const parts = text => text.match(/[\\d.]+/g).map(Number);
    const light = rgb => rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
    const {backgroundColor, color} = getComputedStyle(document.body), ground = parts(backgroundColor);
    const ink = light(parts(color).slice(0, 3));
    return [...document.querySelectorAll(".read span")].map(span => {
        const [r, g, b, opacity = 1] = parts(getComputedStyle(span).backgroundColor);
        const seen = light([r, g, b].map((v, k) => opacity * v + (1 - opacity) * ground[k]));
        return (Math.max(ink, seen) + 0.05) / (Math.min(ink, seen) + 0.05);
    });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_coloured_words_are_read(opened, scheme):
    contrasts = opened(scheme).page.evaluate(ON_COLOUR)
    assert min(contrasts) >= 4.5  # WCAG 2.2, 1.4.3
    assert max(contrasts) > 1.5 * min(contrasts)  # some are coloured


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_ground(opened, scheme):
    contrasts = opened(scheme).page.evaluate(CONTRASTS)
    assert [(place, contrast) for place, contrast in contrasts if contrast < 4.5] == []  # WCAG 2.2, 1.4.3


def test_the_ground_is_dark_where_the_reader_wants_it(opened):
    grounds = [
        opened(scheme).page.evaluate("getComputedStyle(document.body).backgroundColor") for scheme in ("light", "dark")
    ]
    assert grounds == ["rgb(255, 255, 255)", "rgb(20, 23, 27)"]


def test_the_keyboard_reaches_every_control(opened):
    page = opened().page
    shown = [control for control in page.query_selector_all(CONTROLS) if control.is_visible()]
    page.evaluate("controls => controls.forEach((control, k) => control.dataset.number = k)", shown)
    reached = []
    for _ in shown:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.number"))
    assert len(shown) > 2
    assert sorted(reached, key=int) == [str(k) for k in range(len(shown))]


def test_what_has_the_focus_is_seen_to_have_it(opened):
    page = opened().page
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_wide_drawing_is_moved_by_the_arrow_keys(opened):
    page = opened("light", NARROW).page
    page.focus(".wide")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.wide').scrollLeft > 0", timeout=5000)
    assert page.evaluate("document.activeElement.className") == "wide"


def names_of(page, place=0):
    """Return the units in the order in which they are offered."""
    return page.eval_on_selector_all(".reader .unit", "(all, k) => [...all[k].options].map(o => o.text)", place)


def colours_of(page):
    return page.eval_on_selector_all(".reader .read >> nth=0 >> span", "all => all.map(s => s.style.background)")


def test_units_are_offered_by_how_well_they_follow(opened, made):
    page = opened().page
    tracks = json.loads((made.parent / "units.json").read_text())["readings"][0]["tracks"]
    assert len(tracks) > 2
    for track in tracks:
        page.select_option(".reader .follow", label=track)
        best = tracks[track]["best"][0]
        r = f"{best['r']:.2f}".replace("-", "−")
        assert names_of(page)[0] == f"layer {best['layer'] + 1}, {best['state']}, unit {best['index']} (r = {r})"
    page.select_option(".reader .follow", value="any")
    assert names_of(page) == [f"layer {n}, {s}, unit {k}" for n in (1, 2) for s in "hc" for k in range(12)]


def test_every_choice_colours_the_text_anew(opened):
    page = opened().page
    page.select_option(".reader .follow", value="any")
    seen = set()
    for unit in ("0", "17", "47"):
        page.select_option(".reader .unit", value=unit)
        seen.add(tuple(colours_of(page)))
    page.select_option(".reader .follow", value="loss")
    seen.add(tuple(colours_of(page)))
    assert page.is_disabled(".reader .unit")
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("typed", "found"),
    [("layer 2, c, unit 7", "layer 2, c, unit 7"), ("2 c 7", "layer 2, c, unit 7"), ("c 11", "layer 1, c, unit 11")],
)
def test_a_unit_is_found_by_what_is_typed(opened, typed, found):
    page = opened().page
    page.fill(".reader .name", typed)
    page.keyboard.press("Enter")
    assert page.inner_text(".reader .next").startswith(f"Coloured by {found}")
    assert page.eval_on_selector(".reader .unit", "unit => unit.selectedOptions[0].text").startswith(found)


def test_a_unit_that_is_not_there_is_said(opened):
    page = opened().page
    page.fill(".reader .name", "layer 9")
    page.keyboard.press("Enter")
    assert page.inner_text(".reader .next") == "No unit here is called layer 9. The last is layer 2, c, unit 11."


def test_a_name_that_is_typed_while_the_loss_is_shown_brings_its_unit(opened):
    page = opened().page
    page.select_option(".reader .follow", value="loss")
    page.fill(".reader .name", "1 h 3")
    page.keyboard.press("Enter")
    assert page.inner_text(".reader .next") == "Coloured by layer 1, h, unit 3."
    assert page.is_enabled(".reader .unit")


def test_arrow_keys_walk_through_the_text(opened):
    page = opened().page
    page.focus(".reader .read")
    first = page.inner_text(".reader .next")
    page.keyboard.press("ArrowRight")
    assert "Expected after it" in first
    assert page.inner_text(".reader .next") != first
    assert page.eval_on_selector(".reader .read", "text => text.querySelectorAll('.at').length") == 1


def test_every_control_has_a_name(opened):
    page = opened().page
    unnamed = "all => all.filter(c => !c.labels?.length && !c.ariaLabel && !c.innerText).map(c => c.outerHTML)"
    assert page.eval_on_selector_all(CONTROLS, unnamed) == []


@pytest.fixture(scope="module")
def of_pairs(tmp_path_factory):
    """Return the page of a translator, whose two networks have readers of their own."""
    folder = tmp_path_factory.mktemp("pairs")
    pairs = [f"{'ab' * (k % 7 + 1)}\t{'cd' * (k % 5 + 1)}\n" for k in range(120)]
    (folder / "pairs.tsv").write_text("".join(pairs))
    settings = {"validation": "0.5", "hidden_size": 6, "steps": 1, "source_tokens": "char", "target_tokens": "char"}
    ostinato.train_translator(folder / "pairs.tsv", out=folder / "run", progress=False, **settings)
    return ostinato.inspect(folder / "run", steps=30, rows=4)


def test_each_network_has_a_reader_of_its_own(browser, of_pairs):
    seen = Opened(browser, of_pairs, "light", WIDE)
    page = seen.page
    page.locator(".reader .follow").nth(1).select_option(value="any")
    assert any("backwards" in name for name in names_of(page, 0))
    assert not any("backwards" in name for name in names_of(page, 1))
    page.locator(".reader .read").nth(1).focus()
    assert page.locator(".reader .next").nth(1).inner_text() == "no text"
    assert page.locator(".reader .next").nth(0).inner_text().startswith("Coloured by")
    assert seen.complaints == []
    page.close()


def test_without_scripts_the_text_is_coloured_by_the_first_units(browser, made):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(made.as_uri())
    assert not page.locator(".reader .controls").first.is_visible()
    assert page.locator(".reader .read").count() == 3
    assert "rgba(" in page.locator(".reader .read span").first.get_attribute("style")
    assert page.locator("noscript p").first.inner_text().startswith("Coloured by layer")
    context.close()


@pytest.mark.parametrize(("size", "is_moved"), [(WIDE, False), (NARROW, True)], ids=["wide", "narrow"])
def test_a_picture_takes_the_focus_only_where_it_is_wider_than_the_screen(opened, size, is_moved):
    page = opened("light", size).page
    focusable = page.evaluate("[...document.querySelectorAll('figure > svg')].map(s => s.parentNode.tabIndex === 0)")
    assert focusable == [is_moved] * len(focusable)
    assert len(focusable) > 3


def test_words_of_a_picture_stay_large_enough_on_a_narrow_screen(opened):
    page = opened("light", NARROW).page
    heights = page.evaluate(
        "[...document.querySelectorAll('figure > svg text')].map(t => parseFloat(getComputedStyle(t).fontSize)"
        " * t.ownerSVGElement.getBoundingClientRect().width / t.ownerSVGElement.viewBox.baseVal.width)"
    )
    assert min(heights) >= 8.5
