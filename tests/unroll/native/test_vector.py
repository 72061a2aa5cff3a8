"""The C++ of vector registers, at every width this machine has: each function against NumPy and torch."""

import ctypes
import functools
import operator
import platform
from pathlib import Path

import numpy as np
import pytest
import torch

from ostinato.equations.functions import FUNCTIONS
from ostinato.unroll.native import compiler

pytestmark = pytest.mark.skipif(compiler.why_not() is not None, reason=str(compiler.why_not()))

SOURCE = Path(compiler.__file__).parent / "source" / "vector.h"
ROWS = {name: row for name, row in FUNCTIONS.items() if row.kind in ("elementwise", "comparison")}
UNARY = [name for name, row in ROWS.items() if row.arity == 1]

NARROWER = {"native": (), "no AVX-512": ("-mno-avx512f",), "no AVX": ("-mno-avx",)}
WIDTHS = list(NARROWER) if platform.machine() in ("x86_64", "AMD64") else ["native"]
DTYPES = [np.float32, np.float64]

ULP = {
    "exp": 2, "tanh": 3.5, "sigmoid": 3.5, "log": 1.5, "softplus": 3.5, "silu": 3.5, "elu": 2,
    "softsign": 2, "hard_sigmoid": 2, "sqrt": 0.5,
}  # fmt: skip
"""How far float32 results may be from the true ones, in units in the last place."""

EXPORT = 'extern "C" __attribute__((visibility("default")))'

REGISTERS = """
#include <sys/mman.h>
#include <unistd.h>

EXPORT int lanes_of_a_register() { return VL; }

template <int N>
void parts(const real* from, real* loaded, real* stored, real* sums, real* maxima) {
  store<VL>(loaded + (N - 1) * VL, load<N>(from));
  store<N>(stored + (N - 1) * (VL + 1), load<VL>(from));
  sums[N - 1] = sum<N>(load<VL>(from));
  maxima[N - 1] = max<N>(load<VL>(from));
  if constexpr (N > 1) parts<N - 1>(from, loaded, stored, sums, maxima);
}
EXPORT void first_lanes(const real* from, real* loaded, real* stored, real* sums, real* maxima) {
  parts<VL>(from, loaded, stored, sums, maxima);
}

template <int N>
void copy_up_to(real* end) {
  store<N>(end - N, load<N>(end - N) + 1);
  if constexpr (N > 1) copy_up_to<N - 1>(end);
}
EXPORT real last_number_before_forbidden_memory() {
  long page = sysconf(_SC_PAGESIZE);
  char* start = (char*)mmap(0, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  mprotect(start + page, page, PROT_NONE);
  real* end = (real*)(start + page);
  copy_up_to<VL>(end);
  real last = end[-1];
  munmap(start, 2 * page);
  return last;
}
"""


def loop(name: str) -> str:
    arguments = ", ".join(f"load<VL>({x} + i)" for x in "abc"[: ROWS[name].arity])
    return f"""
{EXPORT} void each_{name}(const real* a, const real* b, const real* c, real* y, long n) {{
  (void)a, (void)b, (void)c;
  for (long i = 0; i < n; i += VL) store<VL>(y + i, f_{name}({arguments}));
}}"""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A library of every function, for a width and a type of number."""

    @functools.cache
    def built(width, dtype):
        head = "#define OSTINATO_DOUBLE 1\n" if dtype is np.float64 else ""
        source = head + SOURCE.read_text() + "\n".join(map(loop, ROWS)) + REGISTERS.replace("EXPORT", EXPORT)
        flags = (*NARROWER[width], "-Wall", "-Wextra", "-Werror")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OSTINATO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
            return compiler.library(source, "vector", flags)

    return built


def each(library: ctypes.CDLL, name: str, *arguments: np.ndarray) -> np.ndarray:
    """Return a function of the library, of arrays of equal length."""
    size = len(arguments[0])
    padded = [np.concatenate([a, np.ones(-size % 16, a.dtype)]) for a in arguments]
    result = np.empty_like(padded[0])
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (padded * 3)[:3]]
    getattr(library, f"each_{name}")(*pointers, ctypes.c_void_p(result.ctypes.data), ctypes.c_long(len(result)))
    return result[:size]


def first_lanes(library: ctypes.CDLL, numbers: np.ndarray) -> list[np.ndarray]:
    lanes = library.lanes_of_a_register()
    shapes = [(lanes, lanes), (lanes, lanes + 1), (lanes,), (lanes,)]
    results = [np.full(shape, -7, numbers.dtype) for shape in shapes]
    library.first_lanes(*[ctypes.c_void_p(a.ctypes.data) for a in (numbers, *results)])
    return results


@functools.cache
def sample() -> np.ndarray:
    """Every 1999th float32 there is, and more of those where the functions bend."""
    patterns = np.arange(0, 2**32, 1999, dtype=np.uint64).astype(np.uint32).view(np.float32)
    return np.concatenate([patterns, *(np.linspace(-m, m, 200_001, dtype=np.float32) for m in (1, 10, 100))])


@functools.cache
def true_values(name: str) -> np.ndarray:
    with np.errstate(all="ignore"):
        a = sample().astype(np.float64)
        if name == "hard_sigmoid":  # the table's own form loses what is small, beside -3
            return np.clip((a + 3) / 6, 0, 1)
        return FUNCTIONS[name].numpy(a)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ULP)
def test_float32_is_within_its_bound_of_the_true_value(build, width, name):
    result, true = each(build(width, np.float32), name, sample()), true_values(name)
    least = 1e-35 if name == "silu" else 2.0**-126  # the product's first factor is below 2⁻¹²⁶ before the product is
    with np.errstate(all="ignore"):
        ordinary = (abs(true) >= least) & (abs(true) < np.finfo(np.float32).max)
        away = abs(result - true)[ordinary] / np.spacing(abs(true[ordinary]).astype(np.float32))
        assert away.max() <= ULP[name]
        assert (abs(result[abs(true) < least]) <= least).all()
        beyond = ~ordinary & ~(abs(true) < least)
        np.testing.assert_array_equal(result[beyond], true[beyond].astype(np.float32))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_every_row_of_the_table_is_there_and_agrees_with_it(build, width, dtype, name):
    generator = np.random.default_rng(0)
    arguments = [generator.uniform(-4, 4, 1000).round(1).astype(dtype) for _ in range(ROWS[name].arity)]
    if name in ("log", "sqrt", "pow"):
        arguments[0] = abs(arguments[0]) + dtype(0.1)
    if name == "div":
        arguments[1] += np.sign(arguments[1]) + dtype(0.5)
    if name == "where":
        arguments[0] = (arguments[0] > 0).astype(dtype)
    expected = ROWS[name].numpy(*[a.astype(np.float64) if name != "where" else a for a in arguments])
    result = each(build(width, dtype), name, *arguments)
    epsilon = np.finfo(dtype).eps
    np.testing.assert_allclose(result, expected, rtol=4 * epsilon, atol=epsilon)


SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, 1.5, -1.5, 87.0, -87.0, 105.0, -105.0, 3e38, -3e38]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_limits_infinities_and_nan_are_those_of_torch(build, width, dtype, name):
    numbers = np.array([x for x in SPECIAL if not (name in ("sin", "cos") and abs(x) > 1e38)], dtype)
    expected = operator.attrgetter(FUNCTIONS[name].torch)(torch)(torch.from_numpy(numbers)).numpy()
    result = each(build(width, dtype), name, numbers)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1.2e-38)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["maximum", "minimum", "gt", "ge", "lt", "le", "add", "mul", "div", "pow"])
def test_pairs_of_special_numbers_give_what_torch_gives(build, width, dtype, name):
    numbers = np.array([np.nan, np.inf, -np.inf, 0, 1, -2], dtype)
    a, b = (np.ascontiguousarray(x.ravel()) for x in np.meshgrid(numbers, numbers))
    expected = operator.attrgetter(FUNCTIONS[name].torch)(torch)(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_array_equal(each(build(width, dtype), name, a, b), expected)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_choice_does_not_see_what_it_did_not_choose(build, width, dtype):
    chosen = np.array([1, 0, -0.0, np.nan, 0.5], dtype)
    nan = np.full(5, np.nan, dtype)
    result = each(build(width, dtype), "where", chosen, np.arange(5, dtype=dtype), nan)
    np.testing.assert_array_equal(result, np.array([0, np.nan, np.nan, 3, 4], dtype))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_part_of_a_register_is_loaded_beside_zeros_and_stored_alone(build, width, dtype):
    lanes = build(width, dtype).lanes_of_a_register()
    loaded, stored, _, _ = first_lanes(build(width, dtype), np.arange(1, lanes + 1, dtype=dtype))
    count = np.arange(1, lanes + 1)[:, None]
    lane = np.arange(lanes + 1)[None]
    np.testing.assert_array_equal(loaded, np.where(lane < count, lane + 1, 0)[:, :lanes])
    np.testing.assert_array_equal(stored, np.where(lane < count, lane + 1, -7))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_load_or_store_touches_memory_beyond_its_lanes(build, width, dtype):
    call = build(width, dtype).last_number_before_forbidden_memory
    call.restype = ctypes.c_double if dtype is np.float64 else ctypes.c_float
    assert call() == build(width, dtype).lanes_of_a_register()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_and_maxima_are_of_the_first_lanes(build, width, dtype):
    lanes = build(width, dtype).lanes_of_a_register()
    numbers = np.random.default_rng(0).integers(-9, 0, lanes).astype(dtype)
    _, _, sums, maxima = first_lanes(build(width, dtype), numbers)
    np.testing.assert_array_equal(sums, np.cumsum(numbers))
    np.testing.assert_array_equal(maxima, np.maximum.accumulate(numbers))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", [0, 1, -1])
def test_nan_is_in_the_sums_and_maxima_of_the_lanes_that_hold_it_only(build, width, dtype, place):
    lanes = build(width, dtype).lanes_of_a_register()
    numbers = np.arange(lanes, dtype=dtype)
    numbers[place] = np.nan
    _, _, sums, maxima = first_lanes(build(width, dtype), numbers)
    np.testing.assert_array_equal(sums, np.cumsum(numbers))
    np.testing.assert_array_equal(maxima, np.maximum.accumulate(numbers))
