"""Which cells of the catalogue a suite runs over."""

from ostinato import CATALOGUE

EQUATION_CELLS = [name for name, info in CATALOGUE.items() if info.equations]
"""Those that are equations."""
SEQUENCE_CELLS = [name for name, info in CATALOGUE.items() if info.family != "convolutional"]
"""Those that read vectors: all but the ones whose inputs are images."""
TIMELESS_CELLS = [name for name in SEQUENCE_CELLS if not CATALOGUE[name].build(3, 4).uses_dt]
"""Those of them that symbols can be given to, between which no time passes."""
