"""What the best weights of a tagger reach: figures, a table by tag or type, pictures to look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.data.store import Store
from ostinato.training.metrics.confusion import draw_confusion
from ostinato.training.metrics.labels import table, write_table
from ostinato.training.metrics.spans import Passage, Span, write_spans
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_text
from ostinato.training.supervised.report import finished, parts_of, stem_of
from ostinato.training.tagger.scoring import Tally, in_words, tally

if TYPE_CHECKING:
    from ostinato.training.tagger.trained import TrainedTagger

MOST_ROWS = 20
"""Tags that are shown as a table where a run ends; more are written only."""
HEADING = "Tags: strong where the model is sure, underlined where it is wrong"


def report(trained: TrainedTagger, folder: RunFolder, display: Display) -> dict[str, float]:
    """Write `report/` and return the figures of the test part; those of the validation where there is none."""
    found: dict[str, dict[str, float]] = {}
    seen: Tally | None = None
    for part, name in parts_of(folder):
        seen = tally(trained.model, Store(folder.items / part), trained.schema)
        found[name] = seen.figures()
        display.say(f"{name + ':':<12}{in_words(trained.schema, found[name])} ({seen.items:,} sequences)")
        write_counts(folder.report, name, seen)
        _write_shown(trained, folder, part, name)
    assert seen is not None
    if len(rows := seen.rows()) <= MOST_ROWS:
        display.say(table(rows))
    return finished(folder, display, found)


def judged_lines(trained: TrainedTagger, file: str, folder: Path | None, data: dict[str, Any]) -> list[str]:
    """Score a file and return what to print; tables and pictures go into `folder` where one is given."""
    seen, notes, passages = trained.judge(file, **data)
    lines = [f"{in_words(trained.schema, seen.figures())} ({seen.items:,} sequences)", *notes]
    if len(rows := seen.rows()) <= MOST_ROWS:
        lines.append(table(rows))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        name = stem_of(file)
        write_counts(folder, name, seen)
        write_text(folder / f"{name}-figures.json", json.dumps(seen.figures(), indent=1) + "\n")
        if passages:
            write_spans(folder / f"{name}-tags.html", HEADING, passages, trained.schema.tags)
    return lines


def write_counts(folder: Path, name: str, seen: Tally) -> None:
    """Write a table by tag or type of entity, and the picture of what is taken for what."""
    write_table(folder / f"{name}-classes.csv", seen.rows())
    draw_confusion(folder / f"{name}-confusion.png", *seen.confusion())


def passage(
    place: str, words: Sequence[str], truth: Sequence[str], said: Sequence[str], sure: Sequence[float]
) -> Passage:
    """Return a sentence as it is shown: each word coloured by its tag, underlined where it is wrong."""
    spans = []
    for word, is_, called, share in zip(words, truth, said, sure, strict=True):
        wrong = is_ != called
        note = f"{called} {share:.3f}" + (f", is {is_}" if wrong else "")
        spans += [Span(word, called, share, note, wrong), Span(" ", "", 0.0)]
    return Passage(place, spans)


def _write_shown(trained: TrainedTagger, folder: RunFolder, part: str, name: str) -> None:
    """Write a page of the first sentences of a part."""
    shown = json.loads((folder.items / "shown.json").read_text(encoding="utf-8"))[part]
    if not shown:
        return
    store, names = Store(folder.items / part), [*trained.schema.tags, *trained.schema.others]
    truths = [[names[number] for number in store.read("tags", k)] for k in range(len(shown))]
    answers = trained.predict(words for _, words in shown)
    passages = [
        passage(place, words, truth, answer.tags, answer.confidence)
        for (place, words), truth, answer in zip(shown, truths, answers, strict=True)
    ]
    write_spans(folder.report / f"{name}-tags.html", HEADING, passages, trained.schema.tags)
