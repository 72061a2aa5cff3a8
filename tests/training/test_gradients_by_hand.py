"""`gradients` and `backward_over_time`: any module, any loss on outputs, without a run."""

import pytest
import torch
from torch import nn

from ostinato import GRU, ConfigError, LanguageModel, Recurrent, backward_over_time, gradients
from ostinato.training.gradient import METHODS, Online, RealTime, Truncated

pytestmark = pytest.mark.usefixtures("without_compiler")


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def squared(outputs, targets):
    return (outputs - targets).square().sum()


def layer(cell="gru", **options) -> Recurrent:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Recurrent(cell, 2, 3, **options).double()


class Readout(nn.Module):
    """Somebody's own module: it says nothing of us but how it is called."""

    def __init__(self):
        super().__init__()
        self.inner, self.read = layer(), nn.Linear(3, 2).double()

    def forward(self, inputs, state=None):
        outputs, state = self.inner(inputs, state)
        return self.read(outputs), state


class WithStart(Readout):
    """The same, with what forward methods ask for."""

    def initial_state(self, batch_size):
        return self.inner.initial_state(batch_size)


def plain(module, inputs, targets):
    """Return what autograd alone says."""
    outputs, _ = module(inputs, None)
    wanted = dict(module.named_parameters())
    return dict(zip(wanted, torch.autograd.grad(squared(outputs, targets), list(wanted.values())), strict=True))


@pytest.mark.parametrize("method", ["full", "checkpointed", "rtrl"])
@pytest.mark.parametrize("module", [GRU(2, 3, dtype=torch.float64), layer(), WithStart()], ids=type)
def test_a_cell_a_layer_and_a_module_of_one_s_own(module, method):
    inputs, targets = random(8, 2, 2), random(8, 2, 3 if not isinstance(module, WithStart) else 2, seed=1)
    found = gradients(module, inputs, squared, targets, method=method)
    called = Recurrent(module) if isinstance(module, GRU) else module
    expected = plain(called, inputs, targets)
    assert list(found.of) == [name for name, _ in module.named_parameters()]
    for gradient, wanted in zip(found.of.values(), expected.values(), strict=True):
        torch.testing.assert_close(gradient, wanted)
    torch.testing.assert_close(found.loss.double(), squared(called(inputs, None)[0], targets).detach())


def test_a_module_of_tokens_is_read_by_traces_too():
    model = LanguageModel(5, "indrnn", embedding_size=2, hidden_size=3, num_layers=1).double()
    model.embedding.weight.requires_grad_(False)
    tokens = torch.randint(5, (7, 2), generator=torch.Generator().manual_seed(0))
    full, traces = (gradients(model, tokens, lambda y: y.square().sum(), method=m) for m in ("full", "e-prop"))
    assert "embedding.weight" not in full.of
    for name in full.of:
        torch.testing.assert_close(traces.of[name], full.of[name])


def test_no_grad_changes():
    module = layer()
    kept = [torch.ones_like(p) for p in module.parameters()]
    for p, grad in zip(module.parameters(), kept, strict=True):
        p.grad = grad
    gradients(module, random(4, 1, 2), lambda y: y.sum(), method="truncated", k1=2)
    assert all(p.grad is grad for p, grad in zip(module.parameters(), kept, strict=True))
    with pytest.raises(RuntimeError, match="no"):
        gradients(module, random(4, 1, 2), refusing)
    assert all(p.grad is grad for p, grad in zip(module.parameters(), kept, strict=True))


def refusing(outputs):
    raise RuntimeError("no")


def test_rows_that_begin_anew_have_no_gradient_from_before():
    module, inputs = layer(), random(6, 1, 2)
    reset = torch.tensor([False, False, True, False, False, False])[:, None]
    whole = gradients(module, inputs, lambda y: y.sum(), reset=reset).of
    parts = [gradients(module, piece, lambda y: y.sum()).of for piece in (inputs[:2], inputs[2:])]
    online = gradients(module, inputs, lambda y: y.sum(), reset=reset, method="rtrl").of
    for name in whole:
        torch.testing.assert_close(whole[name], parts[0][name] + parts[1][name])
        torch.testing.assert_close(online[name], whole[name])


@pytest.mark.parametrize("method", ["rtrl", Online(RealTime(), 4)], ids=["by name", "as an object"])
def test_a_stream_goes_on_where_it_stopped(method):
    module, inputs = layer(), random(8, 2, 2)
    whole = gradients(module, inputs, lambda y: y.square().sum())
    first = gradients(module, inputs[:4], lambda y: y.square().sum(), method=method)
    second = gradients(module, inputs[4:], lambda y: y.square().sum(), method=method, state=first.state)
    for name in whole.of:
        torch.testing.assert_close(first.of[name] + second.of[name], whole.of[name])


@pytest.mark.parametrize("method", METHODS)
def test_weights_may_change_after_every_window(method):
    module, inputs, targets = layer("indrnn"), random(12, 2, 2), random(12, 2, 3, seed=1) * 0.1
    optimizer, losses = torch.optim.SGD(module.parameters(), lr=0.03), []
    for _ in range(10):
        updates = 0
        for update in backward_over_time(module, inputs, squared, targets, method=method, k1=3, k2=None):
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(update.loss))
            updates += 1
    if method not in ("randomized", "full", "checkpointed"):
        assert updates == 4
    assert sum(losses[-updates:]) < 0.9 * sum(losses[:updates])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "rtl"}, "Did you mean 'rtrl'"),
        ({"method": "truncated", "k3": 4}, "unknown setting 'k3'"),
        ({"method": "truncated", "k1": "few"}, "k1 is 'few'. It is a whole number"),
        ({"method": "truncated", "k1": 0}, "greater than 0"),
        ({"method": "checkpointed", "memory_budget": -1}, "greater than 0"),
        ({"method": Truncated(2, 2), "k1": 2}, "Give them to the method"),
        ({"inputs": torch.zeros(0, 1, 2)}, "at least one of each"),
        ({"inputs": torch.zeros(3)}, "at least one of each"),
        ({"inputs": torch.zeros(3, 0, 2)}, "at least one of each"),
        ({"inputs": [1.0]}, "a list"),
        ({"module": torch.nn.Linear(2, 2)}, "does not take"),
        ({"targets": torch.zeros(3, 1)}, r"targets: shape \(3, 1\). It begins with \(4, 1\)"),
        ({"loss": lambda y: y}, "takes outputs to one number"),
        ({"loss": lambda y: 1.0}, "takes outputs to one number"),
        ({"module": Recurrent("gru", 2, 3, bidirectional=True), "method": "truncated"}, "two directions"),
        ({"module": Recurrent("gru", 2, 3, batch_first=True)}, "batch_first"),
        ({"module": Readout(), "method": "rtrl"}, "without initial_state"),
        ({"module": WithStart(), "method": "e-prop"}, "layers of cells"),
    ],
)
def test_what_cannot_be_done_is_said(change, message):
    given = {"module": layer(), "inputs": random(4, 1, 2), "loss": lambda y, *z: y.sum(), "targets": None} | change
    with pytest.raises(ConfigError, match=message):
        gradients(**given)


def test_two_directions_have_a_full_gradient():
    module = layer(bidirectional=True)
    inputs, targets = random(5, 2, 2), random(5, 2, 6, seed=1)
    found = gradients(module, inputs, squared, targets).of
    for name, wanted in plain(module, inputs, targets).items():
        torch.testing.assert_close(found[name], wanted)
