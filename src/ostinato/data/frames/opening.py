"""Opens recordings of any kind, by the suffix of the file or the format asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.frames.gaps import Missing, check_missing
from ostinato.data.frames.idx import idx_recordings
from ostinato.data.frames.npz import npz_recordings
from ostinato.data.frames.recordings import Labels, Recordings
from ostinato.data.frames.ts import ts_recordings
from ostinato.data.lines import text_encoding
from ostinato.data.readers import check_file
from ostinato.data.rows.source import File

FramesFormat = Literal["ts", "npz", "idx"]


def open_frames(
    path: str | Path,
    *,
    format: FramesFormat | None = None,
    encoding: str = "utf-8",
    missing: Missing = "refuse",
    pixels: bool = False,
    downsample: int | None = None,
    labels: Labels = "item",
) -> Recordings:
    """Open the sequences of numbers of a file: sktime `.ts`, NumPy `.npz`, or the idx files of MNIST.

    `missing` is what becomes of gaps. `pixels` and `downsample` are for images: one pixel a step instead of
    one row, and the size to average them to. `labels` of "step" are one a step, which only .npz holds.
    Raises DataError for a file that cannot be read, ConfigError for a setting that is not possible or not for
    this format.
    """
    path = Path(path)
    check_missing(missing)
    kind = _kind(path, format)
    if kind != "idx" and (pixels or downsample is not None):
        where = "pixels" if pixels else "downsample"
        raise ConfigError(where, f"asked for {path}, which holds no images", "Images come in idx files", "Leave it out")
    if labels == "step" and kind != "npz":
        got = "it has one label a sequence, or none"
        raise DataError(str(path), got, "A label a step stands in .npz", "np.savez(file, x=x, y=y), y of shape (N, T)")
    if kind == "ts":
        return ts_recordings(File(path), text_encoding(encoding), missing)
    if kind == "npz":
        return npz_recordings(path, missing, labels)
    return idx_recordings(path, pixels=pixels, downsample=downsample)


def frames_format(path: str | Path) -> FramesFormat | None:
    """Return the format that the name of `path` stands for; None where it is none of frames."""
    name = Path(path).name.lower()
    if name.endswith((".ts", ".npz")):
        return "ts" if name.endswith(".ts") else "npz"
    return "idx" if re.search(r"(idx\d-ubyte|\.idx)(\.gz)?$", name) else None


def _kind(path: Path, format: str | None) -> FramesFormat:
    if format is not None and format not in get_args(FramesFormat):
        known = get_args(FramesFormat)
        raise ConfigError("format", f"'{format}'", f"Possible: {', '.join(known)}", did_you_mean(format, known))
    kind = format or frames_format(path)
    if kind is None:
        check_file(path)
        possible = "Sequences of numbers: .ts, .npz, and idx files such as train-images-idx3-ubyte.gz"
        raise DataError(str(path), "no format of frames has such a name", possible, "Name the format")
    return kind  # pyright: ignore[reportReturnType]
