"""What the best weights of a captioner reach: figures, what is written beside the references, captioned images."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from ostinato.training.captioner.encoding import Items
from ostinato.training.captioner.questions import Questions
from ostinato.training.captioner.scoring import answered, nats_of
from ostinato.training.metrics.texts import Texts, in_words
from ostinato.training.pictures.regions import Captioned, draw_regions
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_text
from ostinato.training.supervised.record import Table
from ostinato.training.supervised.report import finished, parts_of, stem_of
from ostinato.training.written.figures import in_words as figures_in_words
from ostinato.training.written.hypotheses import Asked, Hypothesis, text_of

if TYPE_CHECKING:
    from ostinato.training.captioner.trained import TrainedCaptioner

PICTURES = 4
"""Images of a part that are drawn with their captions."""
HEADINGS = ("item", "question", "reference", "written", "score")
LONGEST_TITLE = 160
"""Characters of a caption above its image."""


def report(trained: TrainedCaptioner, folder: RunFolder, display: Display) -> dict[str, float]:
    """Write `report/` and return the figures of the test part; those of the validation where there is none."""
    found: dict[str, dict[str, float]] = {}
    for part, name in parts_of(folder):
        found[name] = _of_part(trained, Items(folder.items, part, trained.encoder), folder.report, name, display)
    return finished(folder, display, found)


def judged_lines(
    trained: TrainedCaptioner, file: str, folder: Path | None, say: Callable[[str], None], **data: Any
) -> list[str]:
    """Score a file and return what to print; what is written of it goes into `folder` where one is given.

    `say` is told what the file was taken for and what was left out of it.
    """
    rows, questions = Table(*HEADINGS), Questions(lowercase=trained.encoder.target.lowercase)
    texts, nats, notes = trained.judge(file, partial(_add, rows, questions), **data)
    for note in notes:
        say(note)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        name = stem_of(file)
        rows.write(folder / f"{name}-written.csv")
        questions.write(folder / f"{name}-questions.csv")
        write_text(folder / f"{name}-figures.json", json.dumps({**texts.figures(), "nats": nats}, indent=1) + "\n")
    figures = f"{in_words(texts.figures())}, {nats:.4f} nats a symbol ({texts.items:,} items)"
    return [figures, *([texts.signature] if texts.signature else []), *questions.lines()]


def _add(
    rows: Table, questions: Questions, name: str, question: str | None, references: list[str], found: list[Hypothesis]
) -> None:
    """Add an item and the best that was written of it."""
    score = f"{found[0].score:.4f}" if found else ""
    rows.add(name, question or "", " | ".join(references), text_of(found), score)
    questions.add(question, text_of(found), references)


def _of_part(trained: TrainedCaptioner, items: Items, folder: Path, name: str, display: Display) -> dict[str, float]:
    lowercase = trained.encoder.target.lowercase
    texts, rows = Texts(trained.encoder.schema.metrics, lowercase=lowercase), Table(*HEADINGS)
    questions = Questions(lowercase=lowercase)
    for number, found in answered(trained.model, items, Asked(trained.run.search.search())):
        question, references = items.texts(number)
        texts.add(text_of(found), references)
        _add(rows, questions, str(number + 1), question, references, found)
        if number < PICTURES and found and trained.encoder.schema.kind == "image":
            _draw(trained, items, number, found[0], folder / f"{name}-{number + 1}.png")
    figures = {**texts.figures(), **nats_of(trained.model, items)}
    rows.write(folder / f"{name}-written.csv")
    questions.write(folder / f"{name}-questions.csv")
    display.say(f"{name + ':':<12}{figures_in_words(figures)} ({texts.items:,} items, beam {trained.run.search.beam})")
    for line in [*([texts.signature] if texts.signature else []), *questions.lines()]:
        display.say(f"{'':<12}{line}")
    return figures


def _draw(trained: TrainedCaptioner, items: Items, number: int, best: Hypothesis, path: Path) -> None:
    """Draw an image with what was written of it, and where each word looked."""
    question, references = items.texts(number)
    weights = best.weights
    if weights is not None:
        side = trained.model.seer.encoder.side
        weights = weights[: len(best.symbols)].reshape(-1, side, side)
    asked = f"{question} " if question else ""
    title = f"{asked}{best.text}" + ("" if best.text in references else f" (right: {references[0]})")
    words = [piece.strip() or piece for piece in trained.encoder.target.pieces(best.symbols)]
    title = shorten(title, LONGEST_TITLE, placeholder=" …")
    draw_regions(path, Captioned(items.seen(number), words, weights if words else None, title))
