"""`ostinato doctor`: prints what this machine has, and checks that the engines agree on it."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata

import tyro

PACKAGES = ("torch", "numpy", "accelerate", "safetensors", "tokenizers", "tensorboard")
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
    engines = _compiler_rows()
    difference = largest_difference(engines)
    _row("engines", f"{', '.join(engines)} differ by {difference:.1e} at most; {TOLERANCE:.0e} is allowed")
    print("\nAll is well." if difference <= TOLERANCE else "\nThe engines disagree: please report this.")
    return 0 if difference <= TOLERANCE else 1


def _compiler_rows() -> tuple[str, ...]:
    """Print what compiles loops and where they are kept; return the engines that work here."""
    from ostinato.unroll.native.compiler import cache_folder, find_compiler, why_not

    reason = why_not()
    if reason is not None:
        _row("compiler", f"{reason}: cells run on torch's kernels, or step by step")
        return ("vendor", "eager")
    compiler = find_compiler()
    _row("compiler", f"{compiler.path} ({compiler.version})")
    _row("loops", f"compiled ones are kept in {cache_folder()}")
    return ("vendor", "native", "eager")


def largest_difference(engines: tuple[str, ...] = ("vendor", "eager")) -> float:
    """Return how far the engines' outputs and gradients of one small LSTM lie apart."""
    import torch

    from ostinato import Recurrent

    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = Recurrent("lstm", 32, 32, num_layers=2)
        inputs = torch.randn(20, 4, 32)
    results = []
    for engine in engines:
        layers.engine = engine
        layers.zero_grad()
        outputs, _ = layers(inputs)
        outputs.square().mean().backward()
        results.append([outputs.detach(), *(p.grad.clone() for p in layers.parameters() if p.grad is not None)])
    return max(float((a - b).abs().max()) for found in results for a, b in zip(found, results[-1], strict=True))


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
