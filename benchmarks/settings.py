"""What a run of the benchmarks measures: how long, and against which peers."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from types import ModuleType

from benchmarks.machine import Budget

_MODULES = {"JAX": "benchmarks.jax_peer", "ONNX Runtime": "benchmarks.onnx_peer"}


@dataclass
class Settings:
    """How long to measure, the peers that are installed, and what was skipped with the reason."""

    quick: bool = False
    jax: ModuleType | None = None
    onnx: ModuleType | None = None
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def budget(self) -> Budget:
        """The turns of one row."""
        return Budget(seconds=0.4, least=2, most=5) if self.quick else Budget(seconds=2.0, least=5, most=30)

    def skip(self, what: str, reason: str) -> None:
        """Note once that something is left out, and print it."""
        if what not in self.skipped:
            print(f"{what} skipped: {reason}")
        self.skipped[what] = reason


def find_peers(settings: Settings) -> None:
    """Load the peers that are installed; the others are skipped, with the reason."""
    settings.jax, settings.onnx = (_load(settings, name) for name in _MODULES)
    if settings.jax:
        settings.jax.start()


def _load(settings: Settings, name: str) -> ModuleType | None:
    try:
        return importlib.import_module(_MODULES[name])
    except ModuleNotFoundError as error:
        settings.skip(name, f"{error.name} is not installed (pip install -e '.[bench]')")
        return None
