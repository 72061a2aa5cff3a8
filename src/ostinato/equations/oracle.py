"""The float64 oracle: runs a program, and a whole sequence with its back-propagation, in plain NumPy.

It shares nothing with the torch reader but the program; tests compare every engine with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ostinato.equations.differentiate import differentiate, gradient_name
from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.program import Op, Program

Values = Mapping[str, np.ndarray]


def evaluate(program: Program, values: Values) -> dict[str, np.ndarray]:
    """Return each output of `program` for a batch of rows.

    Values are (B, n) for vectors, (B, 1) for `dt`; parameters and constants have no batch axis.
    A gradient of a parameter is returned summed over the rows.
    """
    seen = {k: np.asarray(v, dtype=np.float64) for k, v in values.items()}
    rows = seen[program.inputs[0].name].shape[0]
    with np.errstate(all="ignore"):
        for op in program.ops:
            seen[op.out] = _apply(op, [seen[a] if isinstance(a, str) else np.float64(a) for a in op.args])
    results = {label: seen[value] for label, value in program.outputs}
    if program.role("gradient"):  # an adjoint: its outputs are named after the inputs
        for name in results.keys() & {i.name for i in program.parameters}:
            shape = seen[name].shape
            results[name] = np.broadcast_to(results[name], (rows, *(shape or (1,)))).sum(0).reshape(shape)
    return results


def _apply(op: Op, args: Sequence[Any]) -> Any:
    match op.fn:
        case "matmul":
            return args[1] @ args[0].T
        case "matmul_t":
            return args[1] @ args[0]
        case "outer":
            return args[0][..., :, None] * args[1][..., None, :]
        case "count":
            return np.float64(args[0].shape[-1])
        case "fill":
            return np.broadcast_to(args[0], np.broadcast_shapes(args[0].shape, args[1].shape))
    return FUNCTIONS[op.fn].numpy(*args)


def run(program: Program, fixed: Values, inputs: np.ndarray, state: Values, dt: np.ndarray | None = None):
    """Apply a step along time, for one sequence length.

    `fixed` holds parameters and constants, `inputs` is (T, B, D), `dt` (T, B). Returns outputs (T, B, n), the last
    state, and every step's state before it (what back-propagation needs).
    """
    outputs, before = [], []
    for t, x in enumerate(inputs):
        before.append(dict(state))
        result = evaluate(program, _step_values(fixed, x, state, dt, t))
        outputs.append(result["y"])
        state = {name: result[f"{name}'"] for name in state}
    return np.stack(outputs), state, before


def backpropagate(
    program: Program,
    fixed: Values,
    inputs: np.ndarray,
    state: Values,
    d_outputs: np.ndarray,
    d_state: Values,
    dt=None,
):
    """Return the gradients of sum(outputs · d_outputs) + sum(last state · d_state).

    Keys: "x" (T, B, D), each state (its initial value), each parameter; found by the adjoint program, step by step.
    """
    adjoint = differentiate(program)
    before = run(program, fixed, inputs, state, dt)[2]
    totals = {i.name: np.zeros_like(np.asarray(fixed[i.name], dtype=np.float64)) for i in program.parameters}
    d_x = np.zeros(inputs.shape)
    carried = {k: np.asarray(v, dtype=np.float64) for k, v in d_state.items()}
    for t in reversed(range(len(inputs))):
        values = _step_values(fixed, inputs[t], before[t], dt, t)
        values |= {gradient_name("y"): d_outputs[t]} | {gradient_name(f"{s}'"): g for s, g in carried.items()}
        result = evaluate(adjoint, values)
        for name in totals:
            totals[name] += result.get(name, 0.0)
        d_x[t] = result.get("x", 0.0)
        carried = {s: result.get(s, np.zeros_like(g)) for s, g in carried.items()}
    return {"x": d_x, **carried, **totals}


def _step_values(fixed: Values, x, state: Values, dt, t: int) -> dict[str, np.ndarray]:
    times = {} if dt is None else {"dt": dt[t][:, None]}
    return {**fixed, "x": x, **state, **times}
