"""`ostinato tune`, called in this process."""

import pytest
from command_line import SMALL

pytest.importorskip("optuna", reason="the extra `tune` is not installed")

TASK = [
    "tune", "task", "adding", "--cell", "elman", "--hidden-size", "4", "--length", "8", "--batch-size", "4",
    "--steps", "4", "--validate-every", "2", "--test-sequences", "8", "--threads", "1",
    "--search", "learning_rate=1e-4..1e-1 log",
]  # fmt: skip


def test_a_task_is_tuned_and_the_command_that_is_printed_trains_with_the_best(main, folder):
    code, out, err = main(*TASK, "--trials", "2")
    assert (code, err) == (0, "")
    assert "trial 1 begins: learning_rate" in out
    assert "2 done.\n" in out
    printed = [line.split()[1:] for line in out.splitlines() if line.startswith("  ostinato")]
    assert [line[0] for line in printed] == ["train", "compare"]
    for arguments in printed:
        assert main(*arguments)[0] == 0


def test_a_language_model_is_tuned_by_a_file(main, folder):
    study = "study:\n  search: ['learning_rate=1e-4..1e-2 log', 'cell=elman,irnn']\n  trials: 1\n  pruner: none\n"
    (folder / "study.yaml").write_text(study)
    code, out, _ = main("tune", "language-model", "book.txt", *SMALL, "--config", "study.yaml")
    assert code == 0
    assert "search  learning_rate, cell by tpe, pruner none" in out
    assert (folder / "runs/tune-book/best.yaml").exists()


def test_the_same_command_goes_on(main):
    main(*TASK, "--trials", "1", "--out", "runs/study")
    code, out, _ = main(*TASK, "--trials", "2", "--out", "runs/study", "--sampler", "tpe")
    assert code == 0
    assert "2 trials, 1 are there" in out
    assert "trial 0" not in out.split("trial 1 begins")[0]


def test_a_tuned_recipe_keeps_its_settings(main, folder):
    code, *_ = main(
        "tune", "task", "--search", "cell=gru,elman", "--trials", "1", "--steps", "2", "--test-sequences", "8",
        "--recipe", "gru-adding",
    )  # fmt: skip
    assert code == 0
    assert "length: 150" in (folder / "runs/tune-gru-adding/best.yaml").read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--search", "hidden_sise=1..2"], "Did you mean 'hidden_size'?"),
        (["--trials", "0"], "trials is 0"),
        (["--overwrite"], "a study is not begun anew"),
        (["--sampler", "grid"], "invalid choice"),
        (["--storage", "there"], "this is no URL of a database"),
        (["--pruner", "mean"], "invalid choice"),
        (["--figure", "wring"], "a validation measures no 'wring'"),
    ],
)
def test_what_is_wrong_is_said(main, more, said):
    code, out, err = main(*TASK, *more)
    assert code == 2
    assert said in out + err


def test_nothing_to_search_is_said(main):
    assert "nothing is searched" in main("tune", "task", "adding")[2]
    assert "what to tune?" in main("tune")[2]


def test_a_yaml_list_that_is_none_is_refused_in_words(main, folder):
    (folder / "study.yaml").write_text("study:\n  search: 3\n")
    assert "search is 3. It is a list of texts" in main("tune", "task", "adding", "--config", "study.yaml")[2]
    (folder / "model.yaml").write_text("model:\n  keywords: 3\n")
    assert "keywords is 3. It is names and numbers" in main("train", "task", "adding", "--config", "model.yaml")[2]
