"""Trials whose worker was killed: found, closed and put back into the queue, to go on from their last checkpoint."""

from __future__ import annotations

import os
import platform
import warnings
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

MOST_TRIES = 3
"""Times a trial is begun; settings that end every worker that tries them are left alone then."""
BOOT, SPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


def this_machine() -> str:
    """Return a name for where processes see each other: the machine since it was started, and the container."""
    boot = BOOT.read_text().strip() if BOOT.exists() else ""
    space = os.readlink(SPACE) if SPACE.is_symlink() else ""
    return " ".join(part for part in (platform.node(), boot, space) if part)


def sign(trial: optuna.Trial) -> None:
    """Write down which process works on the trial."""
    trial.set_user_attr("machine", this_machine())
    trial.set_user_attr("process", os.getpid())


def requeue(study: optuna.Study, trial: FrozenTrial) -> None:
    """Put the settings of a trial that was cut off back into the queue, with the folder of its run."""
    tries = trial.user_attrs.get("tries", 1)
    if tries >= MOST_TRIES or "folder" not in trial.user_attrs:
        return
    kept = {"folder": trial.user_attrs["folder"], "tries": tries + 1}
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING, params=trial.params, distributions=trial.distributions, user_attrs=kept
        )
    )


def requeue_dead(study: optuna.Study) -> None:
    """Close the trials of processes of this machine that are no more, and of any machine that fell silent."""
    here = this_machine()
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.user_attrs.get("machine") == here and not _lives(trial.user_attrs["process"]):
            try:
                study.tell(trial.number, state=TrialState.FAIL)
            except (ValueError, optuna.exceptions.UpdateFinishedTrialError):  # another worker was first
                continue
            requeue(study, trial)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)  # calls `requeue` on each


def _lives(process: int) -> bool:
    """Whether another process of this number runs; this one works on no trial while it asks."""
    if os.name == "nt":  # where asking would end it
        return process != os.getpid()
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, and belongs to somebody else
        return True
    return process != os.getpid()
