"""An update in groups of rows has the gradient of all rows at once."""

import pytest
import torch

from ostinato import ConfigError
from ostinato.data.lanes import Segment
from ostinato.data.tasks import TASKS
from ostinato.models.language_model import LanguageModel
from ostinato.models.sequence_task import SequenceTaskModel
from ostinato.training.config import Training
from ostinato.training.gradient import DRAWN_TOGETHER, METHODS, Full, in_groups
from ostinato.training.gradient.accumulated import Accumulated, accumulated
from ostinato.training.gradient.method import leaves_of, whole
from ostinato.training.language_model import train_language_model
from ostinato.training.sequence_task import train_task

STEPS = 24
SETTINGS = {"truncated": {"k1": 6, "k2": 9}, "randomized": {"k2": 8, "spacing": 4}}
SPLIT = [name for name in METHODS if name not in DRAWN_TOGETHER]


def taken(groups: int, name: str):
    """Return gradients, losses and states over one reading of five lanes, with weights that stay."""
    torch.manual_seed(3)
    model = LanguageModel(7, "gru", hidden_size=5, num_layers=1, engine="eager").double()
    symbols = torch.randint(0, 7, (STEPS + 1, 5), generator=torch.Generator().manual_seed(1))
    reset = torch.zeros(STEPS, 5, dtype=torch.bool)
    reset[10, 3] = True
    settings = {"k1": 6, **SETTINGS.get(name, {})}
    way = in_groups(Training(gradient=name, accumulate=groups, batch_size=5, **settings))
    state, found = None, []
    for window in way.windows(STEPS, 0):
        model.zero_grad()
        part = slice(window.position, window.position + window.length)
        segment = Segment(symbols[:-1][part], symbols[1:][part], reset[part])
        nats, count, state = way.accumulate(model, segment, window, state, torch.Tensor.backward)
        found += [*(p.grad for p in model.parameters()), nats, torch.tensor(count), *leaves_of(state)]
    return found


@pytest.mark.parametrize("name", SPLIT)
@pytest.mark.parametrize("groups", [2, 5])
def test_groups_give_the_gradient_the_loss_and_the_state_of_all_rows(name, groups):
    for one, other in zip(taken(1, name), taken(groups, name), strict=True):
        # a model takes its loss in float32
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7, check_dtype=False)


def test_rows_with_more_symbols_weigh_more():
    task = TASKS["embedded-reber"](9)
    torch.manual_seed(0)
    model = SequenceTaskModel(task, "gru", hidden_size=6, engine="eager").double()
    drawn = task.draw(5)
    drawn = drawn._replace(inputs=drawn.inputs.double())
    gradients = []
    for way in (Full(), Accumulated(Full(), 3)):
        model.zero_grad()
        way.accumulate(model, drawn, whole(1), None, torch.Tensor.backward)
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-7)


def test_a_gradient_that_was_there_is_added_to():
    model = LanguageModel(7, "gru", hidden_size=5, num_layers=1, engine="eager")
    segment = Segment(torch.zeros(4, 2, dtype=torch.int64), torch.zeros(4, 2, dtype=torch.int64), None)
    way = Accumulated(Full(), 2)
    way.accumulate(model, segment, whole(4), None, torch.Tensor.backward)
    once = [p.grad.clone() for p in model.parameters()]
    way.accumulate(model, segment, whole(4), None, torch.Tensor.backward)
    for parameter, gradient in zip(model.parameters(), once, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient)


@pytest.mark.parametrize("name", DRAWN_TOGETHER)
def test_a_method_that_draws_for_all_rows_at_once_is_refused(name):
    with pytest.raises(ConfigError, match=rf"--accumulate: 2 with --gradient {name}"):
        in_groups(Training(gradient=name, accumulate=2))


@pytest.mark.parametrize(("groups", "said"), [(0, "accumulate is 0"), (-1, "accumulate is -1"), (5, "5 groups of 4")])
def test_groups_that_cannot_be_are_refused(groups, said):
    with pytest.raises(ConfigError, match=said):
        accumulated(Full(), groups, 4)


def test_a_text_is_learned_in_groups_as_at_once(tmp_path, text, small):
    one = train_language_model(text, out=tmp_path / "one", dropout=0.0, **small)
    groups = train_language_model(text, out=tmp_path / "groups", dropout=0.0, accumulate=3, **small)
    assert groups.best == pytest.approx(one.best, abs=1e-6)


def test_a_run_goes_on_in_another_number_of_groups(tmp_path, text, small):
    train_language_model(text, out=tmp_path / "run", **small)
    outcome = train_language_model(out=tmp_path / "run", resume=True, accumulate=2, steps=14, progress=False)
    assert outcome.step == 14


def test_a_task_is_learned_in_groups_as_at_once(tmp_path):
    settings = {"length": 8, "hidden_size": 8, "batch_size": 4, "steps": 6, "test_sequences": 50, "threads": 1}
    one = train_task("adding", out=tmp_path / "one", progress=False, **settings)
    groups = train_task("adding", out=tmp_path / "groups", progress=False, accumulate=4, **settings)
    assert groups.metrics["mse"] == pytest.approx(one.metrics["mse"], abs=1e-6)
