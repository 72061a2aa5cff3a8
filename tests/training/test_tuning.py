"""Studies: what is searched is understood, trials are runs, and whoever is killed does no harm."""

import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from postgresql import PASSWORD, server

from ostinato import ConfigError, RunError, train_language_model, tune
from ostinato.training.config import Run
from ostinato.training.sequence_task import train_task

optuna = pytest.importorskip("optuna", reason="the extra `tune` is not installed")

from ostinato.training.tuning.space import chosen, space  # noqa: E402 (it imports optuna)

TASK = {
    "task": "adding", "length": 6, "hidden_size": 4, "batch_size": 4, "steps": 4, "validate_every": 1,
    "test_sequences": 8, "threads": 1, "tracker": "none", "cell": "elman",
}  # fmt: skip
RATE = "learning_rate=1e-4..1e-1 log"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def search(tmp_path, said):
    """Return a function that works on the study of a small task in the folder `study`."""

    def go(**settings):
        return tune("task", out=tmp_path / "study", say=said.append, **{**TASK, "search": [RATE], **settings})

    return go


def trials(folder, url: str | None = None) -> list:
    """Return the trials of a study, as another program reads them."""
    url = url or f"sqlite:///{folder / 'study.db'}"
    storage = optuna.storages.RDBStorage(url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        return optuna.load_study(study_name=folder.name, storage=storage).trials
    finally:
        storage.remove_session()
        storage.engine.dispose()


def metrics(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


# what is searched


@pytest.mark.parametrize(
    ("line", "name", "distribution"),
    [
        (RATE, "learning_rate", optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True)),
        ("dropout = 0..0.5 step 0.1", "dropout", optuna.distributions.FloatDistribution(0.0, 0.5, step=0.1)),
        ("hidden_size=32..256 step 32", "hidden_size", optuna.distributions.IntDistribution(32, 256, step=32)),
        ("k1=1..100 log", "k1", optuna.distributions.IntDistribution(1, 100, log=True)),
        ("clip_norm=.5..2", "clip_norm", optuna.distributions.FloatDistribution(0.5, 2.0)),
        ("cell=lstm, gru", "cell", optuna.distributions.CategoricalDistribution(["lstm", "gru"])),
        ("tied=true,false", "tied", optuna.distributions.CategoricalDistribution(["true", "false"])),
        (
            "initialisers=normal(0.1),orthogonal + chrono(2, 9)", "initialisers",
            optuna.distributions.CategoricalDistribution(["normal(0.1)", "orthogonal + chrono(2, 9)"]),
        ),
    ],
)  # fmt: skip
def test_a_line_says_what_is_searched(line, name, distribution):
    assert space(Run(), [line]) == {name: distribution}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("learning_rat=1..2", "Did you mean 'learning_rate'?"),
        ("file=a,b", "unknown setting 'file'"),
        ("learning_rate", "there are no values"),
        ("learning_rate=", "there are no values"),
        ("learning_rate=1..x", "'x' is no number"),
        ("hidden_size=1.5..9", "'1.5' is no whole number"),
        ("hidden_size=9..1", "9 is not below 1"),
        ("learning_rate=0..1 log", "begins above 0"),
        ("hidden_size=1..9 step 0", "a step of 0 does not fit in"),
        ("hidden_size=1..9 step 10", "a step of 10 does not fit in"),
        ("hidden_size=1..9 lag", "'hidden_size=1..9 lag': two different values are the fewest"),
        ("cell=lstm", "two different values are the fewest"),
        ("cell=lstm,lstm", "two different values are the fewest"),
        ("cell=a..b", "this setting is no number"),
        ("norm=layer,lawyer", "Did you mean 'layer'?"),
        ("hidden_size=8,many", "hidden_size is 'many'"),
    ],
)
def test_a_line_that_says_nothing_possible_is_refused(line, said):
    with pytest.raises(ConfigError) as error:
        space(Run(), [line])
    assert said in str(error.value)


def test_nothing_to_search_and_one_setting_searched_twice_are_refused(search):
    with pytest.raises(ConfigError, match="nothing is searched"):
        search(search=[])
    with pytest.raises(ConfigError, match="searched twice"):
        search(search=[RATE, "learning_rate=1,2"])


def test_chosen_values_are_of_the_settings_own_types():
    run = chosen(Run(), {"tied": "true", "clip_norm": "null", "hidden_size": "32", "cell": "gru"})
    assert (run.model.tied, run.training.clip_norm, run.model.hidden_size, run.model.cell) == (True, None, 32, "gru")


# trials


def test_each_trial_is_a_run_and_the_best_settings_train_to_the_same_score(search, tmp_path):
    tuned = search(trials=3, search=[RATE, "cell=elman,irnn"])
    folders = sorted(tuned.folder.glob("trial-*"))
    scores = [min(line["valid_mse"] for line in metrics(folder)) for folder in folders]
    assert [trial.value for trial in trials(tuned.folder)] == scores
    assert tuned.score == min(scores)
    assert tuned.counts == {"done": 3, "given up": 0, "failed": 0, "running": 0}
    best = yaml.safe_load((tuned.folder / "best.yaml").read_text())
    assert best["training"]["learning_rate"] == tuned.best["learning_rate"]
    flat = {name: value for part in ("task", "model", "training") for name, value in best[part].items()}
    again = train_task(**flat, out=tmp_path / "again", progress=False)
    assert again.best == tuned.score


def test_a_language_model_is_tuned(tmp_path, text, small):
    settings = {k: v for k, v in small.items() if k != "progress"}
    tuned = tune("language-model", out=tmp_path / "study", file=str(text), search=["k1=4..16"], trials=2, **settings)
    best = train_language_model(config_file=tuned.folder / "best.yaml", out=tmp_path / "again", progress=False)
    assert best.best == tuned.score


def test_another_figure_may_be_what_is_to_be_small(search):
    tuned = search(trials=2, figure="wrong")
    scores = [min(line["valid_wrong"] for line in metrics(f)) for f in sorted(tuned.folder.glob("trial-*"))]
    assert [trial.value for trial in trials(tuned.folder)] == scores


def test_a_figure_that_is_not_measured_is_named_with_those_that_are(search):
    with pytest.raises(RunError, match=r"a validation measures no 'wring'. It measures mse, errors, wrong"):
        search(figure="wring")


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_study_in_two_goes_chooses_as_one_in_a_single_go(search, tmp_path, sampler):
    search(trials=2, sampler=sampler)
    search(trials=4, sampler=sampler)
    whole = tune("task", out=tmp_path / "whole", say=str, search=[RATE], trials=4, sampler=sampler, **TASK)
    params = [trial.params for trial in trials(whole.folder)]
    assert [trial.params for trial in trials(tmp_path / "study")] == params
    assert len({str(p) for p in params}) == 4


def test_another_seed_chooses_otherwise(search, tmp_path):
    search(trials=1)
    tune("task", out=tmp_path / "other", say=str, search=[RATE], trials=1, **TASK, seed=1)
    assert trials(tmp_path / "study")[0].params != trials(tmp_path / "other")[0].params


def test_a_trial_behind_the_median_is_given_up(search):
    settings = {"trials": 9, "steps": 8, "validate_every": 2, "search": ["learning_rate=1e-6..0.1 log"]}
    tuned = search(**settings)
    assert tuned.counts["given up"] > 0
    for trial in trials(tuned.folder):
        if trial.state.name == "PRUNED":
            last = max(trial.intermediate_values)
            before = [t for t in trials(tuned.folder)[: trial.number] if t.state.name == "COMPLETE"]
            median = statistics.median(t.intermediate_values[last] for t in before)
            assert min(trial.intermediate_values.values()) > median
            assert len(metrics(tuned.folder / trial.user_attrs["folder"])) == last


def test_without_a_pruner_every_trial_is_whole(search):
    settings = {"trials": 9, "steps": 8, "validate_every": 2, "search": ["learning_rate=1e-6..0.1 log"]}
    assert search(pruner="none", **settings).counts == {"done": 9, "given up": 0, "failed": 0, "running": 0}


def test_settings_that_cannot_be_trained_are_a_failed_trial_with_its_reason(search, said):
    tuned = search(trials=6, search=["hidden_size=-1,4"], sampler="random")
    assert tuned.counts["failed"] + tuned.counts["done"] == 6
    assert tuned.counts["failed"] > 0
    assert any("failed: hidden_size: -1" in line for line in said)
    assert tuned.best == {"hidden_size": "4"}


def test_where_the_first_trials_all_fail_the_study_ends_with_the_reason(search):
    with pytest.raises(RunError, match=r"the first 3 trials failed. hidden_size: -"):
        search(trials=20, search=["hidden_size=-5..-1"])


def test_settings_that_diverge_are_given_up(search):
    tuned = search(trials=6, search=["learning_rate=1e30,0.01"], optimizer="sgd", clip_norm=None, sampler="random")
    assert tuned.counts["failed"] == 0
    assert tuned.counts["given up"] + tuned.counts["done"] == 6
    reasons = [t.user_attrs["reason"] for t in trials(tuned.folder) if t.state.name == "PRUNED"]
    assert reasons
    assert all("step" in reason for reason in reasons)


# going on, and what is refused


def test_a_study_that_has_its_trials_takes_none(search):
    before = search(trials=2)
    assert search(trials=2) == before
    assert len(trials(before.folder)) == 2


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"hidden_size": 5}, "hidden_size is 5 now, the study began with 4"),
        ({"search": ["learning_rate=1..2"]}, "search is"),
        ({"task": "copying"}, "task is copying now"),
    ],
)
def test_a_study_goes_on_with_the_settings_it_began_with(search, other, words):
    search(trials=1)
    with pytest.raises(RunError, match=words):
        search(**other)


def test_workers_may_differ_in_what_changes_no_score(search):
    search(trials=1)
    assert search(trials=2, threads=2, tracker="auto").counts["done"] == 2


def test_a_folder_that_holds_something_else_is_refused(tmp_path, search):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="the folder holds files but no study"):
        search()
    train_task(**TASK, out=tmp_path / "run", progress=False)
    with pytest.raises(RunError, match="a run is there"):
        tune("task", out=tmp_path / "run", search=[RATE], **TASK)
    with pytest.raises(RunError, match="this is a file"):
        tune("task", out=tmp_path / "study" / "notes.txt", search=[RATE], **TASK)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"trials": 0}, "trials is 0"),
        ({"storage": "nonsense"}, "this is no URL of a database"),
        ({"storage": "mysql://host/name"}, "its driver is not installed"),
    ],
)
def test_a_setting_that_is_not_possible_is_refused(search, settings, words):
    with pytest.raises(ConfigError, match=words):
        search(**settings)


def test_an_unknown_kind_of_run_is_refused():
    with pytest.raises(ConfigError, match="Did you mean 'task'"):
        tune("tusk", search=[RATE])


def test_a_database_that_does_not_answer_is_named_without_its_password(search):
    pytest.importorskip("psycopg", reason="the extra `postgresql` is not installed")
    with pytest.raises(RunError, match="the database does not answer") as error:
        search(storage="postgresql://me:secret@127.0.0.1:1/none")
    assert "127.0.0.1:1/none" in str(error.value)
    assert "secret" not in str(error.value)


def test_where_optuna_is_missing_the_extra_is_named(monkeypatch, search):
    for name in [name for name in sys.modules if name.startswith("ostinato.training.tuning.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"Type: pip install 'ostinato\[tune\]'"):
        search()


# workers that are killed

LONG = {"steps": 200, "validate_every": 5}
WORKER = "import sys, json; from ostinato import tune; tune('task', **json.loads(sys.argv[1]))"


@contextmanager
def worker(folder, **settings) -> Iterator[subprocess.Popen]:
    """Start a process that works on the study; it is gone at the end."""
    asked = json.dumps({**TASK, **LONG, "search": [RATE], "out": str(folder), "pruner": "none", **settings})
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([sys.executable, "-c", WORKER, asked], **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(place: Path, pattern: str, process: subprocess.Popen) -> None:
    """Wait until a worker has written something into such a file."""
    deadline = time.monotonic() + 200
    while not any(path.stat().st_size for path in place.glob(pattern)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"{pattern} was never written"
        time.sleep(0.05)


def test_a_killed_worker_s_trial_goes_on_to_the_same_bits(search, tmp_path):
    folder = tmp_path / "study"
    with worker(folder, trials=1) as process:
        wait_for(folder, "trial-0000/metrics.jsonl", process)
    tuned = search(trials=1, pruner="none", **LONG)
    cut, again = trials(folder)
    assert (cut.state.name, again.state.name) == ("FAIL", "COMPLETE")
    assert cut.params == again.params
    assert tuned.counts == {"done": 1, "given up": 0, "failed": 0, "running": 0}
    assert [f.name for f in folder.glob("trial-*")] == ["trial-0000"]
    whole = tune("task", out=tmp_path / "whole", say=str, search=[RATE], trials=1, pruner="none", **TASK | LONG)
    one, other = (f / "trial-0000" / "model.safetensors" for f in (folder, whole.folder))
    assert one.read_bytes() == other.read_bytes()


def test_a_worker_that_is_asked_to_stop_leaves_its_trial_to_go_on(search, tmp_path):
    folder = tmp_path / "study"
    with worker(folder, trials=1) as process:
        wait_for(folder, "trial-0000/metrics.jsonl", process)
        process.send_signal(signal.SIGTERM)
        process.wait(200)
    assert [t.state.name for t in trials(folder)] == ["FAIL", "WAITING"]
    assert search(trials=1, pruner="none", **LONG).counts["done"] == 1


def test_settings_that_kill_every_worker_are_left_alone(search, tmp_path, monkeypatch):
    from ostinato.training.tuning import workers

    study = optuna.create_study(study_name="s")
    for number in range(workers.MOST_TRIES):
        trial = study.ask()
        trial.suggest_float("learning_rate", 0.1, 1.0)
        trial.set_user_attr("folder", trial.user_attrs.get("folder", "trial-0000"))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        workers.requeue(study, study.trials[trial.number])
        waiting = study.get_trials(states=(optuna.trial.TrialState.WAITING,))
        assert len(waiting) == (1 if number + 1 < workers.MOST_TRIES else 0)


# PostgreSQL


@pytest.fixture(scope="module")
def database():
    with server() as url:
        yield url


def test_two_workers_share_a_study_on_postgresql_and_one_that_is_killed_does_no_harm(database, tmp_path):
    one, two = (tmp_path / place / "shared" for place in ("one", "two"))  # they share a database, not a disk
    settings = {"trials": 4, "storage": database, "steps": 60}
    with worker(one, **settings) as killed, worker(two, **settings) as kept:
        wait_for(one, "trial-*/metrics.jsonl", killed)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        said, _ = kept.communicate(timeout=250)
    assert kept.returncode == 0, said
    states = [t.state.name for t in trials(two, database)]
    assert states.count("COMPLETE") == 4
    assert "RUNNING" not in states
    assert len({str(t.params) for t in trials(two, database) if t.state.name == "COMPLETE"}) == 4
    assert PASSWORD not in (two / "study.yaml").read_text() + said


def test_workers_that_begin_at_the_same_moment_find_one_study(database, tmp_path):
    one, two = (tmp_path / place / "together" for place in ("one", "two"))
    settings = {"trials": 2, "storage": database, "steps": 2}
    with worker(one, **settings) as first, worker(two, **settings) as second:
        said = [process.communicate(timeout=250)[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    done = [t for t in trials(one, database) if t.state.name == "COMPLETE"]
    assert 2 <= len(done) <= 3  # one more may begin while the last is counted
    bests = [yaml.safe_load(file.read_text())["training"]["learning_rate"] for file in tmp_path.rglob("best.yaml")]
    assert min(done, key=lambda t: t.value).params["learning_rate"] in bests


def test_a_silent_worker_s_trial_is_done_again_by_another_machine(database, tmp_path, monkeypatch):
    from ostinato.training.tuning import storage, workers

    monkeypatch.setattr(storage, "HEARTBEAT_S", 1)
    monkeypatch.setattr(storage, "GRACE_S", 2)
    monkeypatch.setattr(workers, "this_machine", lambda: "another")
    folder, elsewhere = tmp_path / "silent", tmp_path / "elsewhere" / "silent"
    with worker(folder, trials=1, storage=database) as process:
        wait_for(folder, "trial-0000/metrics.jsonl", process)
    time.sleep(3)
    settings = {**TASK, **LONG, "search": [RATE], "trials": 1, "storage": database, "pruner": "none"}
    assert tune("task", out=elsewhere, say=str, **settings).counts["done"] == 1
    assert [t.state.name for t in trials(elsewhere, database)] == ["FAIL", "COMPLETE"]
