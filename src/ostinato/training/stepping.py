"""What turns gradients into steps, made from a run's settings at once: a setting that cannot be is refused here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn, optim

from ostinato.training.averaging import Average, make_average
from ostinato.training.clipping import Clip, make_clip
from ostinato.training.config import Learning
from ostinato.training.optimizers import make_optimizer
from ostinato.training.penalties import check_penalties
from ostinato.training.schedules import Schedule


@dataclass
class Stepping:
    """Clipping, the rule that steps, its learning rate, and the average of the weights."""

    clip: Clip
    optimizer: optim.Optimizer
    schedule: Schedule
    average: Average

    def step(self, optimizer: Any) -> None:
        """Step with `optimizer`, which may be a wrapped one, and average."""
        optimizer.step()
        self.average.update()

    def report(self, score: float) -> None:
        """Take the score of a validation, the smaller the better."""
        self.schedule.report(score)
        self.average.report(score)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors that a checkpoint keeps."""
        states = self.optimizer.state_dict()["state"]
        found = {
            f"optimizer/{k}/{n}": v for k, kept in states.items() for n, v in kept.items() if isinstance(v, Tensor)
        }
        return found | {f"average/{name}": tensor for name, tensor in self.average.tensors().items()}

    def facts(self) -> dict[str, Any]:
        """Return what else it keeps, for JSON."""
        return {"schedule": self.schedule.facts(), "average": self.average.facts()}

    def restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Take back what a checkpoint kept. Raises KeyError where a part is missing."""
        kept: dict[int, dict[str, Tensor]] = {}
        for name, tensor in under("optimizer/", tensors).items():
            index, key = name.split("/")
            kept.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": kept, "param_groups": groups})
        self.schedule.restore(facts["schedule"])
        self.average.restore(under("average/", tensors), facts["average"])


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def make_stepping(training: Learning, model: nn.Module) -> Stepping:
    """Return what the settings, which are resolved, name. Raises ConfigError for what cannot be."""
    check_penalties(training, model)
    average = make_average(training, model)
    return Stepping(make_clip(training), make_optimizer(training, model), Schedule(training), average)
