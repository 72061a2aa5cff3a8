"""Every row of the functions table: value, derivative, spellings, and what happens far out."""

import math

import numpy as np
import pytest
import torch

from ostinato import EquationError
from ostinato.equations import oracle
from ostinato.equations.clipping import clip_gradient
from ostinato.equations.differentiate import differentiate, gradient_name
from ostinato.equations.functions import ALIASES, FUNCTIONS, WRITTEN
from ostinato.equations.parse import parse
from ostinato.equations.program import Input, Op, Program, check
from ostinato.equations.torch_reader import compile_torch

SIZE = 4
BETWEEN_KINKS = np.array([[-4.1, -2.3, -0.7, 0.4], [1.6, 0.9, -1.2, 3.7]])
ABOVE_ZERO = np.array([[0.1, 0.7, 1.3, 4.0], [2.2, 0.03, 9.0, 1.1]])
OTHER = np.array([[0.3, -1.1, 2.6, 0.9], [-0.4, 1.9, 0.2, -3.3]])
INSIDE = {"largest"}
"""What only expansions are made of: no text says it, torch never sees it, and softmax needs no gradient through it."""
ONE_ARGUMENT = [n for n, row in FUNCTIONS.items() if row.arity == 1 and n not in INSIDE]
TWO_ARGUMENTS = ["add", "sub", "mul", "div", "maximum", "minimum"]
COMPARISONS = [n for n, row in FUNCTIONS.items() if row.kind == "comparison"]


def program_of(fn: str) -> Program:
    """Return the program y = fn(a, b, …) over vectors of D numbers (the condition of `where` compares a with 0)."""
    names = ("a", "b", "c")[: FUNCTIONS[fn].arity]
    inputs = tuple(Input(name, "input", ("D",)) for name in names)
    shape = () if FUNCTIONS[fn].kind == "reduction" else ("D",)
    if fn == "where":
        ops = (Op("%1", "gt", ("a", 0.0), ("D",)), Op("r", fn, ("%1", "b", "c"), shape))
    else:
        ops = (Op("r", fn, names, shape),)
    return check(Program(inputs, ops, (("y", "r"),)))


def value(fn: str, *args: np.ndarray) -> np.ndarray:
    return oracle.evaluate(program_of(fn), dict(zip("abc", args, strict=False)))["y"]


def torch_value(fn: str, *args: torch.Tensor) -> torch.Tensor:
    return compile_torch(program_of(fn), {"D": args[0].shape[-1]})(dict(zip("abc", args, strict=False)))[0]


def gradients(fn: str, g: np.ndarray, *args: np.ndarray) -> dict:
    values = dict(zip("abc", args, strict=False)) | {gradient_name("y"): g}
    return oracle.evaluate(differentiate(program_of(fn)), values)


def points(fn: str) -> list[np.ndarray]:
    """Return arguments where the function is smooth."""
    first = ABOVE_ZERO if fn in ("log", "sqrt") else BETWEEN_KINKS
    return [first, OTHER, OTHER[::-1] - 0.5][: FUNCTIONS[fn].arity]


def arriving(fn: str) -> np.ndarray:
    """Return a gradient that arrives at the result."""
    return np.random.default_rng(3).normal(size=value(fn, *points(fn)).shape)


# values


@pytest.mark.parametrize("fn", [*ONE_ARGUMENT, *TWO_ARGUMENTS, *COMPARISONS, "where"])
def test_torch_computes_what_numpy_does(fn):
    tensors = [torch.from_numpy(p) for p in points(fn)]
    np.testing.assert_allclose(torch_value(fn, *tensors), value(fn, *points(fn)), rtol=1e-12, atol=1e-14)


def test_torch_s_slope_of_hard_sigmoid_is_a_sixth_in_double_precision():
    row = torch.tensor([[-4.0, -1.0, 2.0, 5.0]], dtype=torch.float64, requires_grad=True)
    torch_value("hard_sigmoid", row).sum().backward()
    assert row.grad is not None
    assert row.grad.tolist() == [[0.0, 1 / 6, 1 / 6, 0.0]]


@pytest.mark.parametrize("exponent", [2.0, -1.0, 0.5, 3.0])
def test_torch_takes_powers_as_numpy_does(exponent):
    program = parse(f"h' = x ** {exponent} + h")
    found = compile_torch(program, {"D": SIZE})({"x": torch.from_numpy(ABOVE_ZERO), "h": torch.zeros(2, SIZE)})[0]
    np.testing.assert_allclose(found, ABOVE_ZERO**exponent, rtol=1e-12)


@pytest.mark.parametrize("fn", [n for n, row in FUNCTIONS.items() if row.kind == "row"])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_row_function_works_over_each_row_on_its_own(fn, size):
    rows = np.random.default_rng(1).normal(size=(3, size))
    together = value(fn, rows)
    np.testing.assert_allclose(together[1:2], value(fn, rows[1:2]), rtol=1e-14)
    np.testing.assert_allclose(torch_value(fn, torch.from_numpy(rows)), together, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("fn", ONE_ARGUMENT)
@pytest.mark.parametrize("number", [1e4, -1e4, 0.0, 88.7, -88.7])
def test_torch_agrees_with_numpy_far_out_in_float64_and_float32(fn, number):
    row = np.array([[number, 1.0, -0.5, number]])
    with np.errstate(all="ignore"):
        expected = value(fn, row)
    for dtype, rtol in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        found = torch_value(fn, torch.from_numpy(row).to(dtype))
        finite = np.isfinite(expected) & (np.abs(expected) < 3e38)
        np.testing.assert_allclose(found.double().numpy()[finite], expected[finite], rtol=rtol, atol=rtol)


@pytest.mark.parametrize(
    ("fn", "far", "limit", "slope"),
    [
        ("sigmoid", math.inf, 1.0, 0.0),
        ("sigmoid", -math.inf, 0.0, 0.0),
        ("sigmoid", -1e4, 0.0, 0.0),
        ("tanh", math.inf, 1.0, 0.0),
        ("tanh", -math.inf, -1.0, 0.0),
        ("relu", -math.inf, 0.0, 0.0),
        ("relu", math.inf, math.inf, 1.0),
        ("softplus", math.inf, math.inf, 1.0),
        ("softplus", -math.inf, 0.0, 0.0),
        ("softplus", 1e4, 1e4, 1.0),
        ("silu", math.inf, math.inf, math.nan),
        ("silu", 1e4, 1e4, 1.0),
        ("silu", -1e4, 0.0, 0.0),
        ("softsign", 1e4, 1e4 / (1 + 1e4), 1 / (1 + 1e4) ** 2),
        ("hard_sigmoid", math.inf, 1.0, 0.0),
        ("hard_sigmoid", -math.inf, 0.0, 0.0),
        ("hard_tanh", math.inf, 1.0, 0.0),
        ("hard_tanh", -math.inf, -1.0, 0.0),
        ("elu", -math.inf, -1.0, 0.0),
        ("elu", math.inf, math.inf, 1.0),
        ("exp", -math.inf, 0.0, 0.0),
        ("exp", 1e4, math.inf, math.inf),
        ("log", math.inf, math.inf, 0.0),
        ("sqrt", math.inf, math.inf, 0.0),
        ("abs", -math.inf, math.inf, -1.0),
    ],
)
def test_a_function_goes_to_its_limit(fn, far, limit, slope):
    row = np.full((1, SIZE), far)
    np.testing.assert_allclose(value(fn, row), limit, rtol=1e-12)
    np.testing.assert_allclose(torch_value(fn, torch.from_numpy(row)), limit, rtol=1e-12)
    np.testing.assert_allclose(gradients(fn, np.ones((1, SIZE)), row)["a"], slope, rtol=1e-9)


@pytest.mark.parametrize("fn", ["softmax", "layer_norm", "rms_norm"])
def test_a_row_of_large_numbers_stays_finite(fn):
    row = np.array([[1e4, -1e4, 3.0, 9e3]])
    assert np.isfinite(value(fn, row)).all()
    assert np.isfinite(gradients(fn, np.ones((1, SIZE)), row)["a"]).all()


@pytest.mark.parametrize("fn", ["softmax", "layer_norm", "rms_norm"])
def test_a_row_of_equal_numbers_stays_finite(fn):
    row = np.zeros((1, SIZE))
    assert np.isfinite(value(fn, row)).all()
    assert np.isfinite(gradients(fn, OTHER[:1], row)["a"]).all()


def test_softmax_gives_nothing_to_minus_infinity():
    row = np.array([[0.0, -math.inf, 0.0, -math.inf]])
    np.testing.assert_array_equal(value("softmax", row), [[0.5, 0.0, 0.5, 0.0]])
    assert np.isfinite(gradients("softmax", OTHER[:1], row)["a"]).all()


NOT_CARRIED = {"sign"}
"""torch.sign says that NaN has the sign 0."""


@pytest.mark.parametrize("fn", [n for n in ONE_ARGUMENT if n not in NOT_CARRIED])
def test_nan_is_carried(fn):
    row = np.full((1, SIZE), math.nan)
    assert np.isnan(value(fn, row)).all()
    assert torch_value(fn, torch.from_numpy(row)).isnan().all()


@pytest.mark.parametrize("fn", TWO_ARGUMENTS)
def test_nan_in_either_argument_is_carried(fn):
    nan, number = np.full((1, SIZE), math.nan), np.ones((1, SIZE))
    assert np.isnan(value(fn, nan, number)).all()
    assert np.isnan(value(fn, number, nan)).all()
    assert torch_value(fn, torch.from_numpy(nan), torch.from_numpy(number)).isnan().all()
    assert torch_value(fn, torch.from_numpy(number), torch.from_numpy(nan)).isnan().all()


@pytest.mark.parametrize("fn", [n for n in ONE_ARGUMENT if FUNCTIONS[n].kind in ("row", "reduction")])
def test_nan_in_one_row_stays_in_that_row(fn):
    rows = BETWEEN_KINKS.copy()
    rows[0, 1] = math.nan
    np.testing.assert_allclose(value(fn, rows)[1:], value(fn, BETWEEN_KINKS)[1:])
    found = torch_value(fn, torch.from_numpy(rows))
    assert found[0].isnan().all()
    assert not found[1].isnan().any()


# derivatives


@pytest.mark.parametrize("fn", [*ONE_ARGUMENT, *TWO_ARGUMENTS, "where"])
def test_the_written_derivative_is_the_central_difference(fn):
    args, g = points(fn), arriving(fn)
    found = gradients(fn, g, *args)
    for name, arg, text in zip("abc", args, FUNCTIONS[fn].derivatives, strict=False):
        expected = central_difference(fn, g, args, "abc".index(name))
        np.testing.assert_allclose(found.get(name, np.zeros_like(arg)), expected, rtol=1e-6, atol=1e-8)
        assert bool(text) == (name in found)


def central_difference(fn: str, g: np.ndarray, args: list[np.ndarray], position: int, step: float = 1e-6) -> np.ndarray:
    """Return the slope of sum(g * fn(…)) in each number of one argument."""
    slopes = np.zeros_like(args[position])
    for index in np.ndindex(slopes.shape):
        sides = []
        for sign in (1, -1):
            moved = [a.copy() for a in args]
            moved[position][index] += sign * step
            sides.append((g * value(fn, *moved)).sum())
        slopes[index] = (sides[0] - sides[1]) / (2 * step)
    return slopes


@pytest.mark.parametrize("fn", [*ONE_ARGUMENT, *TWO_ARGUMENTS, "where"])
def test_the_written_derivative_is_autograd_s(fn):
    args, g = points(fn), arriving(fn)
    tensors = [torch.from_numpy(a).requires_grad_() for a in args]
    torch_value(fn, *tensors).backward(torch.from_numpy(g))
    found = gradients(fn, g, *args)
    for name, tensor in zip("abc", tensors, strict=False):
        expected = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
        np.testing.assert_allclose(found.get(name, np.zeros(tensor.shape)), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("exponent", ["2", "3", "-1.5", "0.5", "1"])
def test_the_derivative_of_a_power_is_autograd_s(exponent):
    program = parse(f"h' = x ** {exponent} + h")
    x, h = torch.from_numpy(ABOVE_ZERO).requires_grad_(), torch.zeros(2, SIZE, dtype=torch.float64)
    compile_torch(program, {"D": SIZE})({"x": x, "h": h})[0].backward(torch.from_numpy(OTHER))
    values = {"x": ABOVE_ZERO, "h": h.numpy(), "d y": OTHER, "d h'": np.zeros_like(OTHER)}
    np.testing.assert_allclose(oracle.evaluate(differentiate(program), values)["x"], x.grad, rtol=1e-12)


@pytest.mark.parametrize("fn", ["maximum", "minimum"])
def test_a_tie_shares_its_gradient_as_torch_does(fn):
    a = torch.ones(1, SIZE, dtype=torch.float64, requires_grad=True)
    b = torch.ones(1, SIZE, dtype=torch.float64, requires_grad=True)
    torch_value(fn, a, b).sum().backward()
    found = gradients(fn, np.ones((1, SIZE)), np.ones((1, SIZE)), np.ones((1, SIZE)))
    np.testing.assert_array_equal(found["a"], a.grad)
    np.testing.assert_array_equal(found["b"], b.grad)


@pytest.mark.parametrize("fn", ["relu", "abs", "hard_tanh", "elu"])
def test_a_kink_has_the_gradient_torch_gives_it(fn):
    row = np.array([[0.0, 1.0, -1.0, 0.0]])
    a = torch.from_numpy(row).requires_grad_()
    torch_value(fn, a).sum().backward()
    np.testing.assert_array_equal(gradients(fn, np.ones((1, SIZE)), row)["a"], a.grad)


# the gradient that is clipped


@pytest.mark.parametrize("bound", [0.5, 2.0])
def test_a_clipped_gradient_stays_within_its_bound_and_the_value_is_untouched(bound):
    a = torch.from_numpy(BETWEEN_KINKS).requires_grad_()
    program = parse(f"h' = clip_gradient(x, {bound}) * 3 + h")
    values = {"x": a, "h": torch.zeros_like(a)}
    found = compile_torch(program, {"D": SIZE})(values)[0]
    found.backward(torch.from_numpy(OTHER))
    np.testing.assert_array_equal(found.detach(), 3 * BETWEEN_KINKS)
    np.testing.assert_array_equal(a.grad, np.clip(3 * OTHER, -bound, bound))
    arriving = {"x": BETWEEN_KINKS, "h": np.zeros((2, SIZE)), "d y": OTHER, "d h'": np.zeros((2, SIZE))}
    np.testing.assert_array_equal(oracle.evaluate(differentiate(program), arriving)["x"], a.grad)


def test_a_clipped_gradient_of_one_number_is_summed_first_and_its_bound_has_none():
    x, b = torch.from_numpy(ABOVE_ZERO).requires_grad_(), torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    program = parse("b : scalar\nh' = clip_gradient(sum(x), b * b) * 7 + h")
    compile_torch(program, {"D": SIZE})({"x": x, "b": b, "h": torch.zeros_like(x)})[0].sum().backward()
    torch.testing.assert_close(x.grad, torch.full_like(x, 0.25))
    assert b.grad is None


@pytest.mark.parametrize("text", ["h' = clip_gradient(w, 1) * h + x", "a = w * w\nh' = x + h * clip_gradient(a, 1)"])
def test_what_is_the_same_at_every_step_has_no_gradient_to_clip(text):
    with pytest.raises(EquationError, match=r"is the same at every step\. clip_gradient takes what goes from step"):
        parse(text)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch.func meets its own deprecations
def test_a_clipped_gradient_can_be_mapped_and_differentiated_again():
    a = torch.from_numpy(BETWEEN_KINKS)

    def loss(row, bound):
        return (clip_gradient(row, bound) ** 2).sum()

    bounds = torch.tensor([1.0, 9.0], dtype=torch.float64)
    found = torch.func.vmap(torch.func.grad(loss))(a, bounds)
    torch.testing.assert_close(found, torch.minimum(torch.maximum(2 * a, -bounds[:, None]), bounds[:, None]))
    row = a[0].clone().requires_grad_()
    (first,) = torch.autograd.grad(loss(row, bounds[1]), row, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), row)
    torch.testing.assert_close(second, torch.full_like(row, 2.0))
    _, slope = torch.func.jvp(lambda r: clip_gradient(r, bounds[0]), (a[0],), (a[1],))
    torch.testing.assert_close(slope, a[1])


# spellings


@pytest.mark.parametrize("fn", WRITTEN)
def test_every_written_function_is_read_and_listed(fn):
    args = ", ".join(["x", "h", "x * h"][: FUNCTIONS[fn].arity])
    text = f"h' = h + where(x > 0, {args})" if fn == "where" else f"h' = h + {fn}({args})"
    assert fn in [op.fn for op in parse(text.replace("where(x > 0, x, h, x * h)", "where(x > 0, x, h)")).ops]
    with pytest.raises(EquationError, match=rf"Known are .*\b{fn}\b"):
        parse("h' = zzz(x)")


@pytest.mark.parametrize(("paper", "fn"), ALIASES.items())
def test_every_alias_stands_for_a_written_function(paper, fn):
    assert fn in WRITTEN
    assert paper not in FUNCTIONS


@pytest.mark.parametrize("row", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_row_prints_each_argument_in_latex(row):
    printed = row.latex.format(*"ABC"[: row.arity])
    assert [letter for letter in "ABC"[: row.arity] if letter not in printed] == []
    assert printed.count("{") == printed.count("}")


@pytest.mark.parametrize("fn", [n for n in WRITTEN if FUNCTIONS[n].kind == "elementwise"])
def test_every_elementwise_function_takes_a_constant(fn):
    args = ", ".join(["a", "a", "x"][: FUNCTIONS[fn].arity])
    call = "where(a > 1, a, x)" if fn == "where" else f"{fn}({args})"
    program = parse(f"a = 2\nh' = {call} * x + h")
    values = {"x": torch.from_numpy(OTHER), "h": torch.from_numpy(OTHER), "a": 2.0}
    found = compile_torch(program, {"D": SIZE})(values)[0]
    expected = oracle.evaluate(program, {"x": OTHER, "h": OTHER, "a": np.float64(2.0)})["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found.dtype == torch.float64
