"""The first recurrent networks, and what was soon added to them: leaks, delays, clocks."""

from ostinato.cells.foundations.elman import Elman, ElmanReLU
from ostinato.cells.foundations.jordan import Jordan

CELLS = {
    "elman": Elman,
    "elman-relu": ElmanReLU,
    "jordan": Jordan,
}
