"""The cells whose compiled loops are tested, the calls they are tried with, and how near to eager they have to be."""

import torch
from torch import Tensor

import ostinato
from ostinato import CATALOGUE, unroll
from ostinato.cells.equation_cell import EquationCell

D, H = 5, 37
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-5, torch.bfloat16: 1.6e-2}
"""How far numbers may differ, relative to the largest of a tensor; by the type of the inputs. Outputs and the gradient
of inputs have that type, so that under bfloat16 two of its units are allowed; all else is computed in float32."""

TEXTS = {
    "layer norms": """
        i = sigmoid(layer_norm(W_i @ x + U_i @ h) * g_i + b_i)
        f = sigmoid(layer_norm(W_f @ x + U_f @ h) * g_f + b_f)
        g = tanh(layer_norm(W_g @ x + U_g @ h))
        o = sigmoid(W_o @ x + U_o @ h + p * c)
        c' = f * c + i * g
        h' = o * tanh(layer_norm(c'))
    """,
    "a norm, and a state passed on": """
        h' = tanh(rms_norm(W @ x + U @ h) * g + U_c @ c)
        c' = h
    """,
    "softmax, and a product of it": """
        a = softmax(W_a @ x + U_a @ h)
        h' = tanh(W @ x + U @ (a * h) * 5)
    """,
    "a product of an intermediate": """
        f = sigmoid(W_f @ x + U_f @ h + b_f)
        h' = (1 - f) * h + f * tanh(W @ x + U @ (f * h) + b)
    """,
    "a vector for a recurrence": "h' = relu(W @ x + u * h + b)",
    "states of several sizes": """
        m : 2*P
        v = tanh(A @ m + W_v @ x)
        h' = tanh(W @ x + U @ h + V @ m)
        m' = 0.5 * m + B @ (v * v) + C @ h'
        y = R @ m' + Q @ h' + k
    """,
    "an output of the new state": """
        y : P
        k = sigmoid(K @ x)
        h' = tanh(W @ x + U @ h)
        c' = 0.9 * c + h' * k
        y = V @ h' + c_y
    """,
    "constants and single numbers": """
        gain : scalar
        leak = 0.3
        s = mean(h) + sum(x) * 0.1
        h' = (1 - leak) * h + leak * tanh(gain * (W @ x) + U @ h + s)
        y = h' * gain
    """,
    "time": """
        decay = exp(-softplus(w) * dt)
        k = tanh(W @ x + U @ (h * decay)) * dt / (1 + dt)
        h' = decay * h + k
    """,
    "transposed matrices": "h' = tanh(W @ x + U.T @ h + V.T @ (A @ h))",
    "comparisons": """
        a = W @ x + U @ h
        h' = where(a > 0.1, max(a, -0.5 * h), hard_tanh(a - b)) / (1 + abs(h))
    """,
    "units alone": """
        z = sigmoid(W_z @ x + u * h + b_z)
        c' = (1 - z) * c + z * (W @ x + b)
        h' = tanh(c') * softplus(w) * dt
        k' = h
    """,
    "the output before the step": "h' = tanh(W @ x + U @ h)\ny = h",
}

CALLS = {
    "plain": {"steps": 9, "batch": 7},
    "one row": {"steps": 9, "batch": 1},
    "many rows": {"steps": 3, "batch": 33},
    "no steps": {"steps": 0, "batch": 3},
    "no rows": {"steps": 3, "batch": 0},
    "one step": {"steps": 1, "batch": 7},
    "lengths": {"steps": 9, "batch": 7, "lengths": [4, 0, 9, 1, 0, 9, 7]},
    "all lengths zero": {"steps": 4, "batch": 2, "lengths": [0, 0]},
    "resets": {"steps": 9, "batch": 7, "resets": True},
    "reverse, with lengths and resets": {
        "steps": 9, "batch": 7, "lengths": [4, 0, 8, 1, 0, 9, 7], "resets": True, "reverse": True,
    },
    "every state": {"steps": 9, "batch": 7, "lengths": [4, 0, 9, 1, 0, 9, 7], "return_states": True},
    "recomputed": {"steps": 9, "batch": 7, "lengths": [4, 0, 9, 1, 0, 9, 7], "resets": True, "recompute": True},
}  # fmt: skip


def make(name: str, dtype: torch.dtype, **constants: float) -> EquationCell:
    """Return a cell of the catalogue or of `TEXTS`, the same numbers every time, none of which fades or explodes."""
    weights = torch.float32 if dtype == torch.bfloat16 else dtype
    if name in CATALOGUE:
        with torch.random.fork_rng(devices=[]):  # some cells hold weights that are drawn once and stay
            torch.manual_seed(3)
            cell = CATALOGUE[name].build(D, H, dtype=weights)
    else:
        sizes = {"proj_size": 6} if "P" in TEXTS[name] else {}
        cell = ostinato.cell(TEXTS[name], D, H, dtype=weights, **sizes, **constants)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in cell.parameters():
            numbers = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(numbers * (parameter.shape[-1] ** -0.5 if parameter.dim() == 2 else 0.5))
    return cell


def random(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return standard normal numbers, the same for the same seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def results(cell: EquationCell, dtype: torch.dtype, engine: str, call: dict) -> dict[str, Tensor]:
    """Return all that a call gives, and all gradients of a fixed weighting of it, by name."""
    steps, batch = call["steps"], call["batch"]
    carried = torch.float32 if dtype == torch.bfloat16 else dtype
    sources = {"x": random(steps, batch, D, seed=1, dtype=dtype)}
    sizes = cell.definition.states
    sources |= {s: random(batch, n, seed=4 + k, dtype=carried) * 0.5 for k, (s, n) in enumerate(sizes.items())}
    options = {k: call[k] for k in ("lengths", "reverse", "return_states") if k in call}
    options |= {"recompute": True} if call.get("recompute") and engine == "native" else {}
    if call.get("resets"):
        options["reset"] = (torch.arange(steps)[:, None] * 3 + torch.arange(batch)) % 5 == 0
    if cell.uses_dt:
        sources["dt"] = random(steps, batch, seed=2, dtype=dtype).abs() + 0.1
    for tensor in sources.values():
        tensor.requires_grad_()
    times = {"dt": sources["dt"]} if cell.uses_dt else {}
    start = cell.definition.pack_state([sources[s] for s in sizes])
    outputs, last, *states = unroll(cell, sources["x"], start, engine=engine, **options, **times)
    made = {"outputs": outputs} | {f"last {s}": t for s, t in zip(sizes, leaves(cell, last), strict=True)}
    for every in states:
        made |= {f"every {s}": t for s, t in zip(sizes, leaves(cell, every), strict=True)}
    loss = sum((t.double() * random(*t.shape, seed=30 + k)).sum() for k, t in enumerate(made.values()))
    sources |= dict(cell.named_parameters())
    gradients = torch.autograd.grad(loss, list(sources.values()), allow_unused=True, materialize_grads=True)
    found = {name: t.detach() for name, t in made.items()}
    return found | {f"gradient of {n}": g for n, g in zip(sources, gradients, strict=True)}


def leaves(cell: EquationCell, state) -> list[Tensor]:
    """Return the tensors of a state in the order of the equations."""
    return list(cell.definition.state_values(state))


def assert_near(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    """Compare tensors by name; differences count relative to the largest number of a tensor, or to 1."""
    assert list(found) == list(expected)
    far = {}
    for name, right in expected.items():
        assert found[name].shape == right.shape, name
        assert found[name].dtype == right.dtype, name
        if right.numel():
            scale = max(1.0, right.abs().max().item())
            difference = (found[name] - right).abs().max().item() / scale
            if not difference <= tolerance:
                far[name] = difference
    assert not far
