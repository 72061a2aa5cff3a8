"""The model card of a model that writes sequences."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ostinato._version import __version__
from ostinato.training.config.supervised import FileRun
from ostinato.training.run_folder import RunFolder
from ostinato.training.task import engines
from ostinato.training.written.figures import in_words


def card_of(
    run: FileRun, folder: RunFolder, model: nn.Module, figures: dict[str, Any], network: str, given: Sequence[str]
) -> str:
    """Return the text; `network` says in words what the model is, `given` are ways to ask it, as they are typed."""
    commands = "\n".join(f"ostinato predict {shlex.quote(str(folder.path))} {way}" for way in given)
    return f"""# {folder.path.name}

A {run.kind} trained by Ostinato {__version__} on `{run.data.file}`.

```
{commands}
```

{network[0].upper()}{network[1:]}, {sum(p.numel() for p in model.parameters()):,} parameters, engine {engines(model)}.
At step {figures["step"]:,} of {figures["steps"]:,}, on the part kept to validate: {in_words(figures)}.
What it writes, beside the references, lies in `report/`; every setting in `config.yaml`, every measurement in
`metrics.jsonl`.

Written by torch {torch.__version__}, Python {platform.python_version()}.
"""
