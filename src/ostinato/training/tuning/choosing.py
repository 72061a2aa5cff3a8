"""How the next settings are chosen, and when a trial is given up."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

FIRST_WHOLE = 5
"""Trials that are never given up: there is no median before."""
FIRST_VALIDATIONS = 2
"""Validations of a trial after which it is not given up yet."""


def make_sampler(name: str, seed: int) -> BaseSampler:
    """Return the sampler of this name."""
    return SeededByTrial({"tpe": TPESampler, "random": RandomSampler}[name], seed)


def make_pruner(name: str) -> BasePruner:
    """Return the pruner of this name."""
    return MedianPruner(FIRST_WHOLE, FIRST_VALIDATIONS + 1) if name == "median" else NopPruner()


class SeededByTrial(BaseSampler):
    """A sampler that is made anew for each trial, from the seed and the trial's number.

    So two workers never choose alike, and a study that goes on chooses as if it had never stopped.
    """

    def __init__(self, kind: type[TPESampler] | type[RandomSampler], seed: int):
        self._kind, self._seed = kind, seed
        self._inner: BaseSampler = kind(seed=seed % 2**32)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Make the sampler of this trial."""
        self._inner = self._kind(seed=(self._seed * 1_000_003 + trial.number) % 2**32)
        self._inner.before_trial(study, trial)

    def after_trial(self, study: optuna.Study, trial: FrozenTrial, state: Any, values: Any) -> None:
        """Pass on how the trial ended."""
        self._inner.after_trial(study, trial, state, values)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return what is chosen together."""
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Choose what is chosen together."""
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Choose one setting by itself."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)
