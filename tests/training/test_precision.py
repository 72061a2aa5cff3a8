"""Training in bfloat16 on a CPU: products are taken so, weights and states are not, and the loss falls."""

import json

import pytest
import torch

from ostinato.layers.recurrent import Recurrent
from ostinato.training.language_model import train_language_model
from ostinato.training.run_folder import read_tensors
from ostinato.training.sequence_task import train_task

TASK = {"length": 8, "hidden_size": 8, "test_sequences": 50, "threads": 1, "progress": False}


@pytest.fixture
def seen(monkeypatch) -> list[tuple]:
    """Return what each call of a recurrent layer finds: (learning?, autocast?, its type)."""
    found: list[tuple] = []
    forward = Recurrent.forward

    def look(self, *arguments, **options):
        found.append((self.training, torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")))
        return forward(self, *arguments, **options)

    monkeypatch.setattr(Recurrent, "forward", look)
    return found


def losses(folder, name: str) -> list[float]:
    return [json.loads(line)[name] for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("engine", ["native", "eager"])
def test_a_language_model_learns_in_bfloat16(tmp_path, text, small, seen, engine):
    settings = small | {"precision": "bf16", "engine": engine, "steps": 60, "validate_every": 20, "learning_rate": 1e-2}
    folder = train_language_model(text, out=tmp_path / "run", **settings).folder
    assert {call[1:] for call in seen if call[0]} == {(True, torch.bfloat16)}
    first, *_, last = losses(folder, "train_nats")
    assert last < 0.9 * first
    assert {tensor.dtype for tensor in read_tensors(folder / "model.safetensors")[0].values()} == {torch.float32}


def test_a_task_is_learned_in_bfloat16(tmp_path, seen):
    outcome = train_task("adding", out=tmp_path / "run", precision="bf16", steps=200, validate_every=50, **TASK)
    assert {call[1:] for call in seen if call[0]} == {(True, torch.bfloat16)}
    first, *_, last = losses(outcome.folder, "valid_mse")
    assert last < 0.9 * first


@pytest.mark.parametrize("engine", ["native", "eager"])
def test_bfloat16_rounds_what_float32_computes(tmp_path, text, small, engine):
    runs = [
        train_language_model(text, out=tmp_path / name, precision=name, engine=engine, **small)
        for name in ("fp32", "bf16")
    ]
    assert runs[0].best != runs[1].best
    assert runs[1].best == pytest.approx(runs[0].best, rel=1e-2)  # eight bits of a product's factors
