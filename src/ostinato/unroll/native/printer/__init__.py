"""A pass as C++: one self-contained text with the equations' own letters, and the arguments its function takes.

The text is a struct `Loop`, what one thread does: a function for each stage (`stage.py`), made of values that are read,
computed and stored (`values.py`), and what happens at the ends of rows and between steps (`steps.py`). What these need
of arguments and memory is noted on the way (`storage.py`) and printed above them. All that does not depend on the cell
is handwritten, in `source/*.h`, and comes before it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ostinato.unroll.native.headers import read_headers
from ostinato.unroll.native.passes import Pass
from ostinato.unroll.native.printer.lines import indent
from ostinato.unroll.native.printer.stage import print_stage
from ostinato.unroll.native.printer.steps import print_members, print_steps
from ostinato.unroll.native.printer.storage import Field, Storage

HEADERS = ("vector.h", "team.h", "product.h", "loop.h")


@dataclass(frozen=True)
class Source:
    """A printed pass."""

    text: str
    fields: tuple[Field, ...]
    own_lines: tuple[int, int]
    """Where the cell's own lines stand, below the headers that all sources share."""
    products: int
    """How many numbers of matrices a row meets in one step."""
    units: int
    """How many numbers a row has."""
    waits: bool
    """Whether threads that share units wait for each other."""

    @property
    def own(self) -> str:
        """The cell's own part of the text."""
        return "\n".join(self.text.split("\n")[self.own_lines[0] : self.own_lines[1]])


def print_pass(made: Pass, title: str, *, double: bool = False, narrow: bool = False) -> Source:
    """Return the C++ of a pass."""
    storage = Storage(made)
    stages = [line for k, stage in enumerate(made.schedule.stages) for line in print_stage(storage, k, stage)]
    loop = [*print_members(storage), *stages, *print_steps(storage)]
    # arguments and memory are known once everything that uses them is printed
    structs = [*storage.print_arguments(), *storage.print_panels(), *storage.print_memory()]
    lines = ["namespace {", "", *structs, "struct Loop : Thread {", *indent(loop), "};", "", "}  // namespace", ""]
    own = "\n".join([*lines, *_entry(made), ""])
    text = f"// {title}\n\n{read_headers(HEADERS, double=double, narrow=narrow)}\n{own}"
    first = text.count("\n", 0, len(text) - len(own))
    products = sum(p.size * p.depth for p in storage.panels)
    fields, own_lines = tuple(storage.fields.values()), (first, text.count("\n") + 1)
    return Source(text, fields, own_lines, products, made.units, made.waits)


def _entry(made: Pass) -> list[str]:
    """Return the functions that are called from outside."""
    name = "backward" if made.backward else "forward"
    return [
        "OSTINATO_EXPORT int64_t numbers_needed(int64_t batch, int64_t threads) {",
        "  Memory counted{nullptr};",
        "  Work(counted, batch, threads);",
        "  return counted.used;",
        "}",
        "OSTINATO_EXPORT int64_t packed_needed() {",
        "  Memory counted{nullptr};",
        "  Panels{counted};",
        "  return counted.used;",
        "}",
        f"OSTINATO_EXPORT void {name}(const Arguments *args, const Pool *pool, int64_t threads) {{",
        "  run_team_along_time<Loop, Panels, Work>(*args, *pool, threads);",
        "}",
    ]
