"""Compiled loops give eager's numbers: every cell, every kind of call, each type, both forms of a loop."""

import pytest
import torch
from loops import CALLS, TEXTS, TOLERANCE, assert_near, make, results
from tests.catalogue import EQUATION_CELLS

from ostinato.unroll.native import compiler, engine

pytestmark = pytest.mark.skipif(compiler.why_not() is not None, reason=str(compiler.why_not()))

OF_NARROW_PRODUCTS = 0.06
"""As `TOLERANCE`, where products take bfloat16 and each engine rounds before and after them at other places."""

FORM_OF = {torch.float64: True, torch.float32: False, torch.bfloat16: False}
"""In which form of its loop a cell of the catalogue is tried: each form costs seconds of compilation."""

AS_FAR = {"unitary": 10}
"""How many times the tolerance: ten products a step, nothing forgotten, and each number divided by its modulus."""

every_call = pytest.mark.parametrize("call", CALLS)
every_form = pytest.mark.parametrize("hoisted", [True, False], ids=["products before the loop", "products inside"])


def check(name: str, dtype: torch.dtype, call: str) -> None:
    cell = make(name, dtype)
    expected = results(cell, dtype, "eager", CALLS[call])
    assert_near(results(cell, dtype, "native", CALLS[call]), expected, TOLERANCE[dtype] * AS_FAR.get(name, 1))


@every_call
@every_form
@pytest.mark.parametrize("name", ["lstm", "gru", *TEXTS])
def test_in_double_precision_both_forms_of_a_loop_give_eager_s_numbers_and_gradients(name, hoisted, call, monkeypatch):
    monkeypatch.setattr(engine, "is_hoisted", lambda *_: hoisted)
    check(name, torch.float64, call)


@every_call
@pytest.mark.parametrize("dtype", FORM_OF, ids=str)
@pytest.mark.parametrize("name", EQUATION_CELLS)
def test_every_cell_of_the_catalogue_gives_eager_s_numbers_in_each_type(name, dtype, call, monkeypatch):
    monkeypatch.setattr(engine, "is_hoisted", lambda *_: FORM_OF[dtype])
    check(name, dtype, call)


@every_call
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", TEXTS)
def test_whatever_equations_say_a_loop_gives_eager_s_numbers_in_each_type(name, dtype, call, monkeypatch):
    monkeypatch.setattr(engine, "is_hoisted", lambda *_: False)
    check(name, dtype, call)


@every_call
@pytest.mark.parametrize("name", ["gru", "layer norms", "states of several sizes", "transposed matrices"])
def test_weights_in_bfloat16_give_eager_s_numbers_as_near_as_their_products_are(name, call, monkeypatch):
    monkeypatch.setattr(engine, "is_hoisted", lambda *_: False)
    cell = make(name, torch.bfloat16).bfloat16()
    found, expected = (results(cell, torch.bfloat16, e, CALLS[call]) for e in ("native", "eager"))
    assert_near(found, expected, OF_NARROW_PRODUCTS)
