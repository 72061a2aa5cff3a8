"""`ostinato train task` and `ostinato train reservoir`, called in this process."""

import json

import pytest
import yaml

SMALL = [
    "--hidden-size", "8", "--length", "8", "--batch-size", "4", "--steps", "6", "--validate-every", "3",
    "--test-sequences", "20", "--threads", "1",
]  # fmt: skip


def test_a_task_is_trained_and_what_was_reached_is_printed(main, folder):
    code, out, err = main("train", "task", "adding", "--cell", "gru", *SMALL)
    assert (code, err) == (0, "")
    assert "Not solved: 6 steps, 24 sequences" in out
    assert "sequences/s" in out
    assert (folder / "runs/adding-gru/config.yaml").exists()


def test_a_solved_task_ends_early(main):
    assert "Solved: 3 steps, 12 sequences" in main("train", "task", "adding", *SMALL, "--goal", "100")[1]


def test_a_run_goes_on(main):
    main("train", "task", "adding", *SMALL, "--out", "runs/a")
    code, out, _ = main("train", "task", "--out", "runs/a", "--resume", "--steps", "9")
    assert code == 0
    assert "from step 6 on" in out
    assert "Not solved: 9 steps" in out


def test_a_cell_of_ones_own_runs(main, folder):
    (folder / "my.eq").write_text("h' = tanh(W @ x + U @ h + b)\n")
    assert main("train", "task", "copying", "--cell", "my.eq", *SMALL)[0] == 0


def test_keywords_and_starts_reach_the_cell(main, folder):
    code, *_ = main(
        "train", "task", "adding", "--cell", "leaky", "--keywords", "leak", "0.25", *SMALL, "--out", "runs/k"
    )
    assert code == 0
    assert "leak: 0.25" in (folder / "runs/k/config.yaml").read_text()


@pytest.mark.parametrize("gradient", ["rtrl", "truncated", "uoro"])
def test_a_gradient_method_is_chosen_by_name(main, folder, gradient):
    code, out, _ = main("train", "task", "adding", "--cell", "mingru", *SMALL, "--gradient", gradient, "--k1", "4")
    assert code == 0
    assert "6 steps, 12 sequences" in out  # of 8 steps, two windows each
    assert f"gradient: {gradient}" in (folder / "runs/adding-mingru/config.yaml").read_text()


def test_a_gradient_method_that_cannot_is_an_error(main):
    code, _, err = main("train", "task", "adding", "--cell", "scrn", *SMALL, "--gradient", "kf-rtrl", "--k1", "4")
    assert code == 2
    assert "Traces need states of one size" in err


def test_clipped_gradients_are_counted_at_the_end(main):
    _, out, _ = main("train", "task", "adding", *SMALL, "--clip", "value", "--clip-value", "1e-9")
    assert "6 of the gradients clipped" in out


def test_a_run_that_clipped_nothing_says_nothing_of_it(main):
    assert "clipped" not in main("train", "task", "adding", *SMALL, "--clip", "none")[1]


def test_the_optimizer_is_set_and_its_rates_by_pattern(main, folder):
    code, *_ = main(
        "train", "task", "adding", *SMALL, "--optimizer", "nadam", "--betas", "0.8", "0.9", "--schedule", "step",
        "--drop-every", "2", "--rates", "recurrent.*.weight_hh", "0.5", "--decays", "outputs.*", "0.1",
    )  # fmt: skip
    assert code == 0
    settings = yaml.safe_load((folder / "runs/adding-lstm/config.yaml").read_text())["training"]
    assert (settings["betas"], settings["rates"]) == ([0.8, 0.9], {"recurrent.*.weight_hh": 0.5})
    lines = [json.loads(line) for line in (folder / "runs/adding-lstm/metrics.jsonl").read_text().splitlines()]
    assert [line["learning_rate"] for line in lines] == [1e-3, 5e-4]


def test_penalties_are_announced_with_what_they_cost(main):
    code, out, _ = main("train", "task", "adding", *SMALL, "--ar", "2", "--omega", "0.5")
    assert code == 0
    assert "adds    ar 2, omega 0.5 to what is learned from; for omega each window is run once more" in out


def test_a_reservoir_is_fitted_and_its_figures_printed(main):
    code, out, err = main(
        "train", "reservoir", "mackey-glass", "--hidden-size", "30", "--steps", "400", "--washout", "100"
    )
    assert (code, err) == (0, "")
    assert "nrmse84" in out


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["task", "ading"], "invalid choice"),
        (["task", "adding", "--cell", "lstn"], "Did you mean 'lstm'?"),
        (["task", "embedded-reber", "--length", "3"], "whole number from 9"),
        (["task", "--clip", "norms"], "invalid choice"),
        (["task", "--momentum", "0.9"], "It is a setting of rmsprop, sgd"),
        (["task", "--schedule", "plateu"], "invalid choice"),
        (["task", "--rates", "recurrent.*.weight_h", "0.1"], "Did you mean 'recurrent.layers.0.0.weight_"),
        (["task", "--clip-value", "0.1"], "It limits --clip value. Add --clip value"),
        (["tusk"], "Did you mean 'task'?"),
    ],
)
def test_what_is_wrong_is_said(main, typed, said):
    code, out, err = main("train", *typed)
    assert code == 2
    assert said in out + err
