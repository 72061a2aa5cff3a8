"""Pairs of a source and what it becomes, from files of any format: read one by one, in constant memory."""

from ostinato.data.pairs.opening import FORMATS, Format, Reading, open_pairs, open_sources, typed_pair
from ostinato.data.pairs.pair import Pair, Pairs, why_left_out
from ostinato.data.pairs.parallel import targets_beside

__all__ = [
    "FORMATS",
    "Format",
    "Pair",
    "Pairs",
    "Reading",
    "open_pairs",
    "open_sources",
    "targets_beside",
    "typed_pair",
    "why_left_out",
]
