"""Links to the papers that a line names: arXiv numbers and DOIs become addresses."""

from __future__ import annotations

import re

_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5}|[a-z-]+/\d{7})")
_DOI = re.compile(r"doi:(10\.\d{4,9}/(?:[^\s(),;]|\([^\s()]*\))*[^\s(),;.])")


def linked(line: str) -> str:
    """Return a line of Markdown in which each paper that has an address links to it."""
    line = _ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", line)
    return _DOI.sub(r"[doi:\1](https://doi.org/\1)", line)
