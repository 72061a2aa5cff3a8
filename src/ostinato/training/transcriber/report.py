"""What the best weights of a transcriber reach: figures, and what is written beside what was said."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray

from ostinato.data.store import Store
from ostinato.models.ctc import CtcHead
from ostinato.training.devices import device_of, move
from ostinato.training.pictures.sounds import Emission, Sound, draw_sound
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_text
from ostinato.training.supervised.record import Table
from ostinato.training.supervised.report import finished, parts_of, stem_of
from ostinato.training.transcriber.encoding import text_of, together
from ostinato.training.transcriber.scoring import in_words, tally
from ostinato.training.transcriber.searching import Asked, Hypothesis, asked_of

if TYPE_CHECKING:
    from ostinato.training.transcriber.trained import TrainedTranscriber

HEADINGS = ("said", "written", "score")
PICTURES = 4
"""Utterances that are drawn."""


def report(trained: TrainedTranscriber, folder: RunFolder, display: Display) -> dict[str, float]:
    """Write `report/` and return the figures of the test part; those of the validation where there is none.

    They are those of the run's own search; those of the best path stand beside them.
    """
    found: dict[str, dict[str, float]] = {}
    for part, name in parts_of(folder):
        found[name] = _of_part(trained, Store(folder.items / part), folder, name, display)
    return finished(folder, display, found)


def judged_lines(
    trained: TrainedTranscriber, file: str, folder: Path | None, say: Callable[[str], None], **data: Any
) -> list[str]:
    """Score a file and return what to print; what is written of it goes into `folder` where one is given.

    `say` is told what the file was taken for and what was left out of it.
    """
    table = Table(*HEADINGS)
    seen, notes = trained.judge(file, partial(_add, table), **data)
    for note in notes:
        say(note)
    figures = seen.figures()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        name = stem_of(file)
        table.write(folder / f"{name}-written.csv")
        write_text(folder / f"{name}-figures.json", json.dumps(figures, indent=1) + "\n")
    return [f"{in_words(figures)} ({seen.items:,} utterances)"]


def _add(table: Table, said: str, found: list[Hypothesis]) -> None:
    """Add an utterance, and the best that was written of it."""
    table.add(said, found[0].text if found else "", f"{found[0].score:.4f}" if found else "")


def draw(trained: TrainedTranscriber, store: Store, index: int, found: list[Hypothesis], path: Path) -> None:
    """Draw the features of an item of a store, and when each symbol of the best that is written of it begins."""
    model, units, data = trained.model, trained.encoder.units, trained.run.data
    frames, best = store.read("frames", index), found[0] if found else None
    emitted = [] if best is None else zip(best.times, units.pieces(best.symbols), strict=True)
    frame_s = data.step_ms / 1000
    picture = Sound(
        frames, frame_s, [Emission(step, symbol) for step, symbol in emitted], frame_s * model.stack,
        _probabilities(trained, frames), units.boundary, text=best.text if best else "",
        title=f"said: {text_of(store, index)}",
    )  # fmt: skip
    draw_sound(path, picture)


@torch.no_grad()
def _probabilities(trained: TrainedTranscriber, frames: NDArray) -> NDArray | None:
    """Return the probability (T, V) of each symbol at each step; None of a head that has none without the text."""
    if not isinstance(trained.model.head, CtcHead):
        return None
    batch = move(together([frames]), device_of(trained.model))
    encoded = trained.model.encode(batch.inputs, batch.lengths)
    return trained.model.head.log_probabilities(encoded.outputs)[:, 0].exp().numpy(force=True)


def _of_part(
    trained: TrainedTranscriber, store: Store, folder: RunFolder, name: str, display: Display
) -> dict[str, float]:
    asked, table = asked_of(trained.run.search, trained.encoder), Table(*HEADINGS)
    found: dict[int, list[Hypothesis]] = {}
    seen = tally(trained.model, store, trained.encoder, asked, found.__setitem__)
    for k in range(len(store)):
        _add(table, text_of(store, k), found[k])
    table.write(folder.report / f"{name}-written.csv")
    for k in range(min(PICTURES, len(store))):
        draw(trained, store, k, found[k], folder.report / f"{name}-sound-{k + 1}.png")
    how = "best path" if asked == Asked() else f"beam {asked.beam}"
    display.say(f"{name + ':':<12}{in_words(seen.figures())} ({seen.items:,} utterances, {how})")
    plain = seen if asked == Asked() else tally(trained.model, store, trained.encoder, Asked())
    if plain is not seen:
        display.say(f"{'':<12}{in_words(plain.figures())} (best path)")
    for line in seen.lines():
        display.say(f"{'':<12}{line}")
    return {**seen.figures(), **{f"best_path_{name}": plain.figures()[name] for name in ("cer", "wer", "exact")}}
