"""JAX as a contender: `flax.nnx.RNN`, and `lax.scan` over a step by hand; both under `jit`, with all gradients."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

import ostinato
from benchmarks.problem import Problem, Run
from benchmarks.texts import Text, weights


def _layer_norm(a):
    centred = a - a.mean(-1, keepdims=True)
    return centred * lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5)


OPERATIONS = SimpleNamespace(
    sigmoid=jax.nn.sigmoid,
    tanh=jnp.tanh,
    softsign=jax.nn.soft_sign,
    layer_norm=_layer_norm,
    split=lambda a, parts: jnp.split(a, parts, -1),
)
_CELLS = {"GRU": nnx.GRUCell, "LSTM": nnx.OptimizedLSTMCell, "Elman": nnx.SimpleCell}


def start() -> None:
    """Keep JAX to the CPU; it takes as many threads as the process may use cores."""
    jax.config.update("jax_platforms", "cpu")


def scan(text: Text, cell: ostinato.Cell, given: Problem) -> Run:
    """Return `lax.scan` over the step by hand, the products with the input before it."""
    values = {name: jnp.asarray(value.numpy()) for name, value in weights(text, cell).items()}
    states = len(cell.definition.states)

    def outputs(values, inputs):
        zeros = jnp.zeros(inputs.shape[1:], inputs.dtype)

        def step(state, a):
            output, state = text.step(OPERATIONS, a, state, values)
            return state, output

        before = inputs @ values["W"] + values.get("b", 0.0)
        return lax.scan(step, (zeros,) * states, before)[1]

    return _jitted(outputs, values, given)


def flax_rnn(text: Text, cell: ostinato.Cell, given: Problem) -> Run:
    """Return `flax.nnx.RNN` over Flax's own cell of that name, with the same weights."""
    size, batch = cell.hidden_size, given.inputs.shape[1]
    layer = nnx.RNN(_CELLS[text.name](size, size, rngs=nnx.Rngs(0)), time_major=True, rngs=False)
    _set_weights(layer.cell, {name: jnp.asarray(value.numpy()) for name, value in weights(text, cell).items()})
    graph, values = nnx.split(layer, nnx.Param)
    zeros = jnp.zeros((batch, size))
    state = (zeros, zeros) if text.name == "LSTM" else zeros
    return _jitted(lambda values, x: nnx.merge(graph, values)(x, initial_carry=state), values, given)


def _set_weights(cell, values) -> None:
    cell.dense_i.kernel[...], cell.dense_h.kernel[...] = values["W"], values["U"]
    biased = cell.dense_i if cell.dense_i.bias is not None else cell.dense_h
    biased.bias[...] = values["b"]


def _jitted(outputs, values, given: Problem) -> Run:
    inputs, upstream = (jnp.asarray(t.detach().numpy()) for t in (given.inputs, given.upstream))

    def loss(values, inputs):
        result = outputs(values, inputs)
        return (result * upstream).sum(), result

    both = jax.jit(jax.value_and_grad(loss, argnums=(1, 0), has_aux=True))

    def run():
        (_, result), (inputs_gradient, gradients) = jax.block_until_ready(both(values, inputs))
        return result, inputs_gradient, *jax.tree.leaves(gradients)

    return run
