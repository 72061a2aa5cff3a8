"""The public list: what `import ostinato` offers, alphabetical."""

from . import nn as nn
from ._errors import ConfigError as ConfigError
from ._errors import DataError as DataError
from ._errors import EngineError as EngineError
from ._errors import EquationError as EquationError
from ._errors import OstinatoError as OstinatoError
from ._errors import RunError as RunError
from .cells.catalogue import CATALOGUE as CATALOGUE
from .cells.catalogue import CellInfo as CellInfo
from .cells.cell import Cell as Cell
from .cells.equation_cell import EquationCell as EquationCell
from .cells.equation_cell import cell as cell
from .cells.foundations.elman import Elman as Elman
from .cells.gated.gru import GRU as GRU
from .cells.gated.lstm import LSTM as LSTM
from .decoding.sampling import Sampling as Sampling
from .layers.recurrent import Recurrent as Recurrent
from .models.language_model import LanguageModel as LanguageModel
from .training.language_model import train_language_model as train_language_model
from .training.trained import load as load
from .unroll import plan as plan
from .unroll import unroll as unroll
from .unroll.explain import explain as explain
from .unroll.stream import Stream as Stream
