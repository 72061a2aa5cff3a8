"""What each kind of batch holds that units may follow: one function a kind of batch, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.tasks.sequence_task import Sequences
from ostinato.data.units import Units
from ostinato.diagnostics.columns import MOST
from ostinato.inspection.rows import COMMONEST, Rows, number_rows, one_of, symbol_rows
from ostinato.inspection.subject import Subject
from ostinato.models.captioner import Views
from ostinato.models.classifier import Examples
from ostinato.models.forecaster import Stretch
from ostinato.models.tagged import TaggedFrames, TaggedWords
from ostinato.models.transcriber import Utterances
from ostinato.models.translator import NOTHING, Pairs

VECTOR = 8
"""Numbers of a vector that is seen, up to which they are followed."""


def readings(subject: Subject, batch: Any) -> list[Rows]:
    """Return what each network of a model that is no language model reads of a batch."""
    return [*READINGS[type(batch)](subject, batch)]


def _examples(subject: Subject, batch: Examples) -> Iterator[Rows]:
    """Texts or frames with an answer each."""
    trained = subject.trained
    names, targets = trained.schema.labels, batch.targets.numpy(force=True)
    if targets.ndim == 1:
        told = {"whole": one_of(targets, names, "class"), "labels": [names[k] for k in targets]}
    else:
        values = {f"answer {name}": targets[0, :, k].astype(float) for k, name in enumerate(names[:COMMONEST])}
        told = {"whole": values, "labels": [_numbers(row, names) for row in targets[0]]}
    if batch.inputs.dim() == 3:
        yield number_rows("recurrent", "the sequences", batch.inputs, batch.lengths, **told)
    else:
        pieces = _pieces(trained.vocabulary.decoder, batch.inputs, batch.lengths)
        yield symbol_rows("recurrent", "the texts", "symbol", pieces, **told)


def _words(subject: Subject, batch: TaggedWords) -> Iterator[Rows]:
    """Sentences with a tag a word; a word is read off its characters, which know its capitals."""
    characters = ["�", *subject.trained.lexicon.characters]
    letters, spans = batch.letters.numpy(force=True), batch.spans.numpy(force=True)
    pieces = [
        ["".join([" ", *(characters[c] for c in letters[t, k, : spans[t, k]])]) for t in range(length)]
        for k, length in enumerate(_lengths(batch).tolist())
    ]
    yield symbol_rows("recurrent", "the sentences", "word", pieces, **_tags(subject, batch))


def _frames(subject: Subject, batch: TaggedFrames) -> Iterator[Rows]:
    """Sequences of numbers with a tag a step."""
    further = _tags(subject, batch)
    del further["notes"]  # that of a step says its numbers
    yield number_rows("recurrent", "the sequences", batch.inputs, _lengths(batch), **further)


def _tags(subject: Subject, batch: TaggedFrames | TaggedWords) -> dict[str, Any]:
    names, lengths = subject.trained.schema.tags, _lengths(batch)
    numbers = batch.targets[: int(lengths.max())].numpy(force=True)
    notes = [[names[n] if n >= 0 else "no known tag" for n in numbers[:length, k]] for k, length in enumerate(lengths)]
    return {"tracks": one_of(numbers, names, "tag"), "notes": notes}


def _lengths(batch: TaggedFrames | TaggedWords) -> Tensor:
    steps, rows = batch.inputs.shape[:2]
    return batch.inputs.new_full((rows,), steps).long() if batch.lengths is None else batch.lengths


def _stretch(subject: Subject, batch: Stretch) -> Iterator[Rows]:
    """Windows of series: at each step the values before it, what is known of it, and what is to be said."""
    schema, size = subject.trained.schema, len(subject.trained.schema.targets)
    inputs = subject.model.inputs(batch)  # type: ignore[operator]
    known = range(inputs.shape[-1] - schema.known, inputs.shape[-1])
    shown = [*range(size), *known][: max(size, MOST)]  # the last value and what is known ahead, not older values
    cycles = [f"{name} ({part})" for name in schema.cycles for part in ("sine", "cosine")]
    names = [*schema.targets, *schema.covariates, *cycles, *["time since the step before"] * schema.reads_gaps]
    coming = ((batch.inputs - batch.scaling[0]) / batch.scaling[1]).numpy(force=True).astype(float)
    tracks = {f"{name}, to be said": coming[..., k] for k, name in enumerate(schema.targets[:COMMONEST])}
    further = {"tracks": tracks, "neighbours": True}
    yield number_rows("recurrent", "the windows", inputs[..., shown], batch.lengths, names[: len(shown)], **further)


def _pairs(subject: Subject, batch: Pairs) -> Iterator[Rows]:
    """Sources that are read, and targets that are written."""
    encoder = subject.trained.encoder
    yield _side("encoder.recurrent", "the sources", encoder.source, batch.inputs, batch.lengths)
    yield _written(encoder.target, batch.read, batch.right, "the targets")


def _views(subject: Subject, batch: Views) -> Iterator[Rows]:
    """Questions where there are some, and what is written of what is seen."""
    encoder = subject.trained.encoder
    if batch.asked is not None and batch.lengths is not None:
        yield _side("question.recurrent", "the questions", encoder.question, batch.asked, batch.lengths)
    seen = batch.seen.numpy(force=True).astype(float)
    whole = {}
    if encoder.schema.kind == "vector" and seen.shape[-1] <= VECTOR:
        whole = {f"number {k + 1} of what is seen": seen[0, :, k] for k in range(seen.shape[-1])}
    what = "the captions" if batch.asked is None else "the answers"
    yield _written(encoder.target, batch.inputs, batch.right, what, whole=whole)


def _written(units: Units, read: Tensor, right: Tensor, what: str, **further: Any) -> Rows:
    """Return what a decoder reads while it writes: the boundary, then the right symbols."""
    return _side("decoder.recurrent", what, units, read, (right != NOTHING).sum(0), **further)


def _side(network: str, what: str, units: Units, symbols: Tensor, lengths: Tensor, **further: Any) -> Rows:
    return symbol_rows(network, what, "symbol", _pieces(units.decoder, symbols, lengths), **further)


def _utterances(subject: Subject, batch: Utterances) -> Iterator[Rows]:
    """Frames of sound, and what is said in them."""
    model, units = subject.model, subject.trained.encoder.units
    said = [units.decode(row[:n]) for row, n in zip(batch.targets.T, batch.target_lengths, strict=True)]
    lengths = model.steps(batch.lengths)  # type: ignore[operator]
    yield number_rows("recurrent", "the utterances", model.inputs(batch), lengths, labels=said)  # type: ignore[operator]


def _sequences(subject: Subject, batch: Sequences) -> Iterator[Rows]:
    """Sequences of a task, and what it asks for: at steps of each, or once at its end."""
    steps, rows = batch.inputs.shape[:2]
    lengths = batch.inputs.new_full((rows,), steps).long() if batch.lengths is None else batch.lengths
    counted, targets = batch.counted.numpy(force=True), batch.targets.numpy(force=True)
    if targets.ndim == 2:
        asked = one_of(np.where(counted, targets, -1), [*map(str, range(targets.max() + 1))], "to be said: class")
    else:
        values = np.where(counted[..., None], targets, np.nan)
        numbers = range(min(values.shape[-1], COMMONEST))
        asked = {f"to be said{f', number {k + 1}' if len(numbers) > 1 else ''}": values[..., k] for k in numbers}
    last = (lengths - 1).numpy(force=True), np.arange(rows)
    is_whole = bool((counted.sum(0) == 1).all() and counted[last].all())
    whole = {name: track[last] for name, track in asked.items()}
    told: dict[str, Any] = {"whole": whole} if is_whole else {"tracks": asked}
    yield number_rows("recurrent", "the sequences", batch.inputs, lengths, **told)


def _pieces(decoder: Callable[[], Any], symbols: Tensor, lengths: Tensor) -> list[list[str]]:
    """Return the text of each symbol (T, N) of each row."""
    rows = []
    for row, length in zip(symbols.T.tolist(), lengths.tolist(), strict=True):
        reader = decoder()
        rows.append([reader.push(symbol) for symbol in row[:length]])
    return rows


def _numbers(values: NDArray, names: Sequence[str]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in zip(names[:COMMONEST], values, strict=False))


READINGS: dict[type, Callable[[Subject, Any], Iterator[Rows]]] = {
    Examples: _examples,
    TaggedWords: _words,
    TaggedFrames: _frames,
    Stretch: _stretch,
    Pairs: _pairs,
    Views: _views,
    Utterances: _utterances,
    Sequences: _sequences,
}
"""Kind of batch → what is read of it. A language model's are read as one text."""
