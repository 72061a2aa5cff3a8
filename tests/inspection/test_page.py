"""The frame of the page: what is said first, and colours that are seen on either ground."""

import re

import pytest

from ostinato.inspection import drawing
from ostinato.inspection.page import DARK, page
from ostinato.inspection.section import Section
from ostinato.unroll.unfolding import unfolding

LIGHT, NIGHT = "#ffffff", "#14171b"


def contrast(one, other):
    """Return the contrast of two colours (WCAG 2.2)."""

    def light(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return sum(weight * v for weight, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


def page_of(*sections):
    return page("Inside <b>", "A model & what it read.", sections, ["Measured so."])


def test_what_each_section_found_stands_first_with_a_way_to_it():
    made = page_of(
        Section("Gradient flow", "How far?", summary="Within 9 steps & no further."), Section("Units", "Which?")
    )
    assert '<li><a href="#gradient-flow">Gradient flow</a><span>Within 9 steps &amp; no further.</span></li>' in made
    assert made.index("Within 9 steps") < made.index("How far?")
    assert '<a href="#units">Units</a>' in made
    assert made.index("Measured so.") > made.index("Which?")


def test_text_of_the_user_is_escaped():
    made = page_of()
    assert "<h1>Inside &lt;b&gt;</h1>" in made
    assert "A model &amp; what" in made


def test_colours_of_pictures_are_those_of_the_page():
    def fill(figure):
        axes = figure.subplots()
        for colour in drawing.COLOURS:
            axes.plot([0, 1], color=colour)

    drawn = drawing.picture("lines", fill, alt="Lines.", caption="Lines.")
    made = page_of(Section("Lines", "Which?", (drawn,)))
    assert re.findall(r"#[0-9a-f]{6}\b", made.partition("<figure>")[2].lower()) == []
    assert all(f"var(--{colour[1:]})" in made for colour in drawing.COLOURS)


@pytest.mark.parametrize("cell", ["lstm", "cfc", "clockwork"])
def test_every_colour_of_a_drawn_step_has_one_for_dark_ground(cell):
    assert set(re.findall(r"#[0-9a-f]{6}\b", unfolding(cell, 4, 4).lower())) <= set(DARK)


@pytest.mark.parametrize(("light", "dark"), DARK.items())
def test_colours_are_seen_on_either_ground(light, dark):
    assert contrast(light, LIGHT) >= 3  # WCAG 2.2, 1.4.11
    assert contrast(dark, NIGHT) >= 3
