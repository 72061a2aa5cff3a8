"""What the best weights of a classifier reach: figures, a table by class, pictures to look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.data.store import Store
from ostinato.training.classifier.encoding import ClassifierSchema
from ostinato.training.classifier.scoring import in_words, tally
from ostinato.training.metrics.confusion import draw_confusion
from ostinato.training.metrics.labels import table, write_table
from ostinato.training.metrics.spans import Passage, Span, write_spans
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_text
from ostinato.training.supervised.report import finished, parts_of, stem_of

if TYPE_CHECKING:
    from ostinato.training.classifier.trained import TrainedClassifier

MOST_ROWS = 20
"""Classes that are shown as a table where a run ends; more are written only."""
PASSAGES, LONGEST_PASSAGE = 30, 200
"""Texts whose scores step by step are shown, and the most steps of one."""


def report(trained: TrainedClassifier, folder: RunFolder, display: Display) -> dict[str, float]:
    """Write `report/` and return the figures of the test part; those of the validation where there is none."""
    found: dict[str, dict[str, float]] = {}
    counts: Any = None
    for part, name in parts_of(folder):
        seen = tally(trained.model, Store(folder.items / part), trained.schema)
        found[name], counts = seen.figures(), seen.counts
        display.say(f"{name + ':':<12}{in_words(trained.schema, found[name])} ({seen.items:,} sequences)")
        write_counts(folder.report, name, trained.schema, counts)
    if trained.schema.inputs == "symbols" and trained.schema.answer == "label":
        write_steps(trained, folder)
    if trained.schema.answer != "numbers" and len(trained.schema.labels) <= MOST_ROWS:
        display.say(table(counts.rows()))
    return finished(folder, display, found)


def judged_lines(
    trained: TrainedClassifier, file: str, folder: Path | None, data: dict[str, Any], say: Callable[[str], None]
) -> list[str]:
    """Score a file and return what to print; tables and pictures go into `folder` where one is given.

    `say` is told what the file was taken for, what was left out of it and cut.
    """
    figures, counts, notes = trained.judge(file, **data)
    for note in notes:
        say(note)
    lines = [f"{in_words(trained.schema, figures)} ({figures['items']:,} sequences)"]
    if trained.schema.answer != "numbers" and len(trained.schema.labels) <= MOST_ROWS:
        lines.append(table(counts.rows()))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_counts(folder, stem_of(file), trained.schema, counts)
        write_text(folder / f"{stem_of(file)}-figures.json", json.dumps(figures, indent=1) + "\n")
    return lines


def write_counts(folder: Path, name: str, schema: ClassifierSchema, counts: Any) -> None:
    """Write a table by class, and the picture of what is taken for what."""
    if schema.answer == "numbers":
        return
    write_table(folder / f"{name}-classes.csv", counts.rows())
    if schema.answer == "label":
        draw_confusion(folder / f"{name}-confusion.png", counts.counts, schema.labels)


def write_steps(trained: TrainedClassifier, folder: RunFolder) -> None:
    """Write a page of validation texts, each symbol coloured by what the model would answer if the text ended there."""
    store = Store(folder.items / "valid")
    passages = [_passage(trained, store, k) for k in range(min(PASSAGES, len(store)))]
    write_spans(folder.report / "steps.html", "The answer after each symbol", passages, trained.schema.labels)


def _passage(trained: TrainedClassifier, store: Store, number: int) -> Passage:
    assert trained.vocabulary is not None
    labels, symbols = trained.schema.labels, store.read("inputs", number)
    shown = symbols[:LONGEST_PASSAGE]
    # texts of two directions cannot be read on: each beginning is read as a text of its own
    scores = trained.scores([symbols[: k + 1] for k in range(len(shown))]).softmax(-1)
    best, leading = (part.tolist() for part in scores.max(-1))
    spans = [
        Span(trained.vocabulary.decode([symbol]) or "\N{REPLACEMENT CHARACTER}", labels[label], score)
        for symbol, label, score in zip(shown, leading, best, strict=True)
    ]
    truth = labels[int(store.read("target", number)[0])]
    return Passage(f"is {truth}, called {labels[leading[-1]] if spans else '-'}", spans)
