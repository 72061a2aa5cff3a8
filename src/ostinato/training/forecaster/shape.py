"""A forecaster as the course of supervised runs knows it."""

from __future__ import annotations

import platform
import shlex
from typing import Any

import torch
from torch import nn

from ostinato._errors import ConfigError
from ostinato._version import __version__
from ostinato.data.store import Store
from ostinato.training.config.forecaster import ForecasterRun
from ostinato.training.forecaster import preparing
from ostinato.training.forecaster.building import build_model, collate, fitting
from ostinato.training.forecaster.encoding import Encoder, ForecasterSchema, check_schema
from ostinato.training.forecaster.report import report
from ostinato.training.forecaster.scoring import forecast_figures, in_words, loss_name, step_loss
from ostinato.training.forecaster.windows import Origins, Windows
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder
from ostinato.training.supervised.batches import Batches
from ostinato.training.supervised.schema import read_schema
from ostinato.training.supervised.shape import Parts
from ostinato.training.task import engines

OTHER_SEED = 1 << 40
"""Added to the seed of a run: futures that judge it are drawn from elsewhere than what it learns by."""


class ForecasterShape:
    """Files of series, and the model that goes on with them."""

    kind = ForecasterRun.kind

    def check(self, run: ForecasterRun) -> None:
        """Refuse settings that cannot be."""
        preparing.check(run)

    def prepare(self, run: ForecasterRun, folder: RunFolder, display: Display) -> ForecasterRun:
        """Read the files once."""
        return preparing.prepare(run, folder, display)

    def assemble(self, run: ForecasterRun, folder: RunFolder) -> Parts:
        """Make the model and the pieces it learns from."""
        schema, data = opened(folder), run.data
        encoder = Encoder(run, schema)
        train, valid = (Store(folder.items / part) for part in ("train", "valid"))
        valid = valid if len(valid) else train
        model = build_model(run, schema)
        pieces = Windows(train, encoder, data.context, every=data.every or max(1, data.context // 2))
        kept = Windows(valid, encoder, data.context, warm=data.context)
        ahead = run.ahead
        origins = Origins(valid, encoder, data.context, ahead.horizon, ahead.origins or ahead.horizon)
        by_forecasts = run.training.select == "mse"
        if by_forecasts and not len(origins):
            got = f"mse, and no forecast of {ahead.horizon} steps fits into what is kept to validate"
            raise ConfigError("--select", got, "A part is longer than the horizon", "Lower --horizon")

        def validate(model: Any) -> dict[str, float]:
            loss, steps = step_loss(model, kept)
            found = {loss_name(run): loss, "steps": steps}
            if by_forecasts:
                figures = forecast_figures(model, origins, ahead.samples, run.training.seed + OTHER_SEED)
                return {"scaled_mse": figures["scaled_mse"], **found, **figures}
            return found

        batches = Batches(pieces, "values", run.training.batch_size, run.training.seed, collate)
        score = "scaled_mse" if by_forecasts else loss_name(run)
        said = _said(run, schema, len(pieces))
        fit = fitting(run, model, pieces)
        return Parts(model, batches, validate, in_words, score, loss_name(run), said, fit, kept=(kept, collate))

    def card(self, run: ForecasterRun, folder: RunFolder, model: nn.Module, figures: dict[str, Any]) -> str:
        """Return the text of the model card."""
        schema, typed = opened(folder), shlex.quote(str(folder.path))
        return f"""# {folder.path.name}

A forecaster trained by Ostinato {__version__} on `{run.data.file}`: {_targets(schema)}.

```
ostinato predict {typed} --file FILE
ostinato evaluate {typed} FILE
```

{_network(run)}, {sum(p.numel() for p in model.parameters()):,} parameters, engine {engines(model)}.
At step {figures["step"]:,} of {figures["steps"]:,}, on the part kept to validate: {in_words(figures)}.
Figures and pictures lie in `report/`, scaling in `schema.json`, every setting in `config.yaml`, every measurement in
`metrics.jsonl`.

Written by torch {torch.__version__}, Python {platform.python_version()}.
"""

    def report(self, run: ForecasterRun, folder: RunFolder, display: Display) -> dict[str, float]:
        """Judge the best weights."""
        from ostinato.training.forecaster.trained import open_forecaster  # which builds the model as this file does

        return report(open_forecaster(folder.path), folder, display)


def opened(folder: RunFolder) -> ForecasterSchema:
    """Return the schema of a run."""
    return check_schema(read_schema(folder.schema, ForecasterSchema), str(folder.schema))


def _said(run: ForecasterRun, schema: ForecasterSchema, pieces: int) -> list[str]:
    data = run.data
    read = f"{pieces:,} pieces of at most {data.context} steps; scaling by {data.scaling}; lags {data.lags}"
    return [f"data    {_targets(schema)}; {read}", f"model   {_network(run)}"]


def _targets(schema: ForecasterSchema) -> str:
    names = ", ".join(schema.targets[:6]) + (", …" if len(schema.targets) > 6 else "")
    known = f"; known ahead: {', '.join(schema.covariates)}" if schema.covariates else ""
    return f"{len(schema.targets)} number{'s' if len(schema.targets) > 1 else ''} a step ({names}){known}"


def _network(run: ForecasterRun) -> str:
    model = run.model
    if model.baseline != "none":
        return f"the baseline {model.baseline}, without recurrence"
    cell = "cell of its own equations" if "=" in model.cell else model.cell
    return f"{model.num_layers} x {model.hidden_size} {cell}, head {model.head}"
