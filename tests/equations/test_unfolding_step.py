"""The picture of a step, over the whole catalogue: every value once, nothing over anything else, XML that is read."""

from xml.etree import ElementTree

import pytest
from tests.catalogue import EQUATION_CELLS

from ostinato import CATALOGUE
from ostinato.equations.parse import parse
from ostinato.equations.unfolding.graph import graph
from ostinato.equations.unfolding.ink import svg
from ostinato.equations.unfolding.step import draw_step

SVG = "{http://www.w3.org/2000/svg}"


def drawn(program) -> ElementTree.Element:
    return ElementTree.fromstring(svg([("", draw_step(program))], "a step"))


def boxes(picture) -> list[tuple[float, ...]]:
    return [tuple(map(float, e.get("data-box").split())) for e in picture.iter(f"{SVG}g") if e.get("data-box")]


def overlaps(one, other) -> bool:
    (a, b, c, d), (e, f, g, h) = one, other
    return a < e + g and e < a + c and b < f + h and f < b + d


@pytest.mark.parametrize("name", EQUATION_CELLS)
def test_every_name_of_a_cell_is_in_its_picture_once(name):
    program = CATALOGUE[name].build(3, 4).program
    shown = [e.get("data-name") for e in drawn(program).iter(f"{SVG}tspan") if e.get("class") == "value"]
    read = {value for value, uses in program.uses.items() if uses} | {i.name for i in program.states} | {"x"}
    assert sorted(shown) == sorted(value for value in read if not value.startswith("%"))


@pytest.mark.parametrize("name", EQUATION_CELLS)
def test_no_box_lies_over_another_or_outside_the_picture(name):
    picture = drawn(CATALOGUE[name].build(3, 4).program)
    placed = boxes(picture)
    assert [(a, b) for k, a in enumerate(placed) for b in placed[:k] if overlaps(a, b)] == []
    assert min(x for x, *_ in placed) >= 0 <= min(y for _, y, *_ in placed)
    assert max(x + wide for x, _, wide, _ in placed) <= float(picture.get("width"))
    assert max(y + high for _, y, _, high in placed) <= float(picture.get("height"))


@pytest.mark.parametrize("name", EQUATION_CELLS)
def test_edges_lead_from_left_to_right(name):
    shown = graph(CATALOGUE[name].build(3, 4).program)
    order = {box.key: k for k, box in enumerate(shown.boxes)}
    assert all(order[edge.source] < order[edge.target] for edge in shown.edges)


def written(equations: str) -> dict[str, str]:
    """Return what is written in the boxes of the operations."""
    shown = graph(parse(equations))
    return {box.key: "".join(word.text for word in box.words) for box in shown.boxes}


def test_sums_of_sums_are_one_sum_with_what_is_learned_inside():
    shown = graph(parse("h' = tanh(W @ x + U @ h + b)"))
    kinds = [(box.kind, "".join(word.text for word in box.words)) for box in shown.boxes]
    assert kinds == [
        ("input", "x"), ("state", "h"), ("operation", "W @"), ("operation", "U @"), ("operation", "+ b"),
        ("named", "h' = tanh"), ("port", "y, output at t"), ("port", "h to t + 1"),
    ]  # fmt: skip


def test_what_is_subtracted_is_marked():
    shown = graph(parse("h' = U @ h - W @ x"))
    assert [edge.mark for edge in shown.edges if edge.target == "h'"] == ["", "−"]


def test_the_order_of_operands_is_marked_where_it_matters():
    shown = graph(parse("h' = where(W @ x > 0, U @ h, h)"))
    assert sorted(edge.mark for edge in shown.edges if edge.target == "h'") == ["1", "2", "3"]


def test_a_value_that_is_read_twice_by_one_operation_has_one_edge():
    shown = graph(parse("a = W @ x + U @ h\nh' = a * a"))
    assert [edge.mark for edge in shown.edges if (edge.source, edge.target) == ("a", "h'")] == ["twice"]


def test_numbers_and_places_are_written_where_one_operand_comes_in():
    texts = written("z = sigmoid(W @ x + U @ h)\nh' = (1 - z) ** 2 / 3")
    assert {"1 − ·", "· ^ 2", "h' = · ÷ 3"} <= set(texts.values())


def test_a_parameter_that_is_read_twice_has_a_box_of_its_own():
    shown = graph(parse("a = sigmoid(U @ h + W @ x)\nh' = a * (U @ a)"))
    assert [box.kind for box in shown.boxes if box.key == "U"] == ["parameter"]


def test_what_follows_the_first_line_of_a_name_is_written_below():
    picture = drawn(parse("h_a' = tanh(W_f_x @ x + V @ h_a)"))
    words = ["".join(text.itertext()).replace("\u200b", "") for text in picture.iter(f"{SVG}text")]
    assert "Wf x @" in words
    assert "h′a = tanh" in words
