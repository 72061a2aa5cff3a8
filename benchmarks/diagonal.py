"""Cells whose units do not meet: how much of the memory's bandwidth their loops reach, and what a whole call takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

import ostinato
from benchmarks import table, torch_peer
from benchmarks.machine import take_turns
from benchmarks.problem import problem
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from ostinato.unroll.native.compiled import Compiled, compiled
from ostinato.unroll.native.engine import LoopCall, sequence_of

CELLS = ("mingru", "minlstm", "sru", "sru-input-gates", "indrnn", "lru", "rglru")
SIZES = ((1, 16_384, 256), (8, 2_048, 256), (32, 512, 256), (32, 1_024, 512))
QUICK = ((8, 2_048, 256),)
OF_BANDWIDTH = 0.5
"""What a loop moves, of what copying with a sum moves at the same time."""
LONGEST_EAGER = 2_048
"""Steps; with more, one turn of the eager loop takes seconds."""
NUMBERS = 1 << 24
"""Of each of the three arrays that the memory's bandwidth is measured with: twice what the last cache holds."""


def measure(settings: Settings) -> list[Row]:
    """Print and return the table."""
    return table.show(TABLE, _rows(settings))


def _rows(settings: Settings) -> Iterator[Row]:
    for name in CELLS:
        for size in QUICK if settings.quick else SIZES:
            yield _row(name, size, settings)


def _row(name: str, size: tuple[int, int, int], settings: Settings) -> Row:
    batch, steps, hidden = size
    with torch.random.fork_rng():
        torch.manual_seed(0)
        cell = ostinato.CATALOGUE[name].build(hidden, hidden)
    given, loop = problem(batch, steps, hidden), Loop.of(cell, batch, steps)
    a, b, c = (torch.ones(NUMBERS) for _ in range(3))
    contenders = {
        "triad": lambda: torch.add(a, b, alpha=0.5, out=c),
        "loop forward": loop.forward,
        "loop": loop.both,
        "native": torch_peer.ours(cell, given, "native"),
    }
    for engine in ("parallel", "eager"):
        if engine == "eager" and steps > LONGEST_EAGER:
            continue
        try:
            contenders[engine] = torch_peer.ours(cell, given, engine)
        except ostinato.EngineError as refused:
            settings.skip(f"{engine} {name}", str(refused))
    seconds = (row := table.times(take_turns(contenders, settings.budget)))["seconds"]
    moved = {
        "triad": 12 * NUMBERS,
        "loop forward": loop.forward_bytes,
        "loop": loop.forward_bytes + loop.backward_bytes,
    }
    speeds = {key: count / seconds[key] / 1e9 for key, count in moved.items()}
    ratios = {"forward share": speeds["loop forward"] / speeds["triad"], "share": speeds["loop"] / speeds["triad"]}
    ratios |= {key: seconds[key] / seconds["native"] for key in ("parallel", "eager") if key in seconds}
    targets = [
        table.at_least("forward", ratios["forward share"], OF_BANDWIDTH),
        table.at_least("forward and backward", ratios["share"], OF_BANDWIDTH),
    ]
    head = {"cell": name, "size": list(size), "plan": str(ostinato.plan(cell)), "speeds": speeds}
    return {**head, **row, "ratios": ratios, "targets": targets}


@dataclass(frozen=True)
class Loop:
    """The compiled loop of a cell, what comes before and after it left out."""

    call: LoopCall
    tensors: tuple[Tensor, ...]
    arriving: Mapping[str, Tensor | None]
    forward_bytes: int
    """Read or written once: what comes in, states, outputs, what is kept for the backward pass."""
    backward_bytes: int

    @classmethod
    def of(cls, cell: ostinato.EquationCell, batch: int, steps: int) -> Loop:
        """Return the loop over so many rows and steps, with random numbers from before it."""
        known, rows = compiled(cell.definition), batch * steps
        assert isinstance(known, Compiled)
        with torch.no_grad():
            data = torch.randn(rows, cell.input_size, generator=torch.Generator().manual_seed(0))
            values = known.before_loop(cell.bind(), data, None)
            given = [sequence_of(values[name], rows, data.dtype) for name in known.given]
            parameters = [torch.as_tensor(values[name]).detach().contiguous() for name in known.parameters]
        starts = [torch.zeros(batch, n) for n in cell.definition.states.values()]
        wiring = known.wiring(False, False, False)
        constants = {name: float(values[value]) for name, value in known.constants.items()}
        call = LoopCall(wiring, (batch,) * steps, batch, constants, None)
        tensors = (*given, *parameters, *starts)
        named = call.forward(tensors, save=True)[1]
        output = wiring.results[0]
        arriving = dict.fromkeys(wiring.arriving) | {f"d {output}": torch.randn_like(named[output])}
        every = {id(t): t for t in named.values() if isinstance(t, Tensor) and t.dim() == 2 and len(t) == rows}
        read = [*(named[name] for name in wiring.saved), *arriving.values()]
        written = sum(4 * rows * width for width, _ in known.passes.backward.widths_written.values())
        return cls(call, tensors, arriving, _bytes(every.values()), _bytes(read) + written)

    def forward(self) -> None:
        """Run it as a training step does."""
        self.call.forward(self.tensors, save=True)

    def both(self) -> None:
        """Run it there and back."""
        named = self.call.forward(self.tensors, save=True)[1]
        self.call.backward(named, self.arriving)


def _bytes(tensors: Iterable[Tensor | None]) -> int:
    return sum(t.nbytes for t in tensors if t is not None)


def _speed(heading: str, name: str) -> table.Column:
    return table.Column(heading, len(heading), lambda row: f"{row['speeds'][name]:.1f}" if "speeds" in row else "")


def _share(heading: str, name: str) -> table.Column:
    return table.Column(heading, len(heading), lambda row: f"{row['ratios'][name]:.0%}" if "ratios" in row else "")


TABLE = Table(
    "Cells whose units do not meet",
    "float32. `loop` is what the compiled loop moves between memory and processor, forward (`fwd`) and forward and"
    " backward (`both`): every number that it reads or writes counted once, the products before and after it left out,"
    f" fresh memory for its results included. It is to reach {OF_BANDWIDTH:.0%} of `triad`, a + 0.5 b into an array"
    " that exists, measured in the same turns. `ms` are whole calls with the gradients of inputs and weights, products"
    " included, on each engine; the eager one only up to"
    f" {LONGEST_EAGER:,} steps.",
    (
        table.plain("cell", -15, "cell"),
        table.size(-16),
        _speed("triad GB/s", "triad"),
        _speed("fwd GB/s", "loop forward"),
        _speed("both GB/s", "loop"),
        _share("fwd share", "forward share"),
        _share("both share", "share"),
        table.spread("loop"),
        table.milliseconds("native ms", "native"),
        table.milliseconds("parallel ms", "parallel"),
        table.milliseconds("eager ms", "eager"),
        table.VERDICT,
    ),
)
