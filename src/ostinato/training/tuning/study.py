"""A study: workers take trials until there are enough, and whoever comes later goes on where the last one ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from ostinato._errors import ConfigError, RunError
from ostinato._version import __version__
from ostinato.training import config
from ostinato.training.comparison.settings import shown
from ostinato.training.run_folder import RunFolder, write_text
from ostinato.training.tuning import AnyStudy, Tuned
from ostinato.training.tuning.choosing import make_pruner, make_sampler
from ostinato.training.tuning.space import space
from ostinato.training.tuning.storage import opened
from ostinato.training.tuning.trials import Failed, Stopped, Trials, settings_of
from ostinato.training.tuning.workers import requeue, requeue_dead

FREE = {"study": ("trials", "storage"), "training": ("device", "threads", "tracker")}
"""Settings in which the workers of a study may differ, and in which it may go on otherwise."""
FIRST_FAILURES = 3
"""Failures from the first trial on that end a study: then it is not the chosen values that are wrong."""


def work(settings: AnyStudy, say: Callable[[str], None]) -> Tuned:
    """Take trials until the study has as many as it is to have, or a signal asks to stop."""
    folder = settings.folder
    config.refuse_two_ways(settings)
    if settings.overwrite:
        raise ConfigError("--overwrite", "a study is not begun anew", "It goes on", "Name another folder with --out")
    config.above_zero("trials", settings.study.trials)
    searched = space(settings, settings.study.search)
    _make_folder(folder)
    with _quiet(), opened(settings.study.storage, folder, requeue) as storage:
        study = _open(settings, folder, storage)
        requeue_dead(study)
        say(_begun(study, settings))
        trials = Trials(study, settings, searched, say)
        stopped = None
        while stopped is None and len(_taken(study)) < settings.study.trials:
            stopped = _take_one(study, trials, settings, say)
        return _tuned(study, settings, stopped)


def _take_one(study: optuna.Study, trials: Trials, settings: AnyStudy, say: Callable[[str], None]) -> int | None:
    """Run a trial; return the signal that cut it off, after which it waits to go on."""
    try:
        study.optimize(trials.run, n_trials=1, catch=(Failed,))
    except (Stopped, KeyboardInterrupt) as stop:
        requeue(study, study.trials[trials.number])
        if isinstance(stop, KeyboardInterrupt):
            raise
        return stop.signal
    say(_ended(study, study.trials[trials.number]))
    _write_best(study, settings)
    _refuse_hopeless(study)
    requeue_dead(study)
    return None


def _open(settings: AnyStudy, folder: Path, storage: RDBStorage) -> optuna.Study:
    """Return the study of this name, begun now or before. Raises RunError where it was begun with other settings."""
    study = optuna.create_study(
        study_name=folder.name,
        storage=storage,
        sampler=make_sampler(settings.study.sampler, settings.training.seed),
        pruner=make_pruner(settings.study.pruner),
        load_if_exists=True,
    )
    if "settings" not in study.user_attrs:
        study.set_user_attr("settings", _text(settings))
    _refuse_other_settings(study.user_attrs["settings"], settings)
    write_text(folder / "study.yaml", _text(settings))
    return study


def _make_folder(folder: Path) -> None:
    """Make the folder of the study. Raises RunError where something else is there."""
    if folder.exists() and not folder.is_dir():
        raise RunError(str(folder), "this is a file", "A study is a folder", "Name another with --out")
    foreign = folder.is_dir() and any(folder.iterdir()) and not (folder / "study.yaml").exists()
    if foreign and not (folder / "study.db").exists():
        what = "a run is there" if RunFolder(folder).is_run() else "the folder holds files but no study"
        raise RunError(str(folder), what, "", "Name another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)


def _text(settings: AnyStudy) -> str:
    """Return the settings as YAML, without the storage, whose URL may hold a password."""
    return config.to_yaml(replace(settings, study=replace(settings.study, storage=None)), __version__)


def _refuse_other_settings(begun: str, settings: AnyStudy) -> None:
    """Raise RunError for a setting other than the one the study began with."""
    before, now = (config.parse_yaml("study.yaml", text) for text in (begun, _text(settings)))
    if before["kind"] != now["kind"]:
        raise RunError(str(settings.folder), f"this is a study of `ostinato tune {before['kind']}`", "", "Use --out")
    for part in config.sections(settings):
        for name, value in now[part].items():
            old = before[part].get(name)
            same = Path(str(value)).name == Path(str(old)).name if name == "file" else value == old
            if name not in FREE.get(part, ()) and not same:
                got = f"{name} is {shown(value)} now, the study began with {shown(old)}"
                advice = "Type the command it began with, or name another folder with --out"
                raise RunError(f"{settings.folder} [{part}]", got, "Its trials could not be compared", advice)


def _taken(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that count: ended by themselves, or at work. What was cut off is done again."""
    running = TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED
    return [t for t in study.get_trials(deepcopy=False) if t.state in running or "reason" in t.user_attrs]


def _refuse_hopeless(study: optuna.Study) -> None:
    failed = [trial for trial in _taken(study) if trial.state == TrialState.FAIL]
    if len(failed) >= FIRST_FAILURES and len(failed) == len(_taken(study)):
        raise RunError("tune", f"the first {len(failed)} trials failed", failed[-1].user_attrs["reason"])


def _begun(study: optuna.Study, settings: AnyStudy) -> str:
    names = ", ".join(line.partition("=")[0].strip() for line in settings.study.search)
    counted = len(_taken(study))
    return "\n".join(
        [
            f"study   {settings.folder}: {settings.study.trials} trials"
            + (f", {counted} are there" if counted else ""),
            f"search  {names} by {settings.study.sampler}, pruner {settings.study.pruner}",
        ]
    )


def _ended(study: optuna.Study, trial: FrozenTrial) -> str:
    """Return the line that says how a trial ended."""
    label = f"trial {trial.number}"
    if trial.state == TrialState.FAIL:
        return f"{label} failed: {trial.user_attrs['reason']}"
    best = _best(study)
    if trial.state == TrialState.PRUNED:
        reason = trial.user_attrs.get("reason", f"validation {max(trial.intermediate_values, default=0)} was behind")
        return f"{label} given up: {reason}"
    assert best is not None
    mark = "the best so far" if best.number == trial.number else f"the best is {best.value:.6g} of trial {best.number}"
    return f"{label} reached {trial.value:.6g}, {mark}"


def _best(study: optuna.Study) -> FrozenTrial | None:
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return min(done, key=lambda trial: (trial.value, trial.number), default=None)


def _write_best(study: optuna.Study, settings: AnyStudy) -> None:
    best = _best(study)
    if best is not None:
        run = settings_of(settings, best.params, out=None, resume=False)
        write_text(settings.folder / "best.yaml", config.to_yaml(run, __version__))


def _tuned(study: optuna.Study, settings: AnyStudy, stopped: int | None) -> Tuned:
    _write_best(study, settings)
    best = _best(study)
    states = Counter(trial.state for trial in _taken(study))
    names = {"done": TrialState.COMPLETE, "given up": TrialState.PRUNED, "failed": TrialState.FAIL}
    counts = {name: states[state] for name, state in {**names, "running": TrialState.RUNNING}.items()}
    return Tuned(
        settings.folder, None if best is None else best.params, None if best is None else best.value, counts, stopped
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave what is to be said to us: optuna logs every trial."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
