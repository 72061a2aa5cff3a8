"""`make bench`: measured figures beside plain PyTorch, in one run, with machine and commit.

python -m benchmarks [layers | memory | training]...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks import layers, memory, training
from benchmarks.machine import describe

SUITES = {"layers": layers.measure, "memory": memory.measure, "training": training.measure}
RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> int:
    unknown = set(names) - set(SUITES)
    if unknown:
        print(f"benchmarks: unknown suite {', '.join(sorted(unknown))}. Known are {', '.join(SUITES)}", file=sys.stderr)
        return 2
    machine = describe()
    print("   ".join(f"{key} {value}" for key, value in machine.items()))
    RESULTS.mkdir(exist_ok=True)
    for name in names or SUITES:
        print(f"\n{name}")
        rows = SUITES[name]()
        (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
