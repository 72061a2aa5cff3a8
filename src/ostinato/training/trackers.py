"""Where the figures of a run are sent beside `metrics.jsonl`: TensorBoard where it is installed, others by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import get_available_trackers

from ostinato._errors import ConfigError
from ostinato.training.config import AnyRun, sections
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder

PROJECT = "ostinato"
"""What trackers that keep many runs file them under."""
INSTALLED_AS = {"tensorboard": "'ostinato[tensorboard]'"}
"""What pip calls a tracker, where that is not its name."""


def chosen(asked: str) -> tuple[str | None, str]:
    """Return the tracker of the setting `asked`, or None for none, and why where the choice was ours.

    Raises ConfigError for one asked for by name that is not installed.
    """
    installed = [str(tracker) for tracker in get_available_trackers()]
    if asked == "auto":
        return (
            ("tensorboard", "it is installed") if "tensorboard" in installed else (None, "tensorboard is not installed")
        )
    if asked == "none":
        return None, ""
    if asked not in installed:
        possible = f"Here are {', '.join(['none', *installed])}"
        raise ConfigError(
            "--tracker", f"{asked} is not installed", possible, f"Type: pip install {INSTALLED_AS.get(asked, asked)}"
        )
    return asked, ""


def begin(accelerator: Accelerator, run: Any, folder: RunFolder, step: int, display: Display) -> None:
    """Open the tracker for a run that goes on from `step`, and say where its figures go."""
    name, reason = chosen(run.training.tracker)
    places = folder.metrics.name if name is None else f"{folder.metrics.name} and {name}"
    display.say(f"figures {places}" + (f" ({reason})" if reason else ""))
    if name is None:
        return
    if name == "tensorboard":  # of the settings accelerate would make a run of their own; they stand in config.yaml
        accelerator.init_trackers(folder.tensorboard.name, init_kwargs={name: {"purge_step": step + 1}})
    else:
        accelerator.init_trackers(PROJECT, _settings(run), {name: _named(name, folder)})


def _named(tracker: str, folder: RunFolder) -> dict[str, Any]:
    """Return the keywords by which a tracker calls the run as its folder is called, and writes into it."""
    name, path = folder.path.name, str(folder.path)
    keywords = {
        "wandb": {"name": name, "dir": path},
        "mlflow": {"run_name": name},
        "trackio": {"name": name},
        "swanlab": {"experiment_name": name},
        "clearml": {"task_name": name},
        "dvclive": {"dir": str(folder.path / "dvclive")},
    }
    return keywords.get(tracker, {})


def _settings(run: AnyRun) -> dict[str, Any]:
    """Return every setting as `section/name`, in types that all trackers take."""
    values = {f"{part}/{name}": v for part in sections(run) for name, v in asdict(getattr(run, part)).items()}
    return {name: v if isinstance(v, (bool, int, float, str)) else str(v) for name, v in values.items()}
