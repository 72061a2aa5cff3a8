"""What a run learned of its data beside weights and vocabulary: labels, channels, scaling. Kept as `schema.json`."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from ostinato._errors import RunError
from ostinato.training.run_folder import write_text

SchemaT = TypeVar("SchemaT")


def write_schema(path: Path, schema: object) -> None:
    """Replace the file by a dataclass as JSON."""
    write_text(path, msgspec.json.format(msgspec.json.encode(schema)).decode() + "\n")


def read_schema(path: Path, kind: type[SchemaT]) -> SchemaT:
    """Read what `write_schema` wrote. Raises RunError for a file that is missing or holds something else."""
    advice = "Restore the file from a copy, or train anew with --overwrite"
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise RunError(str(path), f"cannot be read ({error.strerror})", "It is written by a training", advice) from None
    except msgspec.DecodeError as error:
        raise RunError(str(path), f"damaged ({error})", "It is written by a training", advice) from None
