"""Opens the model of any run: which kind it is stands in its `config.yaml`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from ostinato._errors import RunError
from ostinato.training.config import parse_yaml
from ostinato.training.run_folder import RunFolder

OPENERS = {
    "language-model": ("ostinato.training.trained", "open_language_model"),
    "forecaster": ("ostinato.training.forecaster.trained", "open_forecaster"),
    "classifier": ("ostinato.training.classifier.trained", "open_classifier"),
    "transcriber": ("ostinato.training.transcriber.trained", "open_transcriber"),
    "tagger": ("ostinato.training.tagger.trained", "open_tagger"),
    "captioner": ("ostinato.training.captioner.trained", "open_captioner"),
    "translator": ("ostinato.training.translator.trained", "open_translator"),
}
"""Kind of run → module and function that opens its model."""


def load(folder: Path | str) -> Any:
    """Open the best model of a run: a `TrainedLanguageModel`, `TrainedClassifier`, … by the kind of the run.

    Raises RunError for what is missing, damaged, or of a kind that has no such model.
    """
    module, function = OPENERS[kind_of(folder)]
    return getattr(import_module(module), function)(folder)


def kind_of(folder: Path | str) -> str:
    """Return the kind of the run in a folder, one of `OPENERS`. Raises RunError where there is none."""
    kind = written_kind(folder)
    if not isinstance(kind, str) or kind not in OPENERS:
        raise RunError(str(folder), f"a run of kind {kind!r}", f"Kinds that are opened: {', '.join(OPENERS)}")
    return kind


def written_kind(folder: Path | str) -> Any:
    """Return what the run in a folder says it is, which may be no kind. Raises RunError where there is no run."""
    parts = RunFolder(Path(folder))
    if not parts.is_run():
        parts.read_config()  # which says what is wrong
    try:
        return parse_yaml(str(parts.config), parts.config.read_text(encoding="utf-8")).get("kind")
    except UnicodeDecodeError as error:
        raise RunError(str(parts.config), f"damaged at byte {error.start}", "", "Train anew") from None
