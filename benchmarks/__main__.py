"""`make bench`: measured figures beside the peers, in one run, with machine and commit.

python -m benchmarks [SUITE]...           measure, print, and write results/SUITE.json
python -m benchmarks [SUITE]... --quick   a glance: fewer points and turns, nothing is written
python -m benchmarks report               put all saved results into benchmarks/README.md
python -m benchmarks [SUITE]... --markdown   print saved results as Markdown
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import report
from benchmarks.machine import describe, take_cores
from benchmarks.settings import Settings, find_peers
from benchmarks.suites import GROUPS, SUITES

RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = f"{', '.join([*SUITES, *GROUPS])}, report; all suites where none is named"
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=known)
    parser.add_argument("--quick", action="store_true", help="fewer points and turns; nothing is written without --out")
    parser.add_argument("--threads", type=int, default=2, help="cores and threads of every contender (default 2)")
    parser.add_argument("--out", type=Path, help="folder of results (default benchmarks/results)")
    parser.add_argument("--markdown", action="store_true", help="print what was saved, measure nothing")
    options = parser.parse_args(arguments)
    results = options.out or RESULTS
    if options.suites == ["report"]:
        report.README.write_text(report.page(results), encoding="utf-8")
        return 0
    unknown = set(options.suites) - {*SUITES, *GROUPS}
    if unknown:
        parser.error(f"unknown suite {', '.join(sorted(unknown))}. Known are {known}")
    names = _expanded(options.suites)
    if options.markdown:
        print(report.text(results, names))
        return 0
    _measure(names, options.threads, options.quick, None if options.quick and not options.out else results)
    return 0


def _expanded(names: Sequence[str]) -> list[str]:
    """Return the suites asked for, groups replaced by what they hold, each once."""
    given = [suite for name in names for suite in GROUPS.get(name, (name,))]
    return list(dict.fromkeys(given or SUITES))


def _measure(names: Sequence[str], threads: int, quick: bool, results: Path | None) -> None:
    take_cores(threads)
    machine = describe()
    print("   ".join(f"{key} {value}" for key, value in machine.items()))
    found = Settings(quick)
    find_peers(found)
    for name in names:
        suite, settings = SUITES[name], replace(found, skipped=dict(found.skipped))
        print(f"\n{name}: {suite.table.title}")
        rows = suite.measure(settings)
        if results:
            saved = {"machine": machine, "skipped": settings.skipped, "rows": rows}
            results.mkdir(exist_ok=True)
            (results / f"{name}.json").write_text(json.dumps(saved, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
