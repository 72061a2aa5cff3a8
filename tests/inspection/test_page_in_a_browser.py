"""The page as a reader sees it: opened from a file, in light and dark, on a wide and a narrow screen, by keyboard."""

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
