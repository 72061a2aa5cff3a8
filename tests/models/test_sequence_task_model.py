"""The model of synthetic tasks: what it gives, what it counts, and how it is scored."""

import pytest
import torch

from ostinato.data.tasks import TASKS
from ostinato.models.sequence_task import SequenceTaskModel, score


def made(name: str, length: int, cell="gru", **values):
    torch.manual_seed(0)
    model = SequenceTaskModel(TASKS[name](length), cell, hidden_size=6, **values)
    return model, model.task.draw(20, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_loss_whose_gradient_reaches_all_parameters(name):
    model, sequences = made(name, TASKS[name].least_length + 20)
    loss, count, _ = model.loss(sequences)
    (loss / count).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_the_loss_is_that_of_the_outputs_that_count():
    model, sequences = made("temporal-order", 20)
    outputs, _ = model(sequences.inputs, lengths=sequences.lengths)
    last = outputs[sequences.lengths - 1, torch.arange(20)]
    wanted = torch.nn.functional.cross_entropy(last, sequences.targets[-1], reduction="sum")
    found, count, _ = model.loss(sequences)
    assert count == 20
    torch.testing.assert_close(found, wanted)


def test_outputs_may_see_the_inputs():
    model, sequences = made("noise-free-lag", 5, direct=True)
    assert model.outputs.in_features == 6 + 6
    assert model(sequences.inputs)[0].shape == (5, 20, 6)


@pytest.mark.parametrize("name", ["adding", "embedded-reber", "copying-bits"])
def test_scoring_in_groups_changes_nothing(name):
    model, sequences = made(name, 50)
    assert score(model, sequences, at_once=7) == pytest.approx(score(model, sequences), rel=1e-6)


def test_scores_are_shares_of_outputs_and_of_sequences():
    model, sequences = made("copying-bits", 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.outputs.bias.fill_(-1.0)  # says zero always
    ones = sequences.targets[sequences.counted]
    found = score(model, sequences)
    assert found["errors"] == pytest.approx(float(ones.mean()))
    assert (found["wrong"], found["sequences"]) == (1.0, 20)
