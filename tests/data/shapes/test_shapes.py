"""The generated world: what is said is true of the scene, answers are balanced, parts are apart."""

import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from ostinato.data.shapes import Shapes, Shown
from ostinato.data.shapes.drawing import COLOURS as TINTS
from ostinato.data.shapes.drawing import draw
from ostinato.data.shapes.scene import COLOURS, FIGURES, SIZES, Figure, Scene, drawn_scene
from ostinato.data.shapes.words import PLACES, caption, question


def shown(count=400, size=12, **knobs) -> list[Shown]:
    return list(Shapes(items=count, **knobs).images(size))


def drawn(count, most=3, seed=0):
    generator = np.random.default_rng(seed)
    return [drawn_scene(generator, most) for _ in range(count)]


def scene_of(said: str) -> Scene:
    """Read a caption back, without the code that wrote it; cells that it does not tell are 0."""
    upright = " above " in said
    figures = []
    for k, part in enumerate(said.split(" above " if upright else " left of ")):
        _, size, colour, kind, *place = part.split(" ")
        cells = [(row, column) for row in range(3) for column in range(3) if PLACES[row][column] == " ".join(place)]
        row, column = cells[0] if place else (k, 0) if upright else (0, k)
        figures.append(Figure(row, column, size, colour, kind))
    return Scene(tuple(figures))


def answer_of(asked: str, scene: Scene) -> str:
    """Answer a question by looking at its words."""
    figures = scene.figures
    words = asked.removesuffix(" ?").split(" ")
    names = [f"{figure.colour} {figure.kind}" for figure in figures]
    if asked == "how many figures are there ?":
        return ["one", "two", "three"][len(figures) - 1]
    if asked == "what is there ?":
        return caption(scene)
    if asked.startswith("where"):
        row, column = figures[names.index(" ".join(words[-2:]))][:2]
        return PLACES[row][column]
    if asked.startswith("what colour"):
        return next(figure.colour for figure in figures if figure.kind == words[-1])
    if asked.endswith(" figure ?"):
        return "a " + next(figure.kind for figure in figures if figure.colour == words[3])
    if asked.endswith("small or large ?"):
        return next(figure.size for figure in figures if f"{figure.colour} {figure.kind}" == " ".join(words[2:4]))
    if asked.startswith("is there"):
        return "yes" if " ".join(words[-2:]) in names else "no"
    if asked.startswith("what is next"):
        here = names.index(" ".join(words[-2:]))
        return f"a {figures[here + (-1 if 'left' in words or 'above' in words else 1)]}"
    first, second = names.index(" ".join(words[2:4])), names.index(" ".join(words[-2:]))
    return "yes" if (first < second) == ("left" in words or "above" in words) else "no"


def test_a_caption_tells_the_whole_scene():
    for scene in drawn(500):
        told = scene_of(caption(scene))
        assert caption(told) == caption(scene)
        assert [figure[2:] for figure in told.figures] == [figure[2:] for figure in scene.figures]


class Middle:
    """A generator that draws the middle of everything, so that only what is told differs."""

    def uniform(self, low, high, size=None):
        return np.full(size, (low + high) / 2) if size else (low + high) / 2


def test_scenes_with_different_captions_look_different():
    scenes = [
        Scene((Figure(row, column, size, colour, kind),))
        for row in range(3)
        for column in range(3)
        for size in SIZES
        for colour in COLOURS
        for kind in FIGURES
    ]
    images = np.stack([draw(scene, 36, Middle()).reshape(-1) for scene in scenes]).astype(float)  # pyright: ignore[reportArgumentType]
    squares = (images**2).sum(1)
    apart = squares[:, None] + squares - 2 * images @ images.T + 1e12 * np.eye(len(images))
    assert len({caption(scene) for scene in scenes}) == len(scenes)
    assert np.sqrt(apart.min()) > 100  # of 255 a pixel and channel


def test_every_answer_is_true():
    generator, kinds = np.random.default_rng(1), set()
    for scene in drawn(1500):
        asked = question(scene, generator)
        if asked is not None:
            assert asked.answer == answer_of(asked.text, scene), (asked, scene)
            kinds.add(" ".join(asked.text.split(" ")[:3]))
    assert {"what is next", "what is there", "how many figures", "what colour is", "is there a"} < kinds


def test_what_is_asked_is_asked_of_the_image():
    for item in shown(60, size=36, questions=True):
        if item.question == "what is there ?":
            assert item.text == item.caption
        if item.question == "how many figures are there ?":
            assert item.text == ["one", "two", "three"][len(scene_of(item.caption).figures) - 1]


def test_whoever_sees_the_question_alone_answers_at_most_three_fifths():
    learned: dict[str, Counter] = defaultdict(Counter)
    for item in shown(8000, questions=True):
        learned[item.question][item.text] += 1
    tested = shown(1500, questions=True, part="test", seed=9)
    right = [learned[item.question].most_common(1)[0][0] == item.text for item in tested if learned[item.question]]
    assert np.mean(right) < 0.5


@pytest.mark.parametrize(
    ("kind", "many"),
    [
        (r"what colour", len(COLOURS)),
        (r"what is the \w+ figure", len(FIGURES)),
        (r"is the .* small or large", len(SIZES)),
        (r"is there", 2),
        (r"how many", 3),
        (r"where is", 9),
        (r"is the .* (left of|right of|above|below) the", 2),
    ],
)
def test_no_answer_is_much_more_frequent_than_others(kind, many):
    answers = Counter(item.text for item in shown(6000, questions=True) if re.match(kind, item.question))
    assert len(answers) == many
    assert max(answers.values()) < 1.6 * min(answers.values())


def test_every_look_and_number_of_figures_is_as_frequent():
    scenes = drawn(3000)
    counts = Counter(len(scene.figures) for scene in scenes)
    looks = Counter(figure[2:] for scene in scenes for figure in scene.figures)
    assert min(counts.values()) > 0.9 * max(counts.values())
    assert len(looks) == len(SIZES) * len(COLOURS) * len(FIGURES)
    assert min(looks.values()) > 0.5 * max(looks.values())


def test_two_figures_of_a_scene_are_told_apart_by_colour_and_kind():
    assert all(len({figure[3:] for figure in scene.figures}) == len(scene.figures) for scene in drawn(500))


@pytest.mark.parametrize("questions", [False, True])
def test_no_scene_of_a_part_is_in_another(questions):
    parts = [
        {item.caption for item in shown(part=part, seed=seed, questions=questions)}
        for seed, part in enumerate(("train", "valid", "test"))
    ]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]


def test_items_follow_from_their_number_alone():
    few, many = shown(3, questions=True), shown(6, questions=True)
    assert [item[1:] for item in many[:3]] == [item[1:] for item in few]
    assert all((a.image == b.image).all() for a, b in zip(few, many, strict=False))
    assert (Shapes(questions=True).item(2, 12).image == few[2].image).all()


def test_another_seed_is_another_world():
    assert [item.text for item in shown(20)] != [item.text for item in shown(20, seed=1)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_figure_stands_in_its_cell_with_its_colour(kind, colour, size):
    image = draw(Scene((Figure(0, 2, size, colour, kind),)), 36, np.random.default_rng(1)).astype(int)
    assert abs(image[:12, 24:] - TINTS[colour]).max(2).min() < 20
    assert np.ptp(image[12:], axis=(0, 1)).max() == 0  # nothing below the first row of cells
    assert np.ptp(image[:, :24], axis=(0, 1)).max() == 0


def test_a_large_circle_covers_its_area():
    scene, generator = Scene((Figure(1, 1, "large", "white", "circle"),)), np.random.default_rng(2)
    image = draw(scene, 120, generator).astype(float)[:, :, 0]
    covered = (image - image[0, 0]).sum() / (image[60, 60] - image[0, 0])
    assert covered == pytest.approx(np.pi * (0.42 * 40) ** 2, rel=0.01)


def test_captions_read_as_documented():
    figures = [
        Figure(1, k, size, *rest)
        for k, (size, *rest) in enumerate([("small", "red", "circle"), ("large", "blue", "cross")])
    ]
    assert caption(Scene(tuple(figures))) == "a small red circle left of a large blue cross"
    assert caption(Scene((figures[1],))) == "a large blue cross in the middle"


def test_one_figure_is_asked_no_relation():
    generator = np.random.default_rng(0)
    asked = [question(scene, generator) for scene in drawn(300, most=1)]
    assert not any(found and ("left" in found.text or "above" in found.text) for found in asked)
