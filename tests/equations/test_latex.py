"""Equations as a paper would print them."""

import pytest
from tests.catalogue import EQUATION_CELLS

from ostinato import CATALOGUE
from ostinato.equations.latex import latex
from ostinato.equations.parse import parse


def right_side(expression: str) -> str:
    """Return how the right side of h' = expression is printed."""
    lines = latex(parse(f"h' = {expression}")).split("\n")
    return lines[1].removeprefix("h_{t} &= ")


def test_the_lstm_is_printed_as_in_a_paper():
    assert latex(CATALOGUE["lstm"].build(3, 4).program) == "\n".join(
        [
            r"\begin{aligned}",
            r"i_{t} &= \sigma(W_{i} x_{t} + b_{i} + U_{i} h_{t-1} + d_{i}) \\",
            r"f_{t} &= \sigma(W_{f} x_{t} + b_{f} + U_{f} h_{t-1} + d_{f}) \\",
            r"g_{t} &= \tanh(W_{g} x_{t} + b_{g} + U_{g} h_{t-1} + d_{g}) \\",
            r"o_{t} &= \sigma(W_{o} x_{t} + b_{o} + U_{o} h_{t-1} + d_{o}) \\",
            r"c_{t} &= f_{t} \odot c_{t-1} + i_{t} \odot g_{t} \\",
            r"h_{t} &= o_{t} \odot \tanh(c_{t})",
            r"\end{aligned}",
        ]
    )


def test_the_gru_is_printed_as_in_a_paper():
    assert latex(CATALOGUE["gru"].build(3, 4).program) == "\n".join(
        [
            r"\begin{aligned}",
            r"r_{t} &= \sigma(W_{r} x_{t} + b_{r} + U_{r} h_{t-1} + d_{r}) \\",
            r"z_{t} &= \sigma(W_{z} x_{t} + b_{z} + U_{z} h_{t-1} + d_{z}) \\",
            r"n_{t} &= \tanh(W_{n} x_{t} + b_{n} + r_{t} \odot \left(U_{n} h_{t-1} + d_{n}\right)) \\",
            r"h_{t} &= \left(1 - z_{t}\right) \odot n_{t} + z_{t} \odot h_{t-1}",
            r"\end{aligned}",
        ]
    )


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("(x + b) * h", r"\left(x_{t} + b\right) \odot h_{t-1}"),
        ("x + b * h", r"x_{t} + b \odot h_{t-1}"),
        ("x - (b - h)", r"x_{t} - \left(b - h_{t-1}\right)"),
        ("x - b - h", r"x_{t} - b - h_{t-1}"),
        ("x + (b + h)", r"x_{t} + b + h_{t-1}"),
        ("x - (b + h)", r"x_{t} - \left(b + h_{t-1}\right)"),
        ("-(x + h)", r"-\left(x_{t} + h_{t-1}\right)"),
        ("-(x - h)", r"-\left(x_{t} - h_{t-1}\right)"),
        ("-(x * h)", r"-x_{t} \odot h_{t-1}"),
        ("-x + h", r"-x_{t} + h_{t-1}"),
        ("x * -h", r"x_{t} \odot \left(-h_{t-1}\right)"),
        ("x - -h", r"x_{t} - \left(-h_{t-1}\right)"),
        ("(x * h) ** 2", r"\left(x_{t} \odot h_{t-1}\right)^{2}"),
        ("(x + h) ** -1", r"\left(x_{t} + h_{t-1}\right)^{-1}"),
        ("x ** 2 * h", r"x_{t}^{2} \odot h_{t-1}"),
        ("(x ** 2) ** 3 + h", r"\left(x_{t}^{2}\right)^{3} + h_{t-1}"),
        ("(x / h) ** 2", r"\left(\frac{x_{t}}{h_{t-1}}\right)^{2}"),
        ("-x ** 2 + h", r"-x_{t}^{2} + h_{t-1}"),
        ("(-x) ** 2 + h", r"\left(-x_{t}\right)^{2} + h_{t-1}"),
        ("x / (1 + h)", r"\frac{x_{t}}{1 + h_{t-1}}"),
        ("x / b / h", r"\frac{\frac{x_{t}}{b}}{h_{t-1}}"),
        ("2 * x * h", r"2 \, x_{t} \odot h_{t-1}"),
        ("-2 * x + h", r"(-2) \, x_{t} + h_{t-1}"),
        ("0.1 * x + 1e-7 * h", r"0.1 \, x_{t} + 10^{-7} \, h_{t-1}"),
        ("W @ (x * x) + h", r"W \left(x_{t} \odot x_{t}\right) + h_{t-1}"),
        ("W @ U @ x + h", r"W U x_{t} + h_{t-1}"),
        ("W.T @ x + h", r"W^\top x_{t} + h_{t-1}"),
        ("tanh(x + h)", r"\tanh(x_{t} + h_{t-1})"),
        ("exp(-dt) * h", r"\exp(-\Delta t) \, h_{t-1}"),
        ("max(x, h + 1)", r"\max(x_{t}, h_{t-1} + 1)"),
        ("abs(x) + h", r"\lvert x_{t} \rvert + h_{t-1}"),
        (
            "2 * where(x > 0, h, -h)",
            r"2 \, \left(\begin{cases} h_{t-1} & x_{t} > 0 \\ -h_{t-1} & \text{otherwise} \end{cases}\right)",
        ),
    ],
)
def test_brackets_stand_where_they_are_needed(expression, printed):
    assert right_side(expression) == printed


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("W_f", "W_{f}"),
        ("W_forget", r"W_{\mathrm{forget}}"),
        ("W_f_2", "W_{f,2}"),
        ("W_xi", r"W_{\mathrm{xi}}"),
        ("W_theta", r"W_{\theta}"),
        ("W_f_hat", r"W_{\hat{f}}"),
        ("W_hat", r"\hat{W}"),
        ("U2", "U_{2}"),
        ("U_h2", r"U_{\mathrm{h2}}"),
        ("alpha", r"\alpha"),
        ("beta_i", r"\beta_{i}"),
        ("gain", r"\mathrm{gain}"),
        ("α", "α"),
    ],
)
def test_names_are_letters_with_an_index(name, printed):
    assert right_side(f"{name} @ x + h") == f"{printed} x_{{t}} + h_{{t-1}}"


def test_a_state_that_takes_another_value_has_its_line():
    assert r"c_{t} &= h_{t-1}" in latex(parse("h' = tanh(W @ x + U @ c)\nc' = h"))


def test_an_output_that_is_an_earlier_state_has_its_line():
    assert latex(parse("h' = tanh(W @ x + U @ h)\ny = h")).split("\n")[-2] == r"y_{t} &= h_{t-1}"


def test_a_line_for_the_output_is_printed_once():
    assert latex(parse("h' = tanh(W @ x)\ny = V @ h'")).count("y_{t}") == 1


def test_values_carry_the_step_where_a_step_changes_them():
    lines = latex(parse("a = sigmoid(w)\nb_hat = tanh(W @ x)\nh_1' = a * h_1 + b_hat")).split("\n")[1:-1]
    assert [line.split(" &")[0] for line in lines] == ["a", r"\hat{b}_{t}", "h_{1,t}"]


def test_a_name_of_several_words_is_printed_whole():
    text = latex(parse("spectral_radius = 0.9\nh' = spectral_radius * h + x"))
    assert r"\mathrm{spectral\ radius} \, h_{t-1}" in text


def test_a_constant_is_printed_by_its_name():
    assert latex(parse("leak = 0.3\nh' = leak * h + x")).split("\n")[1] == r"h_{t} &= \mathrm{leak} \, h_{t-1} + x_{t}"


@pytest.mark.parametrize("name", EQUATION_CELLS)
def test_every_cell_prints_with_and_without_bias(name):
    for bias in (True, False):
        text = latex(CATALOGUE[name].build(3, 4, bias=bias).program)
        assert text.count("{") == text.count("}")
        assert "%" not in text
