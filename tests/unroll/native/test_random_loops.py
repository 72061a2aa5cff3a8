"""Whatever equations say, their compiled loop gives eager's numbers and gradients: hypothesis writes the cells."""

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from loops import assert_near
from tests.equations.random_cells import RandomCell, random_cells

from ostinato import unroll
from ostinato.unroll.native import compiler, engine

pytestmark = pytest.mark.skipif(compiler.why_not() is not None, reason=str(compiler.why_not()))

TOLERANCE = 1e-10


@settings(
    max_examples=20,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(
        Phase.explicit,
        Phase.generate,
    ),  # a cell that fails is printed as it is: each smaller one would be compiled
)
@given(random=random_cells(), hoisted=st.booleans())
def test_a_compiled_loop_gives_eager_s_numbers_forward_and_backward(random: RandomCell, hoisted: bool):
    note(random.text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "is_hoisted", lambda *_: hoisted)
        assert_near(run(random, "native"), run(random, "eager"), TOLERANCE)


def run(random: RandomCell, engine: str) -> dict[str, torch.Tensor]:
    cell = random.build()
    _, inputs, state, dt = random.arrays(cell, steps=4, batch=3)
    sources = {"x": inputs, **state, **({} if dt is None else {"dt": dt})}
    sources = {name: torch.from_numpy(array).requires_grad_() for name, array in sources.items()}
    start = cell.definition.pack_state([sources[name] for name in state])
    reset = torch.tensor([[False, False, True], [False, True, False], [False, False, False], [True, False, False]])
    options = {"lengths": [3, 4, 0], "reset": reset, "engine": engine}
    outputs, last = unroll(cell, sources["x"], start, dt=sources.get("dt"), **options)
    made = {"outputs": outputs, **dict(zip(state, cell.definition.state_values(last), strict=True))}
    loss = sum((t * t.detach().cos()).sum() for t in made.values())
    sources |= {f"parameter {name}": p for name, p in cell.named_parameters()}
    gradients = torch.autograd.grad(loss, list(sources.values()), allow_unused=True, materialize_grads=True)
    found = {f"gradient of {name}": g for name, g in zip(sources, gradients, strict=True)}
    return {name: t.detach() for name, t in (made | found).items()}
