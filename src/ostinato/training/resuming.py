"""Going on with a run: what is asked must not contradict what the run began with."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ostinato._errors import RunError
from ostinato.training.config import AnyRun, sections
from ostinato.training.run_folder import RunFolder

MAY_DIFFER = {"epochs", "steps", "sample_length", "device", "threads", "tracker", "on_nan", "accumulate", "compile"}
"""What may be asked otherwise of a run that goes on."""


def refuse_other_settings(asked: AnyRun, saved: AnyRun, folder: RunFolder) -> None:
    """Raise RunError for a setting that contradicts the run's own."""
    for section in sections(saved):
        wanted, written = asdict(getattr(asked, section)), asdict(getattr(saved, section))
        for name in wanted:
            if name not in MAY_DIFFER and not _same(name, wanted[name], written[name]):
                raise RunError(
                    f"{folder.path} [{section}]",
                    f"{name} is {_shown(wanted[name])} now, the run began with {_shown(written[name])}",
                    f"A run goes on with the settings it began with, but {', '.join(sorted(MAY_DIFFER))}",
                    "Leave the setting out, or begin anew with --overwrite",
                )


def refuse_steps_taken(taken: int, steps: int, folder: RunFolder) -> None:
    """Refuse an end that lies behind the run."""
    if taken > steps:
        raise RunError(
            str(folder.path),
            f"the run has taken {taken:,} steps, and is to end after {steps:,}",
            "A run that goes on may take more steps, not fewer",
            "Give more --steps or --epochs, or begin anew with --overwrite",
        )


def _same(name: str, asked: Any, saved: Any) -> bool:
    if name == "file":
        return Path(asked).name == Path(saved).name  # the same text may lie elsewhere now
    return asked == saved or (asked is None and saved is not None)


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, Path) else repr(value)
