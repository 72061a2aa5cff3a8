"""`ostinato doctor`: prints what this machine has, and checks that the engines agree on it."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from importlib import metadata

import tyro

PACKAGES = ("torch", "numpy", "accelerate", "safetensors", "tokenizers", "tensorboard")
COMPILERS = ("c++", "g++", "clang++", "cl")
TOLERANCE = 1e-5  # float32, two layers of 32 units


@dataclass(frozen=True)
class Doctor:
    """Show versions, threads, devices and compiler, and check that the engines agree."""


def run(arguments: list[str], program: str) -> int:
    """Print one fact a line; return 1 when the check fails."""
    tyro.cli(Doctor, prog=program, args=arguments)

    import torch  # here, so that --help does without

    from ostinato._version import __version__

    _row("ostinato", __version__)
    _row("python", f"{platform.python_version()} on {platform.platform()}")
    for package in PACKAGES:
        _row(package, _version(package))
    _row("threads", f"{torch.get_num_threads()} of {os.cpu_count()} processors")
    _row("devices", ", ".join(["cpu", *_accelerators()]))
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    _row("compiler", compiler or "no C++ compiler found")
    difference = largest_difference()
    _row("engines", f"vendor and eager differ by {difference:.1e} at most; {TOLERANCE:.0e} is allowed")
    print("\nAll is well." if difference <= TOLERANCE else "\nThe engines disagree: please report this.")
    return 0 if difference <= TOLERANCE else 1


def largest_difference() -> float:
    """Return how far the engines' outputs and gradients of one small LSTM lie apart."""
    import torch

    from ostinato import Recurrent

    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = Recurrent("lstm", 32, 32, num_layers=2)
        inputs = torch.randn(20, 4, 32)
    results = []
    for engine in ("vendor", "eager"):
        layers.engine = engine
        layers.zero_grad()
        outputs, _ = layers(inputs)
        outputs.square().mean().backward()
        results.append([outputs.detach(), *(p.grad.clone() for p in layers.parameters() if p.grad is not None)])
    return max(float((a - b).abs().max()) for a, b in zip(*results, strict=True))


def _accelerators() -> list[str]:
    import torch

    names = [f"cuda: {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    return [*names, "mps"] if torch.backends.mps.is_available() else names


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _row(name: str, value: str) -> None:
    print(f"{name:<13}{value}")
