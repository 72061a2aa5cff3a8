"""Averages of the weights: what they are, when they begin, and that they are what is validated and saved."""

import json

import pytest
import torch
from torch import nn

from ostinato import ConfigError
from ostinato.training.averaging import make_average
from ostinato.training.config import Learning
from ostinato.training.language_model import train_language_model
from ostinato.training.run_folder import read_tensors
from ostinato.training.sequence_task import train_task


class One(nn.Module):
    """A weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


def after(settings: dict, values: list[float], scores: list[float] | None = None):
    """Return the average after steps to these weights, with a validation after each where scores are given."""
    model = One()
    average = make_average(Learning(**settings), model)
    for k, value in enumerate(values):
        model.weight.data.fill_(value)
        average.update()
        if scores:
            average.report(scores[k])
    return average


def shown(average) -> float:
    with average.shown():
        return average.model.weight.item()


def test_without_an_average_the_weights_themselves_are_shown():
    assert shown(after({}, [1.0, 2.0])) == 2.0


def test_a_moving_average_forgets_by_its_decay():
    average = after({"average": "ema", "average_decay": 0.5}, [1.0, 2.0, 4.0])
    assert shown(average) == 0.5 * (0.5 * 1.0 + 0.5 * 2.0) + 0.5 * 4.0


def test_the_weights_come_back_whatever_happens_while_the_average_is_shown():
    average = after({"average": "ema"}, [1.0, 2.0])
    with pytest.raises(KeyboardInterrupt), average.shown():
        raise KeyboardInterrupt
    assert average.model.weight.item() == 2.0


@pytest.mark.parametrize(
    ("scores", "steps", "mean"),
    [
        ([6.0, 5.0, 4.0, 3.0, 2.0, 1.0], 0, 6.0),  # always better: the weights themselves
        ([5.0, 4.0, 4.5, 4.5, 4.6, 4.7], 2, 5.5),  # the fifth is worse than the best of those before the last two
        ([5.0, 6.0, 4.0, 4.5, 4.8, 3.9], 0, 6.0),  # the fifth is worse only than the last two
        ([1.0, 1.5, 1.5, 1.2, 0.4, 0.3], 3, 5.0),  # what has begun goes on
    ],
)
def test_an_average_begins_when_no_score_is_better_than_those_before(scores, steps, mean):
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    average = after({"average": "nt-asgd", "average_patience": 2}, values, scores)
    assert average.figures() == {"averaged_steps": steps}
    assert shown(average) == pytest.approx(mean)


def test_an_average_waits_for_more_scores_than_its_patience():
    average = after({"average": "nt-asgd", "average_patience": 5}, [1.0, 2.0, 3.0, 4.0], [3.0, 2.0, 2.5, 3.5])
    assert average.figures() == {"averaged_steps": 0}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"average": "emma"}, "Did you mean 'ema'?"),
        ({"average": "ema", "average_decay": 1.0}, "--average-decay: average_decay is 1.0. It lies between 0 and 1"),
        ({"average": "nt-asgd", "average_patience": 0}, "--average-patience: average_patience is 0"),
    ],
)
def test_an_average_that_cannot_be_is_refused(settings, said):
    with pytest.raises(ConfigError) as caught:
        make_average(Learning(**settings), One())
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "model", [{"tied": True}, {"cell": "gru", "zoneout": 0.1, "norm": "layer"}, {"precision": "bf16"}]
)
def test_a_run_saves_the_average_and_its_checkpoint_holds_both(tmp_path, text, small, model):
    settings = small | model | {"average": "ema", "average_decay": 0.9, "learning_rate": 0.01}
    outcome = train_language_model(text, out=tmp_path / "run", **settings)
    assert outcome.best_step == 12
    kept, _ = read_tensors(outcome.folder / "state" / "last.safetensors")
    saved, _ = read_tensors(outcome.folder / "model.safetensors")
    assert all(torch.equal(tensor, kept[f"average/module.{name}"]) for name, tensor in saved.items())
    assert not any(torch.equal(tensor, kept[f"model/{name}"]) for name, tensor in saved.items())


def test_the_steps_averaged_are_measured(tmp_path):
    settings = {"length": 8, "hidden_size": 8, "steps": 24, "validate_every": 2, "test_sequences": 20, "threads": 1}
    run = {"out": tmp_path / "run", "progress": False, "average": "nt-asgd", "average_patience": 1}
    train_task("adding", **settings, **run, learning_rate=0.5)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    found = [line["averaged_steps"] for line in lines]
    began = found.count(0)
    assert found[began:] == [3 + 2 * k for k in range(len(found) - began)]
    assert 0 < began < len(found)
