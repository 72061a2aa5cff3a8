"""The meter: sums read late, and a loss that is no number."""

import math

import pytest
import torch

from ostinato.training.meter import Meter, NonFiniteError, refuse_non_finite


def test_figures_left_earlier_are_summed_when_read():
    meter = Meter()
    meter.add(1, torch.tensor(6.0), 3, torch.tensor(0.5), torch.tensor(False))
    meter.add(2, torch.tensor(2.0), 1, torch.tensor(0.7), torch.tensor(True))
    assert math.isnan(meter.mean)
    meter.read()
    assert (meter.mean, meter.count, meter.norm) == (2.0, 4, pytest.approx(0.7))


def test_a_restart_begins_a_new_mean():
    meter = Meter()
    meter.add(1, torch.tensor(6.0), 3, torch.tensor(0.5), torch.tensor(False))
    meter.read()
    meter.restart()
    assert math.isnan(meter.mean)


def test_the_first_step_that_is_not_finite_is_named():
    meter = Meter()
    meter.add(4, torch.tensor(6.0), 3, torch.tensor(0.5), torch.tensor(False))
    meter.add(5, torch.tensor(6.0), 3, torch.tensor(math.inf), torch.tensor(True))
    meter.add(6, torch.tensor(math.nan), 3, torch.tensor(math.nan), torch.tensor(False))
    with pytest.raises(NonFiniteError, match="step 5: the gradient norm is inf"):
        meter.read()


def test_a_loss_that_is_no_number_is_named():
    meter = Meter()
    meter.add(7, torch.tensor(math.nan), 3, torch.tensor(1.0), torch.tensor(False))
    with pytest.raises(NonFiniteError, match="step 7: the loss is nan"):
        meter.read()


def test_an_infinite_norm_is_no_fault_where_the_loss_is_scaled():
    meter = Meter(check_norm=False)
    meter.add(7, torch.tensor(1.0), 3, torch.tensor(math.inf), torch.tensor(True))
    meter.read()
    assert meter.count == 3


def test_a_validation_that_is_no_number_is_never_the_best():
    with pytest.raises(NonFiniteError, match="step 9: the validation loss is nan"):
        refuse_non_finite(9, "validation loss", math.nan)


def test_clipped_steps_are_counted_over_the_whole_run():
    meter = Meter()
    for step, clipped in enumerate((True, False, True)):
        meter.add(step, torch.tensor(1.0), 1, torch.tensor(0.5), torch.tensor(clipped))
    meter.read()
    meter.restart()
    assert meter.clipped == 2
