"""What the best weights of a forecaster reach: figures, and pictures of forecasts beside what came."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ostinato.data.store import Store
from ostinato.training.forecaster.fan import Fan, draw_fans
from ostinato.training.forecaster.scoring import in_words
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder
from ostinato.training.supervised.report import finished, parts_of

if TYPE_CHECKING:
    from ostinato.training.forecaster.trained import TrainedForecaster

FANS = 6
SHOWN = 4
"""Horizons of history that a picture shows."""


def report(trained: TrainedForecaster, folder: RunFolder, display: Display) -> dict[str, float]:
    """Write `report/` and return the figures of the test part; those of the validation where there is none."""
    found: dict[str, dict[str, float]] = {}
    shown = None
    for part, name in parts_of(folder):
        shown = Store(folder.items / part)
        found[name] = trained.score(shown)
        display.say(f"{name + ':':<12}{in_words(found[name])}{_counted(found[name])}")
        if "forecasts" not in found[name] and trained.encoder.support != "bits":
            display.say(f"{'':<12}no series of it is longer than the horizon: no forecast is judged")
    if shown is not None and trained.encoder.support != "bits":
        draw_store(folder.report / "forecast.png", trained, shown)
    return finished(folder, display, found)


def draw_store(path: Path, trained: TrainedForecaster, store: Store) -> None:
    """Draw the last forecast of the first few series and columns of a store; nothing where no forecast fits."""
    horizon, fans = trained.run.ahead.horizon, []
    origins = trained.origins(store, horizon)
    size = len(trained.schema.targets)
    for item in range(min(len(store), -(-FANS // size))):
        own = origins.of_item(item)
        if not len(own):
            continue
        (asked, drawn) = trained.forecast_from(origins, own[-1:])
        name = store.read("name", item).tobytes().decode()
        history = store.read("values", item)
        end = int(origins.end(own[-1]))
        past = history[max(0, end - SHOWN * horizon) : end]
        for column, target in enumerate(trained.schema.targets[: FANS - len(fans)]):
            title = f"{name}: {target}" if name else target
            fans.append(Fan(title, past[:, column], asked.truth[:, 0, column], drawn[:, :, 0, column]))
    if fans:
        draw_fans(path, fans)


def _counted(found: dict[str, float]) -> str:
    ahead = f", {found['forecasts']:,.0f} forecasts" if "forecasts" in found else ""
    return f" ({found['steps']:,.0f} steps{ahead})"
