"""Flags of the training loop, through the command line."""

import pytest
from command_line import SMALL

from ostinato.models.language_model import LanguageModel

TRAIN = ["train", "language-model", "book.txt"]


@pytest.fixture
def spoilt(monkeypatch):
    """Make every fifth loss not a number."""
    loss, calls = LanguageModel.loss, []

    def spoilt(model, segment, state=None):
        nats, count, after = loss(model, segment, state)
        calls.append(model.training)
        return (nats * float("nan") if model.training and sum(calls) % 5 == 0 else nats), count, after

    monkeypatch.setattr(LanguageModel, "loss", spoilt)


def test_updates_that_are_not_finite_are_left_out_and_counted_where_asked(main, spoilt):
    code, out, err = main(*TRAIN, *SMALL, "--on-nan", "skip")
    assert (code, err) == (0, "")
    assert "step 5: the loss is nan (" in out
    assert "left out as not finite. To write" in out


def test_without_asking_they_end_the_run(main, spoilt):
    code, _, err = main(*TRAIN, *SMALL)
    assert code == 2
    assert err.startswith("ostinato: step 5: the loss is nan (")


def test_an_update_is_taken_in_groups(main, folder):
    assert main(*TRAIN, *SMALL, "--accumulate", "2")[0] == 0
    assert "accumulate: 2" in (folder / "runs/book/config.yaml").read_text()


def test_more_groups_than_rows_are_refused(main):
    code, _, err = main(*TRAIN, *SMALL, "--accumulate", "5")
    assert code == 2
    assert "--accumulate: 5 groups of 4 rows" in err


def test_what_is_compiled_already_is_said(main):
    code, out, _ = main(*TRAIN, *SMALL, "--compile", "--engine", "vendor")
    assert code == 0
    assert "compile no (vendor is compiled already" in out


def test_a_gradient_that_cannot_be_compiled_is_refused(main):
    code, _, err = main(*TRAIN, *SMALL, "--compile", "--gradient", "rtrl", "--dropout", "0")
    assert code == 2
    assert "--compile: --gradient rtrl" in err
