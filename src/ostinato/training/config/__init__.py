"""The settings of a run. A value comes from its default, then from a recipe or a `--config` file, then from a flag."""

from ostinato.training.config.balancing import Balancing, BalancingRun
from ostinato.training.config.captioner import CaptionerRun
from ostinato.training.config.checks import above_zero, check_seed, refuse_two_ways
from ostinato.training.config.classifier import ClassifierRun
from ostinato.training.config.documents import FORMAT, overlay, override, parse_yaml, read_yaml, sections, to_yaml
from ostinato.training.config.forecaster import ForecasterRun
from ostinato.training.config.learning import Learning, Training
from ostinato.training.config.recipes import (
    cell_text,
    recipe_document,
    recipe_text,
    recipes,
    starting_point,
    with_cell_text,
)
from ostinato.training.config.runs import (
    DEFAULT_EPOCHS,
    DEFAULT_SYMBOLS,
    NOT_GIVEN,
    AnyRun,
    AnyRunT,
    Data,
    Exercise,
    Fitting,
    Model,
    Network,
    Reservoir,
    ReservoirRun,
    Run,
    Series,
    TaskNetwork,
    TaskRun,
)
from ostinato.training.config.tagger import TaggerRun
from ostinato.training.config.transcriber import TranscriberRun
from ostinato.training.config.translator import TranslatorRun

__all__ = [
    "DEFAULT_EPOCHS",
    "DEFAULT_SYMBOLS",
    "FORMAT",
    "NOT_GIVEN",
    "AnyRun",
    "AnyRunT",
    "Balancing",
    "BalancingRun",
    "CaptionerRun",
    "ClassifierRun",
    "Data",
    "Exercise",
    "Fitting",
    "ForecasterRun",
    "Learning",
    "Model",
    "Network",
    "Reservoir",
    "ReservoirRun",
    "Run",
    "Series",
    "TaggerRun",
    "TaskNetwork",
    "TaskRun",
    "Training",
    "TranscriberRun",
    "TranslatorRun",
    "above_zero",
    "cell_text",
    "check_seed",
    "overlay",
    "override",
    "parse_yaml",
    "read_yaml",
    "recipe_document",
    "recipe_text",
    "recipes",
    "refuse_two_ways",
    "sections",
    "starting_point",
    "to_yaml",
    "with_cell_text",
]
