"""Resident memory of training on a text of 1 GB, beside the same run on a text of 1 MB."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

SIZES = {"1 MB": 1_000_000, "1 GB": 1_000_000_000}
ARGUMENTS = ["--steps", "100", "--validate-every", "100", "--sample-length", "0", "--overwrite"]
LINE = "{:>9}  The same short figure returns while everything else changes, {} times over.\n"


def measure() -> list[dict]:
    rows = []
    print(f"{'text':<8}{'peak resident MB':>18}{'seconds':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            text = Path(folder) / "text.txt"
            _write(text, size)
            rows.append(_row(name, text))
    print(f"the text costs {(rows[1]['peak'] - rows[0]['peak']) / 1e6:,.0f} MB beyond what a small one does")
    return rows


def _write(path: Path, size: int) -> None:
    written = number = 0
    with path.open("w") as file:
        while written < size:
            block = "".join(LINE.format(k, k * 7919 % 10007) for k in range(number, number + 10_000))
            number += 10_000
            written += file.write(block[: size - written])


def _row(name: str, text: Path) -> dict:
    command = [
        sys.executable,
        "-m",
        "ostinato.cli",
        "train",
        "language-model",
        str(text),
        "--out",
        f"{text.parent}/run",
    ]
    began = time.perf_counter()
    process = psutil.Popen([*command, *ARGUMENTS], stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    if process.wait():
        raise SystemExit(f"training on the text of {name} failed with exit code {process.returncode}")
    seconds = time.perf_counter() - began
    print(f"{name:<8}{peak / 1e6:>18,.0f}{seconds:>10.0f}")
    return {"text": name, "peak": peak, "seconds": seconds}
