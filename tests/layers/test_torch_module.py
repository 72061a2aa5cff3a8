"""`ostinato.nn` as modules: saved, copied, moved, parametrized, called functionally."""

import copy
import functools
import io
import pickle

import pytest
import torch
from torch.nn.utils import parametrizations
from torch.utils import _pytree as pytree
from torch.utils.checkpoint import checkpoint
from torch_pairs import B, D, H, T, assert_same, every_kind, numbers, pair

from ostinato import nn

X = numbers(T, B, D)


def ours(kind, **options):
    return getattr(nn, kind)(D, H, 2, bidirectional=True, **options)


@every_kind
def test_weights_are_saved_and_loaded_without_pickled_code(kind):
    layer, file = ours(kind), io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = ours(kind)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert_same(other(X), layer(X), rtol=0, atol=0)


@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
@every_kind
def test_it_can_be_pickled_whole(kind, used):
    layer = ours(kind)
    if used:
        layer(X)
    again = pickle.loads(pickle.dumps(layer))
    assert_same(again(X), layer(X), rtol=0, atol=0)


@every_kind
def test_a_deep_copy_shares_nothing(kind):
    layer = ours(kind)
    other = copy.deepcopy(layer)
    assert_same(other(X), layer(X), rtol=0, atol=0)
    torch.nn.init.zeros_(other.weight_hh_l0)
    assert (layer.weight_hh_l0 != 0).any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
@every_kind
def test_it_moves_to_another_type(kind, dtype):
    outputs, _ = ours(kind).to(dtype)(X.to(dtype))
    assert outputs.dtype == dtype


@every_kind
def test_without_gradients_the_numbers_are_the_same(kind):
    layer = ours(kind)
    with torch.no_grad():
        outputs, state = layer(X)
    assert_same((outputs, state), layer(X))
    assert not outputs.requires_grad


@every_kind
def test_inference_mode_runs(kind):
    with torch.inference_mode():
        assert ours(kind)(X)[0].shape == (T, B, 2 * H)


@every_kind
def test_frozen_weights_still_pass_gradients_to_the_inputs(kind):
    x = X.clone().requires_grad_()
    layer = ours(kind).requires_grad_(False)
    layer(x)[0].sum().backward()
    assert (x.grad != 0).any()


@every_kind
def test_functional_call_uses_the_weights_it_is_given(kind):
    layer, other = ours(kind), ours(kind)
    assert_same(torch.func.functional_call(layer, dict(other.named_parameters()), (X,)), other(X))


@every_kind
def test_an_ensemble_runs_under_vmap(kind):
    layers = [ours(kind) for _ in range(3)]
    weights, buffers = torch.func.stack_module_state(layers)
    call = functools.partial(torch.func.functional_call, layers[0])
    got = torch.func.vmap(lambda w, b: call((w, b), (X,))[0])(weights, buffers)
    assert_same(got, torch.stack([layer(X)[0] for layer in layers]), rtol=1e-4, atol=1e-5)


@every_kind
def test_weight_norm_is_seen(kind):
    layer, plain = ours(kind), ours(kind)
    plain.load_state_dict(layer.state_dict())
    parametrizations.weight_norm(layer, "weight_hh_l0")
    assert_same(layer(X), plain(X), rtol=1e-4, atol=1e-5)
    layer.parametrizations.weight_hh_l0.original0.data.mul_(2)
    plain.weight_hh_l0.data.mul_(2)
    assert_same(layer(X), plain(X), rtol=1e-4, atol=1e-5)
    layer(X)[0].sum().backward()
    assert layer.parametrizations.weight_hh_l0.original0.grad is not None


@every_kind
def test_weights_may_be_shared_between_processes(kind):
    layer = ours(kind).share_memory()
    assert all(p.is_shared() for p in layer.parameters())
    assert layer(X)[0].shape == (T, B, 2 * H)


@every_kind
def test_shapes_are_inferred_on_the_meta_device(kind):
    got = ours(kind).to("meta")(X.to("meta"))
    expected = ours(kind)(X)
    assert [s.shape for s in pytree.tree_leaves(got)] == [s.shape for s in pytree.tree_leaves(expected)]


@every_kind
def test_gradients_may_be_recomputed_to_save_memory(kind):
    layer, x = ours(kind), X.clone().requires_grad_()
    outputs, _ = checkpoint(layer, x, use_reentrant=False)
    (gradient,) = torch.autograd.grad(outputs.sum(), x)
    assert_same(gradient, torch.autograd.grad(layer(x)[0].sum(), x)[0])


@every_kind
def test_hooks_are_called(kind):
    seen = []
    layer = ours(kind)
    layer.register_forward_hook(lambda module, given, result: seen.append(result[0].shape))
    layer(X)
    assert seen == [(T, B, 2 * H)]


@every_kind
def test_flattening_parameters_changes_nothing(kind):
    layer = ours(kind)
    before = layer(X)
    layer.flatten_parameters()
    assert_same(layer(X), before, rtol=0, atol=0)


@every_kind
def test_drawing_anew_changes_every_parameter_within_torchs_bound(kind):
    layer = ours(kind)
    before = [p.clone() for p in layer.parameters()]
    layer.reset_parameters()
    assert not any(torch.equal(p, q) for p, q in zip(layer.parameters(), before, strict=True))
    assert max(p.abs().max() for p in layer.parameters()) <= H**-0.5


@every_kind
def test_replacing_a_parameter_is_seen(kind):
    layer = ours(kind)
    before = layer(X)[0]
    layer.weight_hh_l0 = torch.nn.Parameter(torch.zeros_like(layer.weight_hh_l0))
    assert not torch.equal(layer(X)[0], before)


@every_kind
def test_training_steps_are_torchs(kind):
    theirs, own = pair(kind, D, H, 2, bidirectional=True)
    for layer in (theirs, own):
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        layer(X.double())[0].pow(2).sum().backward()
        optimizer.step()
    assert_same(list(own.parameters()), list(theirs.parameters()))
