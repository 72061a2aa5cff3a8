"""What the page says of how far gradients reach, and of what bounds them."""

import json

import numpy as np
import pytest
from small_runs import trained

from ostinato.diagnostics.flow import Flow
from ostinato.inspection import flow


def test_the_bound_is_that_of_all_steps_of_the_windows(tmp_path):
    found = flow.section(trained(tmp_path, hidden_size=6, num_layers=2, cell="elman"))
    (drawn,) = found.pictures
    for name in ("layer 2: bound by its steps, median", "layer 2: bound η^k"):
        assert name in drawn.svg
    whole, lower, top = json.loads(json.dumps(found.data, allow_nan=False))["after"]
    assert "bound" not in whole
    assert "bound" not in lower
    assert (
        f"At all 40 steps of 2 windows, no step of layer 2 stretches a change by more than η = {top['growth']:.3g}."
        in drawn.caption
    )
    assert "Lower layers have no such bound" in drawn.caption
    assert (np.array(top["median"]) <= np.array(top["bound"]) * (1 + 1e-5)).all()
    assert (np.array(top["bound"]) <= top["growth"] ** np.arange(20) * (1 + 1e-5)).all()


def test_of_a_plain_network_what_its_weights_allow_is_said(tmp_path):
    subject = trained(tmp_path, hidden_size=6, num_layers=1, cell="elman")
    (drawn,) = flow.section(subject).pictures
    allowed = np.linalg.norm(subject.model.recurrent.layers[0][0].U.detach().numpy(), 2)
    assert f"On any data its weights allow at most η = {allowed:.3g}." in drawn.caption
    assert "Lower layers" not in drawn.caption


def bounded(stretch, rows=2):
    return Flow("", 0, False, np.full((3, rows), 0.1), np.full((3, rows), stretch))


@pytest.mark.parametrize(
    ("stretch", "said"),
    [(0.5, "at the far end 25 % of a gradient is the most that can be left"), (1.5, "they do not say that it fades")],
)
def test_what_a_bound_means_is_said(stretch, said):
    words = flow.bound_in_words(bounded(stretch), "sequences", 1, None)
    assert f"At all 6 steps of 2 sequences, no step of the layer stretches a change by more than η = {stretch}" in words
    assert said in words


def test_at_the_far_end_it_is_said_of_every_row():
    found = Flow("", 0, False, np.full((3, 2), 0.1), np.array([[0.5, 0.9]] * 3))
    assert "81 % of a gradient is the most" in flow.bound_in_words(found, "windows", 1, None)


def test_one_row_is_one():
    assert "At all 3 steps of 1 window, no step" in flow.bound_in_words(bounded(0.5, rows=1), "windows", 1, None)


def test_where_there_is_none_the_reason_is_said():
    without = Flow("", 0, False, np.ones((3, 2)))
    assert "set no bound" not in flow.bound_in_words(bounded(0.5), "windows", 1, None)
    assert flow.bound_in_words(without, "windows", 1, None).startswith("Its steps set no bound: it reads again")
