"""What the best weights of a translator reach: figures, what is written beside the references, pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.data.store import Store
from ostinato.training.metrics.texts import Texts, in_words
from ostinato.training.pictures.alignments import Hypothesis as Aligned
from ostinato.training.pictures.alignments import alignment_text, draw_alignments
from ostinato.training.pictures.attention import Attention, draw_attention
from ostinato.training.pictures.letters import visible
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_text
from ostinato.training.supervised.record import Table
from ostinato.training.supervised.report import finished, parts_of, stem_of
from ostinato.training.translator.encoding import texts_of
from ostinato.training.translator.scoring import answered, nats_of
from ostinato.training.written.figures import in_words as figures_in_words
from ostinato.training.written.hypotheses import Asked, Hypothesis, text_of

if TYPE_CHECKING:
    from ostinato.training.translator.trained import TrainedTranslator

PICTURES = 4
"""Pairs whose attention is drawn and whose n-best lists are aligned."""
END = "$"
"""What a picture shows for the end of a sequence."""
HEADINGS = ("source", "reference", "written", "score")
QUARTERS = 4
"""Parts by length whose figures are told."""


def report(trained: TrainedTranslator, folder: RunFolder, display: Display) -> dict[str, float]:
    """Write `report/` and return the figures of the test part; those of the validation where there is none."""
    found: dict[str, dict[str, float]] = {}
    for part, name in parts_of(folder):
        found[name] = _of_part(trained, Store(folder.items / part), folder.report, name, display)
    return finished(folder, display, found)


def judged_lines(
    trained: TrainedTranslator, file: str, folder: Path | None, say: Callable[[str], None], **data: Any
) -> list[str]:
    """Score a file and return what to print; what is written of it goes into `folder` where one is given.

    `say` is told what the file was taken for and what was left out of it.
    """
    rows = Table(*HEADINGS)
    texts, notes = trained.judge(file, partial(_add, rows), **data)
    for note in notes:
        say(note)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        rows.write(folder / f"{stem_of(file)}-written.csv")
        write_text(folder / f"{stem_of(file)}-figures.json", json.dumps(texts.figures(), indent=1) + "\n")
    return [f"{in_words(texts.figures())} ({texts.items:,} sequences)", *([texts.signature] if texts.signature else [])]


def _add(rows: Table, source: str, references: list[str], found: list[Hypothesis]) -> None:
    """Add a source and the best that was written of it."""
    rows.add(source, " | ".join(references), text_of(found), f"{found[0].score:.4f}" if found else "")


def _of_part(trained: TrainedTranslator, store: Store, folder: Path, name: str, display: Display) -> dict[str, float]:
    texts, rows, shown, every = (
        Texts(trained.encoder.schema.metrics, lowercase=trained.encoder.target.lowercase),
        Table(*HEADINGS),
        [],
        [],
    )
    asked = Asked(trained.run.search.search())
    for number, found in answered(trained.model, store, trained.encoder, asked):
        source, references = texts_of(store, number)
        texts.add(text_of(found), references)
        _add(rows, source, references, found)
        every.append((len(store.read("source", number)) - 1, text_of(found), references))
        if len(shown) < PICTURES:
            shown.append((number, found))
    figures = {**texts.figures(), **nats_of(trained.model, store, trained.encoder)}
    rows.write(folder / f"{name}-written.csv")
    _by_length(every, list(texts.figures())).write(folder / f"{name}-lengths.csv")
    _draw(trained, store, folder / name, shown)
    display.say(
        f"{name + ':':<12}{figures_in_words(figures)} ({texts.items:,} sequences, beam {trained.run.search.beam})"
    )
    if texts.signature:
        display.say(f"{'':<12}{texts.signature}")
    return figures


def _by_length(every: list[tuple[int, str, list[str]]], names: Sequence[str]) -> Table:
    """Return a table of the figures of quarters of the items, the shortest sources first."""
    every = sorted(every, key=lambda item: item[0])
    ends = [len(every) * part // QUARTERS for part in range(QUARTERS + 1)]
    table = Table("shortest", "longest", "items", *names)
    for first, last in pairwise(ends):
        if last > first:
            texts = Texts(names)
            for _, written, references in every[first:last]:
                texts.add(written, references)
            figures = texts.figures()
            shown = [f"{figures[figure]:.4f}" for figure in names]
            table.add(every[first][0], every[last - 1][0], last - first, *shown)
    return table


def _draw(
    trained: TrainedTranslator, store: Store, beside: Path, shown: Iterable[tuple[int, list[Hypothesis]]]
) -> None:
    """Draw where the model looked while it wrote the first sequences of a part, and how each n-best list is aligned."""
    encoder, examples, lists = trained.encoder, [], []
    for number, found in shown:
        read = [*encoder.source.pieces(store.read("source", number)[:-1]), END]
        best = [
            Aligned([*encoder.target.pieces(each.symbols), END], each.score, each.weights)
            for each in found
            if each.weights is not None
        ]
        if best:
            examples.append(Attention(best[0].weights, read, best[0].symbols))
            lists.append((read, best))
    if examples:
        draw_attention(beside.with_name(f"{beside.name}-attention.png"), examples)
        draw_alignments(beside.with_name(f"{beside.name}-alignments.svg"), *lists[0])
        text = "\n\n".join(f"{' '.join(map(visible, read))}\n{alignment_text(read, best)}" for read, best in lists)
        write_text(beside.with_name(f"{beside.name}-alignments.txt"), text + "\n")
