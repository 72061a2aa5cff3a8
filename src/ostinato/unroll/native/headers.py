"""The handwritten part that every source starts with: `source/*.h`, which need nothing but the compiler."""

from __future__ import annotations

import functools
from importlib.resources import files


@functools.cache
def read_headers(names: tuple[str, ...], *, double: bool, narrow: bool = False) -> str:
    """Return these headers as one text, for float64 or float32; with `narrow`, products take bfloat16."""
    folder = files("ostinato.unroll.native") / "source"
    head = "#define OSTINATO_DOUBLE 1\n" * double + "#define OSTINATO_BFLOAT16 1\n" * narrow
    return head + "\n".join((folder / name).read_text("utf-8") for name in names)
