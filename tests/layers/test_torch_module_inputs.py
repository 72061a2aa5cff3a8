"""torch's own module tests: the inputs it ships for RNN, GRU and LSTM, run on ours beside its own."""

import functools

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence
from torch.testing._internal import common_modules
from torch.testing._internal.common_modules import ModuleErrorEnum
from torch.utils import _pytree as pytree

from ostinato import nn

CPU = torch.device("cpu")
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
KINDS = {
    "RNN": functools.partial(common_modules.module_inputs_torch_nn_RNN_GRU, is_rnn=True, with_packed_sequence=True),
    "GRU": functools.partial(common_modules.module_inputs_torch_nn_RNN_GRU, is_rnn=False, with_packed_sequence=True),
    "LSTM": common_modules.module_inputs_torch_nn_LSTM,
}
INFOS = {info.name.removeprefix("nn."): info for info in common_modules.module_db}


def inputs_of(kind, dtype, training=True):
    torch.manual_seed(0)
    return KINDS[kind](INFOS[kind], CPU, dtype, requires_grad=True, training=training)


def is_dense(sample):
    return not isinstance(sample.forward_input.args[0], PackedSequence)


SAMPLES = [(kind, k, is_dense(s)) for kind in KINDS for k, s in enumerate(inputs_of(kind, torch.float64))]
EVERY_INPUT = pytest.mark.parametrize(("kind", "number"), [(kind, k) for kind, k, _ in SAMPLES])
EVERY_DENSE_INPUT = pytest.mark.parametrize(("kind", "number"), [(kind, k) for kind, k, dense in SAMPLES if dense])


def both(kind, sample, dtype, training):
    """Return torch's module and ours with the same weights, in the same mode."""
    arguments = sample.constructor_input
    theirs = getattr(torch.nn, kind)(*arguments.args, **arguments.kwargs, dtype=dtype).train(training)
    ours = getattr(nn, kind)(*arguments.args, **arguments.kwargs, dtype=dtype).train(training)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def run(module, sample):
    """Return (outputs and states, gradients of a fixed weighting of them for inputs, states and weights)."""
    arguments = copy_of(sample.forward_input.args)
    results = module(*arguments)
    leaves = [leaf for leaf in pytree.tree_leaves(plain(arguments)) if leaf.requires_grad]
    outputs = pytree.tree_leaves(plain(results))
    loss = sum(
        (leaf * torch.linspace(-1, 2, leaf.numel(), dtype=leaf.dtype).view(leaf.shape)).sum() for leaf in outputs
    )
    return results, torch.autograd.grad(loss, [*leaves, *module.parameters()])


def copy_of(arguments):
    return pytree.tree_map_only(torch.Tensor, lambda t: t.detach().clone().requires_grad_(t.requires_grad), arguments)


def plain(tree):
    """Replace packed sequences by their data."""
    is_packed = lambda leaf: isinstance(leaf, PackedSequence)  # noqa: E731
    return pytree.tree_map(lambda leaf: leaf.data if is_packed(leaf) else leaf, tree, is_leaf=is_packed)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # said by torch's own
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@DTYPES
@EVERY_INPUT
def test_outputs_states_and_gradients_are_torchs(kind, number, dtype, training):
    sample = inputs_of(kind, dtype, training)[number]
    theirs, ours = both(kind, sample, dtype, training)
    expected, gradients = run(theirs, sample)
    got, own = run(ours, sample)
    assert pytree.tree_structure(plain(got)) == pytree.tree_structure(plain(expected))
    torch.testing.assert_close(pytree.tree_leaves(plain(got)), pytree.tree_leaves(plain(expected)))
    torch.testing.assert_close(own, gradients)


@EVERY_DENSE_INPUT
def test_an_input_without_a_batch_is_a_batch_of_one(kind, number):
    sample = inputs_of(kind, torch.float64)[number]
    _, ours = both(kind, sample, torch.float64, training=True)
    expected = sample.reference_fn(ours, *sample.forward_input.args)
    torch.testing.assert_close(ours(*sample.forward_input.args), expected)


@EVERY_INPUT
def test_it_is_printed_as_torchs(kind, number):
    theirs, ours = both(kind, inputs_of(kind, torch.float64)[number], torch.float64, training=True)
    assert repr(ours) == repr(theirs)


@EVERY_INPUT
def test_gradients_are_those_of_finite_differences(kind, number):
    sample = inputs_of(kind, torch.float64)[number]
    _, ours = both(kind, sample, torch.float64, training=True)
    ours.engine = "eager"
    arguments = copy_of(sample.forward_input.args)
    leaves, structure = pytree.tree_flatten(arguments)

    def call(*leaves):
        return tuple(pytree.tree_leaves(plain(ours(*pytree.tree_unflatten(list(leaves), structure)))))

    if not is_dense(sample):
        packed = arguments[0]

        def call(data):
            return tuple(pytree.tree_leaves(plain(ours(packed._replace(data=data)))))

        leaves = [packed.data.detach().requires_grad_()]
    assert torch.autograd.gradcheck(call, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(call, leaves, fast_mode=True)


@EVERY_INPUT
def test_inputs_may_be_non_contiguous(kind, number):
    sample = inputs_of(kind, torch.float64)[number]
    _, ours = both(kind, sample, torch.float64, training=True)
    spread = pytree.tree_map_only(torch.Tensor, _strided, copy_of(sample.forward_input.args))
    torch.testing.assert_close(plain(ours(*spread)), plain(ours(*sample.forward_input.args)))


def _strided(tensor):
    if tensor.dim() == 0 or tensor.dtype == torch.int64:
        return tensor
    return torch.stack([tensor, tensor], -1)[..., 0]


ERRORS = [
    pytest.param(kind, dtype, error, id=f"{kind}-{dtype}-{number}")
    for kind in KINDS
    for dtype in (torch.float32, torch.float64)
    for number, error in enumerate(
        INFOS[kind].module_error_inputs_func(INFOS[kind], device=CPU, dtype=dtype, requires_grad=False, training=False)
    )
]


@pytest.mark.parametrize(("kind", "dtype", "error"), ERRORS)
def test_errors_are_torchs(kind, dtype, error):
    arguments = error.module_error_input.constructor_input
    if error.error_on == ModuleErrorEnum.CONSTRUCTION_ERROR:
        with pytest.raises(error.error_type, match=error.error_regex):
            getattr(nn, kind)(*arguments.args, **arguments.kwargs)
    else:
        module = getattr(nn, kind)(*arguments.args, **arguments.kwargs)
        with pytest.raises(error.error_type, match=error.error_regex):
            module(*error.module_error_input.forward_input.args)
