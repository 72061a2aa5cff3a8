"""What models that write refuse of how they learn, before anything is read."""

from __future__ import annotations

from ostinato._errors import ConfigError
from ostinato.training.config.searching import WriterLearning


def check_learning(training: WriterLearning, model: str, whole: str) -> None:
    """Raise ConfigError for what `model` ("A translator") does not learn by; `whole` says why gradients are full."""
    if training.gradient != "full":
        got = f"{training.gradient} was given"
        raise ConfigError("gradient", got, f"{model} {whole}: full", "Leave it out")
    if training.feedback != "teacher":
        got = f"{training.feedback} was given"
        raise ConfigError("feedback", got, f"{model} learns from right symbols", "Leave it out")
    if not 0 <= training.label_smoothing < 1:
        raise ConfigError("label_smoothing", f"{training.label_smoothing}", "A share from 0 to below 1")
