"""A trained forecaster, opened from its run folder: it goes on with series, and is judged on files of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.series import Columns, Series, open_series
from ostinato.data.series.times import time_text
from ostinato.data.store import Store
from ostinato.models.forecaster import Stretch
from ostinato.training.config import above_zero, check_seed
from ostinato.training.config.forecaster import ForecasterRun
from ostinato.training.devices import device_of
from ostinato.training.forecaster.building import build_model, collate
from ostinato.training.forecaster.encoding import Encoder, ForecasterSchema, Piece, as_series, columns_of
from ostinato.training.forecaster.parts import check_values, write_whole
from ostinato.training.forecaster.scoring import forecast_figures, futures, loss_name, step_loss
from ostinato.training.forecaster.shape import OTHER_SEED, opened
from ostinato.training.forecaster.windows import Asked, Origins, Windows
from ostinato.training.metrics.forecasts import LEVELS
from ostinato.training.run_folder import RunFolder, load_best
from ostinato.training.supervised.record import record
from ostinato.training.supervised.scorable import Choose

FORMATS = ("csv", "jsonl")
AT_ONCE = 32
"""Series that are read ahead and forecast side by side."""


@dataclass(frozen=True)
class Forecast:
    """What is said of H steps of one series of D columns."""

    item: str
    times: list[str]
    """Of the steps, as text; without times, their numbers."""
    mean: NDArray[np.float64]
    """(H, D)"""
    quantiles: dict[float, NDArray[np.float64]]
    """Level → (H, D), each column and step by itself; empty of a point."""
    samples: NDArray[np.float64]
    """(S, H, D): whole futures that were drawn."""


class TrainedForecaster:
    """A run, opened for use. `model`, `schema` and `encoder` are there for what this class does not do."""

    formats = FORMATS
    looks_ahead = True

    def __init__(self, run: ForecasterRun, model: Any, schema: ForecasterSchema):
        self.run, self.model, self.schema = run, model, schema
        self.encoder = Encoder(run, schema)

    def predict(
        self,
        series: Iterable[NDArray | Series],
        *,
        horizon: int | None = None,
        samples: int | None = None,
        seed: int = 0,
        levels: Sequence[float] = LEVELS,
    ) -> Iterator[Forecast]:
        """Yield a forecast for each series, an array (T,) or (T, D) or a `Series`; any number in constant memory.

        `horizon` and `samples` are the run's unless given. Raises DataError for a series that does not fit the run,
        and where covariates of the steps ahead are missing.
        """
        horizon = self.run.ahead.horizon if horizon is None else horizon
        samples = self.run.ahead.samples if samples is None else samples
        above_zero("horizon", horizon)
        above_zero("samples", samples)
        check_seed(seed)
        if not levels or not all(0 < level < 1 for level in levels):
            raise ConfigError("levels", f"{list(levels)}", "Shares between 0 and 1, as 0.1 0.5 0.9")
        generator = torch.Generator(device_of(self.model)).manual_seed(seed)
        iterator = (
            one if isinstance(one, Series) else as_series(one, f"series {k}") for k, one in enumerate(series, 1)
        )
        while group := list(islice(iterator, AT_ONCE)):
            asked = self._asked(group, horizon)
            drawn = futures(self.model, asked, horizon, samples, generator, device_of(self.model))
            for k, one in enumerate(group):
                yield self._forecast(one, drawn[:, :, k], horizon, levels)

    def evaluate(self, file: Path | str, **data: Any) -> dict[str, float]:
        """Score the series of a file: the loss of each step, and forecasts from all over it.

        `data` are settings of the data (`target="OT"`, …) that differ from the run's. Raises DataError as training.
        """
        with self._stored(file, data) as store:
            return self.score(store)

    def sample(self, file: str, choose: Choose) -> Stretch:
        """Return some pieces of the series of a file as a batch that the model's loss is taken of.

        `choose` gets the steps that each piece has, and returns the numbers of some. Raises DataError as `evaluate`.
        """
        with self._stored(file, {}) as store:
            pieces = self._pieces(store)
            return collate(pieces, choose(pieces.lengths("values")))

    def score(self, store: Store) -> dict[str, float]:
        """Return the figures of a store of series: the loss of each step, and, but of bits, of forecasts.

        What no step or forecast tells of is left out.
        """
        loss, steps = step_loss(self.model, self._pieces(store))
        figures = ({loss_name(self.run): loss} if steps else {}) | {"steps": steps}
        if self.encoder.support == "bits":
            return figures
        ahead = self.run.ahead
        origins = self.origins(store, ahead.origins or ahead.horizon)
        if len(origins):
            figures |= forecast_figures(self.model, origins, ahead.samples, self.run.training.seed + OTHER_SEED)
        return figures

    def origins(self, store: Store, every: int) -> Origins:
        """Return the steps of a store from which forecasts are asked."""
        return Origins(store, self.encoder, self.run.data.context, self.run.ahead.horizon, every)

    def forecast_from(self, origins: Origins, indices: NDArray) -> tuple[Asked, NDArray]:
        """Return what is asked from some origins, and the futures (S, H, B, D)."""
        asked, device = origins.batch(indices), device_of(self.model)
        generator = torch.Generator(device).manual_seed(self.run.training.seed + OTHER_SEED)
        return asked, futures(self.model, asked, origins.horizon, self.run.ahead.samples, generator, device)

    def lines(
        self,
        texts: Sequence[str] = (),
        file: str | None = None,
        form: str = "csv",
        *,
        horizon: int | None = None,
        samples: int | None = None,
        seed: int = 0,
        **data: Any,
    ) -> Iterator[str]:
        """Yield forecasts as lines of a CSV table (a line a step and column) or of JSONL (a line a series).

        Series are those of a file, or `texts`: numbers with spaces or commas between them.
        """
        if form not in FORMATS:
            raise ConfigError("--format", f"'{form}'", f"Possible: {', '.join(FORMATS)}", did_you_mean(form, FORMATS))
        if file is None:
            series: Iterable[Series] = (self._of_text(text, f"argument {k}") for k, text in enumerate(texts, 1))
        else:
            if "text" in data:
                data["target"] = data.pop("text")
            settings = replace(self.run.data, **data)
            series = open_series(file, self._columns(settings), missing=settings.missing, encoding=settings.encoding)
        found = self.predict(series, horizon=horizon, samples=samples, seed=seed)
        return self._as_csv(found) if form == "csv" else self._as_jsonl(found)

    @contextmanager
    def _stored(self, file: Path | str, data: dict[str, Any]) -> Iterator[Store]:
        """Give the series of a file as a store, which is there as long as the block runs."""
        settings = replace(self.run.data, **data)
        with TemporaryDirectory() as folder:
            series = open_series(file, self._columns(settings), missing=settings.missing, encoding=settings.encoding)
            yield write_whole(Path(folder), series, self.encoder)

    def _pieces(self, store: Store) -> Windows:
        return Windows(store, self.encoder, self.run.data.context, warm=self.run.data.context)

    def _asked(self, group: list[Series], horizon: int) -> Asked:
        encoder, pieces, known, gaps, scaling = self.encoder, [], [], [], []
        for series in group:
            self.encoder.check(series)
            check_values(series, self.encoder)
            first = max(0, len(series) - self.run.data.context)
            all_known, all_gaps = encoder.known(series, horizon), encoder.gaps(series, horizon)
            scaling.append(encoder.scaling(series.values))
            rows, end = slice(first, len(series)), slice(len(series), len(series) + horizon)
            values = series.values[max(0, first - encoder.before) :]
            pieces.append(Piece(values, all_known[rows], all_gaps[rows], scaling[-1]))
            known.append(all_known[end])
            gaps.append(all_gaps[end])
        moved = np.stack([encoder.moved(part) for part in scaling])
        nothing = np.zeros((horizon, len(group), len(self.schema.targets)))
        return Asked(
            encoder.stretch(pieces),
            *encoder.ahead(known, gaps),
            moved,
            nothing,
            np.stack(scaling),
            np.zeros_like(moved),
        )

    def _forecast(self, series: Series, drawn: NDArray, horizon: int, levels: Sequence[float]) -> Forecast:
        times = [time_text(time) for time in self.encoder.times(series, horizon)[len(series) :]]
        quantiles = np.quantile(drawn, levels, axis=0) if self._draws() else ()
        return Forecast(series.item, times, drawn.mean(0), dict(zip(levels, quantiles, strict=False)), drawn)

    def _of_text(self, text: str, place: str) -> Series:
        try:
            return as_series([float(part) for part in text.replace(",", " ").split()], place)
        except ValueError:
            raise DataError(place, f"{text[:40]!r}", "A series is numbers, as '3 4.5 7'", "") from None

    def _columns(self, settings: Any) -> Columns:
        """Return the columns that the run found, where none are named."""
        columns = columns_of(settings)
        return replace(columns, target=columns.target or tuple(self.schema.targets if self.schema.is_table else ()))

    def _as_csv(self, forecasts: Iterator[Forecast]) -> Iterator[str]:
        first = list(islice(forecasts, 1))  # what is refused is refused before a line is written
        yield record(["item", "time", "series", "mean", *(str(level) for level in (LEVELS if self._draws() else ()))])
        for one in chain(first, forecasts):
            for step, time in enumerate(one.times):
                for column, name in enumerate(self.schema.targets):
                    spread = [f"{q[step, column]:.6g}" for q in one.quantiles.values()]
                    yield record([one.item, time, name, f"{one.mean[step, column]:.6g}", *spread])

    def _as_jsonl(self, forecasts: Iterable[Forecast]) -> Iterator[str]:
        names = self.schema.targets
        for one in forecasts:
            quantiles = {str(level): _columns(names, values) for level, values in one.quantiles.items()}
            document = {"item": one.item, "times": one.times, "mean": _columns(names, one.mean), "quantiles": quantiles}
            yield json.dumps(document, ensure_ascii=False)

    def _draws(self) -> bool:
        head = getattr(self.model, "head", None)
        return head is None or head.draws


def open_forecaster(folder: Path | str) -> TrainedForecaster:
    """Open the best model of a run. Raises RunError for what is missing, damaged or of another kind."""
    parts = RunFolder(Path(folder), ForecasterRun())
    run = parts.read_config()
    schema = opened(parts)
    model = build_model(run, schema)
    load_best(parts, model)
    return TrainedForecaster(run, model.eval(), schema)


def _columns(names: list[str], values: NDArray) -> dict[str, list[float]]:
    return {name: [float(f"{value:.6g}") for value in values[:, column]] for column, name in enumerate(names)}
