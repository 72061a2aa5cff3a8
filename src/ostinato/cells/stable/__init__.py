"""Networks whose state follows a differential equation, or whose weights keep its size."""

from ostinato.cells.stable.antisymmetric import AntisymmetricRNN, GatedAntisymmetricRNN
from ostinato.cells.stable.closed_form import CfC
from ostinato.cells.stable.cornn import CoRNN
from ostinato.cells.stable.fastrnn import FastGRNN, FastRNN, LowRankFastGRNN, LowRankFastRNN
from ostinato.cells.stable.lem import LEM
from ostinato.cells.stable.lipschitz import LipschitzRNN
from ostinato.cells.stable.liquid import LTC
from ostinato.cells.stable.orthogonal import OrthogonalRNN
from ostinato.cells.stable.unicornn import UnICORNN
from ostinato.cells.stable.unitary import UnitaryRNN

CELLS = {
    "antisymmetric": AntisymmetricRNN,
    "antisymmetric-gated": GatedAntisymmetricRNN,
    "orthogonal": OrthogonalRNN,
    "unitary": UnitaryRNN,
    "cornn": CoRNN,
    "lem": LEM,
    "unicornn": UnICORNN,
    "lipschitz": LipschitzRNN,
    "ltc": LTC,
    "cfc": CfC,
    "fastrnn": FastRNN,
    "fastrnn-low-rank": LowRankFastRNN,
    "fastgrnn": FastGRNN,
    "fastgrnn-low-rank": LowRankFastGRNN,
}
