"""One trial: a training run with chosen settings, whose validations the study hears of as they come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from ostinato._errors import ConfigError, OstinatoError
from ostinato.training import language_model, sequence_task
from ostinato.training.comparison.runs import read_run
from ostinato.training.comparison.settings import shown
from ostinato.training.config import Run, TaskRun, sections
from ostinato.training.meter import NonFiniteError
from ostinato.training.progress import Figures, Silent
from ostinato.training.run_folder import RunFolder
from ostinato.training.task import Outcome
from ostinato.training.tuning import AnyStudy
from ostinato.training.tuning.space import Space, chosen, suggested
from ostinato.training.tuning.workers import sign


class Failed(Exception):
    """The settings of a trial cannot be trained; the trial holds the reason."""


class Stopped(Exception):
    """A signal cut the trial off."""

    def __init__(self, signal: int):
        super().__init__(signal)
        self.signal = signal


class Trials:
    """Runs the trials of a study that this worker takes; `number` is the last one's."""

    def __init__(self, study: optuna.Study, settings: AnyStudy, searched: Space, say: Callable[[str], None]):
        self.study, self.settings, self.searched, self.say = study, settings, searched, say
        self.number = -1

    def run(self, trial: optuna.Trial) -> float:
        """Train as the sampler says and return the smallest figure. Raises Failed, Stopped or TrialPruned."""
        self.number = trial.number
        parameters = {name: suggested(trial, name, of) for name, of in self.searched.items()}
        begun = trial.user_attrs.get("folder")
        name = begun or f"trial-{trial.number:04}"
        trial.set_user_attr("folder", name)
        sign(trial)
        folder = self.settings.folder / name
        words = ", ".join(f"{key} {shown(value)}" for key, value in parameters.items())
        self.say(f"trial {trial.number} " + (f"goes on in {name}" if begun else "begins") + f": {words}")
        outcome = self._train(trial, settings_of(self.settings, parameters, out=folder, resume=begun is not None))
        if outcome.stopped is not None:
            raise Stopped(outcome.stopped)
        return self._score(trial, folder)

    def _train(self, trial: optuna.Trial, run: Run | TaskRun) -> Outcome:
        display = _Reporting(trial, RunFolder(run.folder).metrics, self.settings.study.figure)
        try:
            return language_model.train(run, display) if isinstance(run, Run) else sequence_task.train(run, display)
        except NonFiniteError as error:  # no mistake, but as bad as settings can be
            trial.set_user_attr("reason", str(error))
            raise optuna.TrialPruned from None
        except OstinatoError as error:
            raise self._failed(trial, str(error)) from None

    def _score(self, trial: optuna.Trial, folder: Path) -> float:
        run = read_run(folder)
        figure = f"valid_{self.settings.study.figure}" if self.settings.study.figure else run.score
        least = run.least(figure or "")
        if least is None:
            raise self._failed(trial, "nothing was measured")
        return least[0]

    @staticmethod
    def _failed(trial: optuna.Trial, reason: str) -> Failed:
        trial.set_user_attr("reason", reason)
        return Failed(reason)


def settings_of(settings: AnyStudy, parameters: dict[str, Any], out: Path | None, resume: bool) -> Run | TaskRun:
    """Return the settings of a run in a study: its own, with those that were chosen."""
    kind = Run if isinstance(settings, Run) else TaskRun
    run = chosen(settings, parameters)
    own: dict[str, Any] = {part: getattr(run, part) for part in sections(kind)}
    return kind(**own, out=out, resume=resume)


class _Reporting(Silent):
    """Tells the study of each validation, and ends the run that its pruner gives up."""

    def __init__(self, trial: optuna.Trial, metrics: Path, figure: str | None):
        self.trial, self.metrics, self.figure = trial, metrics, figure
        self.reported = set(trial.study.trials[trial.number].intermediate_values)

    def validated(self, figures: Figures, scores: dict[str, float], words: str, best: bool, sample: str) -> None:
        """Report the figure under the number of the validation, which a run that goes on counts from its beginning."""
        name = self.figure or next(iter(scores))
        if name not in scores:
            raise ConfigError("--figure", f"a validation measures no '{name}'", f"It measures {', '.join(scores)}")
        number = len(self.metrics.read_text(encoding="utf-8").splitlines())
        self.trial.report(scores[name], number)
        if figures.step < figures.steps and self.trial.should_prune():
            raise optuna.TrialPruned
