"""The text of a run: checked, its vocabulary learned, its symbols written into the folder; what is validated on."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from ostinato._errors import ConfigError, DataError
from ostinato.data.readers import check_file, documents
from ostinato.data.streams import TokenStream, write_stream
from ostinato.data.vocabulary import Vocabulary
from ostinato.training.config import NOT_GIVEN, Data
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_text

SAY_EVERY_S = 5.0
SHORTEST_LANE = 256
"""Symbols: a lane begins without memory, so a short text is read in few."""


def check_text(file: Path) -> None:
    """Refuse a text that is none. Raises ConfigError or DataError."""
    if file == NOT_GIVEN:
        raise ConfigError("file", "no text was given", "", "Give a file to learn from")
    if RunFolder(file).is_run():
        raise DataError(
            str(file),
            "this is a run folder, not a text",
            "",
            f"To go on with the run: ostinato train language-model --out {shlex.quote(str(file))} --resume",
        )
    check_file(file)


def write_text_of(data: Data, folder: RunFolder, display: Display) -> Vocabulary:
    """Learn the vocabulary and write the tokens of the text into the folder."""
    said_at = time.monotonic()
    validation = _validation(data.validation)
    if isinstance(validation, Path):
        check_file(validation)
    texts = [] if data.tokens == "byte" else documents(data.file, column=data.column, encoding=data.encoding)
    vocabulary = Vocabulary.learn(data.tokens, texts, data.vocabulary_size)
    write_text(folder.tokenizer, vocabulary.to_json())

    def report(done: int, total: int) -> None:
        nonlocal said_at
        if time.monotonic() - said_at > SAY_EVERY_S:
            said_at = time.monotonic()
            display.say(f"reading {data.file.name}: {100 * done // max(1, total)} %")

    write_stream(
        folder.tokens,
        data.file,
        vocabulary,
        column=data.column,
        encoding=data.encoding,
        validation=validation,
        progress=report,
    )
    return vocabulary


def validation_lanes(valid: TokenStream, batch_size: int) -> int:
    """Return in how many lanes the text kept to validate is read."""
    return max(1, min(batch_size, (len(valid) - 1) // SHORTEST_LANE))


def _validation(text: str) -> float | Path:
    try:
        return float(text)
    except ValueError:
        return Path(text)
