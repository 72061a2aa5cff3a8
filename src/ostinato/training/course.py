"""The course of a run whose model and task stand: from its last checkpoint to its end, in one process or several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ostinato._errors import RunError
from ostinato._version import __version__
from ostinato.training import trackers
from ostinato.training.config import AnyRun, to_yaml
from ostinato.training.gradient import State
from ostinato.training.loop import Loop
from ostinato.training.processes import others_lost
from ostinato.training.resuming import refuse_steps_taken
from ostinato.training.run_folder import RunFolder, write_text
from ostinato.training.task import Outcome


def run_to_end(loop: Loop, run: AnyRun, initial: State, announce: Callable[[int], None]) -> Outcome:
    """Go on from the last checkpoint where there is one, write the settings, train; `announce` is told the step.

    `initial` is a state of the model, for its structure. The first process writes; the others, which wait for the
    folder (`loop.accelerator.wait_for_everyone`), are let in when it stands.
    """
    folder = loop.folder
    if folder.last.exists():
        loop.resume(initial)
        refuse_steps_taken(loop.counters.step, loop.total, folder)
    if loop.processes.is_first:
        settings = to_yaml(run, __version__)
        if folder.config.read_text(encoding="utf-8") != settings:
            write_text(folder.config, settings)
        folder.cut_metrics(loop.counters.step)
        loop.accelerator.wait_for_everyone()
    announce(loop.counters.step)
    if loop.compiled is not None:
        loop.display.say(f"compile {loop.compiled}")
    if (count := loop.processes.count) > 1:
        name = f"{loop.task.row_name}s"
        loop.display.say(f"spread  in {count} processes, {loop.training.batch_size // count} {name} each")
    trackers.begin(loop.accelerator, run, folder, loop.counters.step, loop.display)
    try:
        with others_lost(loop.processes, folder.path):
            outcome = loop.fit()
            loop.accelerator.wait_for_everyone()  # none leaves while another still writes
    finally:
        for tracker in loop.accelerator.trackers:
            tracker.finish()
    loop.accelerator.state.destroy_process_group()
    return outcome


def read_written(folder: RunFolder) -> Any:
    """Return the settings that the first process wrote. Raises RunError where its folder cannot be seen from here."""
    if not folder.is_run():
        raise RunError(
            str(folder.path),
            "the first process has made this run folder, and it is not to be seen from here",
            "All processes read one folder",
            "Name one on a disk that all machines share with --out",
        )
    return folder.read_config()
