"""`--compile`: the same run from compiled layers, one length compiled, and the reason where nothing is compiled."""

import pytest
import torch

from ostinato import ConfigError
from ostinato.models.language_model import LanguageModel
from ostinato.training import compiling
from ostinato.training.compiling import Steady, compile_layers
from ostinato.training.config import Training
from ostinato.training.language_model import train_language_model


def model(engine: str) -> LanguageModel:
    return LanguageModel(7, "elman", hidden_size=5, num_layers=1, engine=engine)


def test_layers_that_are_compiled_already_are_left_alone_and_the_reason_is_said():
    made = model("vendor")
    said = compile_layers(made, Training(compile=True))
    assert said == "no (vendor is compiled already; torch.compile around it is slower)"
    assert not isinstance(made.recurrent.forward, Steady)


def test_nothing_is_done_or_said_unasked():
    assert compile_layers(model("eager"), Training()) is None


@pytest.mark.parametrize("more", [{"gradient": "rtrl"}, {"gradient": "randomized"}, {"k1": 4, "k2": 8}])
def test_a_gradient_without_one_length_is_refused(more):
    with pytest.raises(ConfigError, match=r"--compile: --gradient .*A compiled loop has one length"):
        compile_layers(model("eager"), Training(compile=True, **more))


@pytest.fixture
def traced(monkeypatch) -> list[int]:
    """Return the numbers of steps that were run compiled."""
    found = []

    def compiled(forward):
        def run(inputs, *arguments, **options):
            found.append(len(inputs))
            return forward(inputs, *arguments, **options)

        return run

    monkeypatch.setattr(compiling.torch, "compile", compiled)
    return found


def test_one_length_is_compiled_and_only_while_learning(traced):
    steady = Steady(lambda inputs, state=None, reset=None: inputs, 4)
    for steps in (3, 4, 5, 4):
        steady(torch.ones(steps, 2), None, reset=None)
    steady(torch.ones(4, 2), None, reset=torch.ones(4, 2))
    with torch.no_grad():
        steady(torch.ones(4, 2))
    assert traced == [4, 4]


def test_whole_lanes_are_compiled_for_the_length_that_comes_first(traced):
    steady = Steady(lambda inputs: inputs, None)
    for steps in (6, 4, 6):
        steady(torch.ones(steps, 2))
    assert traced == [6, 6]


def test_more_steps_than_can_be_written_out_are_refused(traced):
    with pytest.raises(ConfigError, match=r"--compile: 300 steps in one piece. At most 256"):
        Steady(lambda inputs: inputs, None)(torch.ones(300, 1))


@pytest.mark.filterwarnings("ignore")  # torch's compiler warns of what it does itself
def test_a_compiled_run_is_the_plain_one_up_to_rounding(tmp_path, text, small):
    settings = small | {"engine": "eager", "cell": "elman", "hidden_size": 8, "k1": 4, "dropout": 0.0}
    plain = train_language_model(text, out=tmp_path / "plain", **settings)
    compiled = train_language_model(text, out=tmp_path / "compiled", compile=True, **settings)
    assert compiled.best == pytest.approx(plain.best, abs=1e-5)
