"""Where figures go beside `metrics.jsonl`: chosen with a reason, refused by name, and cut where a run goes on."""

import importlib
import json
import sys
from typing import get_args, get_type_hints

import pytest
from accelerate.utils import LoggerType

from ostinato import ConfigError, train_language_model
from ostinato.training import trackers
from ostinato.training.config import Learning
from ostinato.training.sequence_task import train_task

NAMED = set(get_args(get_type_hints(Learning)["tracker"])) - {"auto", "none"}
SHORT = {"hidden_size": 4, "length": 8, "batch_size": 4, "steps": 4, "validate_every": 2, "test_sequences": 8}


@pytest.fixture
def without_trackers(monkeypatch):
    monkeypatch.setattr(trackers, "get_available_trackers", list)


def events(folder) -> dict[str, list[int]]:
    """Return the steps of each figure that TensorBoard shows for a run."""
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder / "tensorboard")).Reload()
    return {name: [event.step for event in read.Scalars(name)] for name in read.Tags()["scalars"]}


def test_the_trackers_that_have_a_name_are_those_accelerate_knows():
    assert set(LoggerType.list()) - {"all"} == NAMED


def test_tensorboard_gets_the_measurements_unasked_where_it_is_installed(tmp_path, text, small, capsys):
    settings = small | {"progress": True}
    folder = train_language_model(text, out=tmp_path / "run", **settings).folder
    assert events(folder)["valid_bits_per_character"] == [6, 12]
    assert capsys.readouterr().out.count("figures metrics.jsonl and tensorboard (it is installed)\n") == 1


def test_a_task_is_tracked_as_well(tmp_path):
    assert events(train_task("adding", out=tmp_path / "run", progress=False, **SHORT).folder)["valid_mse"] == [2, 4]


def test_where_tensorboard_is_missing_the_run_says_so(tmp_path, without_trackers, capsys):
    folder = train_task("adding", out=tmp_path / "run", **SHORT).folder
    assert not (folder / "tensorboard").exists()
    assert "figures metrics.jsonl (tensorboard is not installed)\n" in capsys.readouterr().out


def test_no_tracker_when_none_is_asked_for(tmp_path, capsys):
    folder = train_task("adding", out=tmp_path / "run", tracker="none", **SHORT).folder
    assert not (folder / "tensorboard").exists()
    assert len(folder.joinpath("metrics.jsonl").read_text().splitlines()) == 2
    assert "figures metrics.jsonl\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(NAMED - {"tensorboard"}))
def test_a_tracker_by_name_that_is_not_installed_is_refused(tmp_path, without_trackers, name):
    with pytest.raises(ConfigError, match=f"{name} is not installed.*Type: pip install {name}"):
        train_task("adding", out=tmp_path / "run", tracker=name, **SHORT)
    assert not (tmp_path / "run").exists()


def test_tensorboard_by_name_is_an_extra_of_ours(without_trackers):
    with pytest.raises(ConfigError, match=r"Type: pip install 'ostinato\[tensorboard\]'"):
        trackers.chosen("tensorboard")


def test_measurements_a_kill_made_void_are_shown_once(tmp_path, text, small):
    folder = train_language_model(text, out=tmp_path / "run", **small).folder
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder / "tensorboard")) as writer:
        writer.add_scalar("valid_nats", 0.5, 15)  # was measured, and lost before the checkpoint
    train_language_model(out=tmp_path / "run", resume=True, progress=False, steps=18)
    assert events(folder)["valid_nats"] == [6, 12, 18]


WANDB = '''
"""Stands in for a tracker that is a service: writes down what it is sent."""
import json, pathlib
class Run:
    def __init__(self, **keywords):
        self.file = pathlib.Path(keywords["dir"]) / "sent.jsonl"
        self.config = self
        self.put(keywords)
    def put(self, values):
        with self.file.open("a") as file:
            file.write(json.dumps(values) + "\\n")
    def update(self, values, **more):
        self.put(values)
    def log(self, values, step=None, **more):
        self.put({"step": step, **values})
    def finish(self):
        self.put({"finished": True})
def init(**keywords):
    global config
    config = Run(**keywords)
    return config
'''


def test_another_tracker_by_name_gets_the_run_s_name_its_settings_and_its_figures(tmp_path, monkeypatch):
    (tmp_path / "wandb.py").write_text(WANDB)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    for module in (trackers, importlib.import_module("accelerate.tracking")):
        monkeypatch.setattr(module, "get_available_trackers", lambda: [LoggerType.WANDB])
    folder = train_task("adding", out=tmp_path / "run", tracker="wandb", progress=False, **SHORT).folder
    sys.modules.pop("wandb")
    begun, settings, *figures, end = map(json.loads, (folder / "sent.jsonl").read_text().splitlines())
    assert (begun["project"], begun["name"]) == ("ostinato", "run")
    assert settings["model/hidden_size"] == 4
    assert [line["step"] for line in figures] == [2, 4]
    assert end == {"finished": True}
