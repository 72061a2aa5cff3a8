"""Learns the one number of influence balancing by any gradient method, and draws the way it takes.

This is the one call behind `ostinato train influence-balancing`. The loop it stands for:

    for update in backward_over_time(system, inputs, system.loss, method=method):
        system.theta.sub_(learning_rate * system.theta.grad)
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from ostinato._errors import ConfigError
from ostinato._version import __version__
from ostinato.models.influence_balancing import BEST, InfluenceBalancing
from ostinato.training import config
from ostinato.training.config import BalancingRun, above_zero, check_seed
from ostinato.training.devices import kept_threads
from ostinato.training.gradient import backward_over_time, method
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_tensors, write_text

FAR = 100.0
"""A θ beyond it, 600 times the best one, does not come back."""
LINES = 200
"""Lines of `metrics.jsonl`, at most."""


@dataclass(frozen=True)
class Balanced:
    """Where θ came to: `path` holds (step, θ) after each update; `diverged` says that it ended far away."""

    folder: Path
    path: list[tuple[int, float]]
    diverged: bool
    seconds: float

    @property
    def theta(self) -> float:
        """The last θ."""
        return self.path[-1][1]


def train(run: BalancingRun, display: Display) -> Balanced:
    """Learn as `run` says. Raises OstinatoError for what cannot be done."""
    folder = RunFolder(run.folder, BalancingRun())
    if run.resume:
        raise ConfigError("--resume", "the run takes seconds", "There is nothing to go on with", "Leave it out")
    for name in ("steps", "threads", "learning_rate"):
        above_zero(name, getattr(run.training, name))
    check_seed(run.training.seed)
    with kept_threads(), folder.beginning(run.overwrite) as staging:
        if run.training.threads is not None:
            torch.set_num_threads(run.training.threads)
        began = time.monotonic()
        display.say(f"system  unit 0 ends at -6 θ, the loss is least at θ = -1/6\nrun     {folder.path}")
        path, system = learn(run)
        diverged = not abs(path[-1][1]) <= FAR
        write_text(staging.config, config.to_yaml(run, __version__))
        for step, theta in path[:: -(-len(path) // LINES)]:
            staging.append_metrics({"step": step, "theta": theta})
        facts = {"theta": path[-1][1] if math.isfinite(path[-1][1]) else None, "diverged": diverged}
        write_tensors(staging.model, system.state_dict(), facts, run.kind)
        folder.settle(staging, run.overwrite)
    return Balanced(folder.path, path, diverged, time.monotonic() - began)


def learn(run: BalancingRun) -> tuple[list[tuple[int, float]], InfluenceBalancing]:
    """Return (step, θ) after each update, up to the first θ that is far away; and the system as it stands then."""
    settings = run.training
    system, way = InfluenceBalancing(settings.theta), method(settings)
    inputs = torch.zeros(settings.steps, 1, 0, dtype=torch.float64)
    path = [(0, settings.theta)]
    windows = way.windows(settings.steps, 0)
    updates = backward_over_time(system, inputs, system.loss, method=way)
    for window, _ in zip(windows, updates, strict=False):
        assert system.theta.grad is not None
        with torch.no_grad():
            system.theta.sub_(settings.learning_rate * system.theta.grad)
        system.theta.grad = None
        path.append((window.position + window.length, float(system.theta.detach())))
        if not abs(path[-1][1]) <= FAR:
            break
    return path, system


def draw(found: Balanced, run: BalancingRun) -> Path:
    """Draw the effect of θ by the steps that truncation sees, and the way of θ."""
    import matplotlib
    from matplotlib.figure import Figure

    from ostinato.training.comparison.picture import STYLE

    path = found.folder / "theta.svg"
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.0, 3.0), layout="constrained")
        effect, way = figure.subplots(1, 2)
        effect.plot(range(1, 101), InfluenceBalancing().effect(100))
        effect.axhline(0, color="0.6", linewidth=0.6)
        effect.set(title="Effect of θ on unit 0, truncated", xlabel="steps", ylabel="slope")
        way.plot(*zip(*found.path, strict=True), drawstyle="steps-post")
        way.axhline(BEST, color="0.6", linewidth=0.6)
        way.set(title=f"θ by {run.training.gradient}, and -1/6", xlabel="steps", ylim=(-1.0, 2.0))
        figure.savefig(path, metadata={"Date": None})
    return path
