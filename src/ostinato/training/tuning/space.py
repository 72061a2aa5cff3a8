"""What a study searches: one setting a line, `name=low..high` or `name=this,that`, as optuna's distributions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args, get_type_hints

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from ostinato._errors import ConfigError
from ostinato.training.config import AnyRun, AnyRunT, override, sections
from ostinato.training.config.documents import unknown

SEARCHED = ("model", "training")
"""Sections a setting may be of: what is learned stays the same, or scores could not be compared."""
FORMS = 'It is written "learning_rate=1e-4..1e-1 log", "hidden_size=32..256 step 32" or "cell=lstm,gru"'
RANGE = re.compile(r"(?P<low>\S+?)\.\.(?P<high>\S+)(?:\s+(?:(?P<log>log)|step\s+(?P<step>\S+)))?")
COMMAS = re.compile(r",(?![^(]*\))")
"""Commas outside parentheses, as those of `normal(0, 1)` are not."""
Space = dict[str, BaseDistribution]


def space(run: AnyRun, lines: Sequence[str]) -> Space:
    """Return what is searched: setting → distribution. Raises ConfigError for a line that says nothing possible.

    >>> from ostinato.training.config import Run
    >>> space(Run(), ["clip_norm=0.1..10 log", "tied=true,false"])["clip_norm"]
    FloatDistribution(high=10.0, log=True, low=0.1, step=None)
    """
    if not lines:
        raise ConfigError("--search", "nothing is searched", FORMS, "Name a setting, and its values")
    found: Space = {}
    for line in lines:
        name, parted, values = (part.strip() for part in line.partition("="))
        if not parted or not values:
            raise _wrong(line, "there are no values")
        if name in found:
            raise _wrong(line, f"{name} is searched twice")
        kind = _kind(run, line, name)
        match = RANGE.fullmatch(values)
        found[name] = _range(line, match, kind) if match else _choices(run, line, name, values)
    return found


def suggested(trial: optuna.Trial, name: str, values: BaseDistribution) -> Any:
    """Return the value that the study's sampler chooses for a trial."""
    if isinstance(values, CategoricalDistribution):
        return trial.suggest_categorical(name, values.choices)
    assert isinstance(values, (FloatDistribution, IntDistribution))
    suggest: Any = trial.suggest_float if isinstance(values, FloatDistribution) else trial.suggest_int
    return suggest(name, values.low, values.high, step=values.step, log=values.log)


def chosen(run: AnyRunT, parameters: dict[str, Any]) -> AnyRunT:
    """Return `run` with the settings of a trial."""
    return override(run, "--search", parameters)


def _kind(run: AnyRun, line: str, name: str) -> tuple[type, ...]:
    """Return the types of the setting that is searched."""
    kinds = {k: v for part in SEARCHED for k, v in get_type_hints(sections(run)[part]).items()}
    if name not in kinds:
        raise unknown(f"--search '{line}'", "setting", name, kinds)
    return get_args(kinds[name]) or (kinds[name],)


def _range(line: str, match: re.Match[str], kind: tuple[type, ...]) -> BaseDistribution:
    """Return a range of numbers, whole ones where the setting is one."""
    number = float if float in kind else int
    if number not in kind:
        raise _wrong(line, "this setting is no number")
    low, high = _number(line, match["low"], number), _number(line, match["high"], number)
    step, log = None if match["step"] is None else _number(line, match["step"], number), match["log"] is not None
    if not low < high:
        raise _wrong(line, f"{low} is not below {high}")
    if log and low <= 0:
        raise _wrong(line, f"a logarithmic range begins above 0, not at {low}")
    if step is not None and not 0 < step <= high - low:
        raise _wrong(line, f"a step of {step} does not fit in")
    if number is int:
        return IntDistribution(int(low), int(high), log=log, step=1 if step is None else int(step))
    return FloatDistribution(low, high, log=log, step=step)


def _number(line: str, text: str, number: type) -> float:
    try:
        return number(text)
    except ValueError:
        raise _wrong(line, f"'{text}' is no {'whole ' * (number is int)}number") from None


def _choices(run: AnyRun, line: str, name: str, values: str) -> BaseDistribution:
    """Return the values to choose from, each of which the setting takes."""
    choices = [value.strip() for value in COMMAS.split(values)]
    if len(set(choices)) < max(2, len(choices)):
        raise _wrong(line, "two different values are the fewest")
    for value in choices:
        override(run, f"--search '{line}'", {name: value})
    return CategoricalDistribution(choices)


def _wrong(line: str, got: str) -> ConfigError:
    return ConfigError(f"--search '{line}'", got, FORMS)
