"""The embedded Reber grammar (Reber, 1967; Cleeremans, Servan-Schreiber and McClelland, 1989; as in Hochreiter and
Schmidhuber, 1997, section 5.1, figures 3 and 4)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ostinato.data.tasks.sequence_task import Sequences, SequenceTask, uniform

SYMBOLS = "BTPSXVE"
# node → its two ways on, each (symbol, next node); a node with one way has it twice
INNER = {
    0: ("B1", "B1"),
    1: ("T2", "P3"),
    2: ("S2", "X4"),
    3: ("T3", "V5"),
    4: ("X3", "S6"),
    5: ("P4", "V6"),
    6: ("E7", "E7"),
}


def _graph() -> tuple[Tensor, Tensor]:
    """Return symbols and next nodes, both (nodes, 2), of the whole grammar: B, T or P, an inner string, the same, E.

    Nodes: 0 start, 1 choice, 2 to 8 the inner grammar after T, 9 to 15 after P, 16 and 17 the ends, 18 E, 19 over.
    """
    ways: dict[int, tuple] = {0: (("B", 1), ("B", 1)), 1: (("T", 2), ("P", 9))}
    for begin, end in ((2, 16), (9, 17)):
        for node, both in INNER.items():
            ways[begin + node] = tuple((w[0], end if w[1] == "7" else begin + int(w[1])) for w in both)
    ways |= {16: (("T", 18),) * 2, 17: (("P", 18),) * 2, 18: (("E", 19),) * 2, 19: (("E", 19),) * 2}
    symbols = torch.tensor([[SYMBOLS.index(s) for s, _ in ways[n]] for n in range(20)])
    return symbols, torch.tensor([[node for _, node in ways[n]] for n in range(20)])


class EmbeddedReber(SequenceTask):
    """Predict each next symbol of a string of the grammar; the last but one repeats the second.

    Where the grammar has two ways on, each is taken half of the time. Right is a prediction that puts every possible
    symbol above every other. `length` is the longest string, in symbols: the one in 2,000 that is longer than 50 is cut
    off there. Solved in 1997: every symbol of 256 strings to train on and 256 others right; here strings are drawn
    anew, and at most 1 of 2,560 is wrong.
    """

    input_size = 7
    output_size = 7
    target: ClassVar = "classes"
    default_length = 50
    least_length = 9

    def draw(self, count: int, generator: Generator | None = None) -> Sequences:
        """Return strings without their last symbol; at each step the next symbol, and all that are possible."""
        emitted, following = _graph()
        node = torch.zeros(count, dtype=torch.int64)
        choices = uniform(0, 1, (self.length, count), generator)
        symbols, nodes = [], []
        for choice in choices:
            symbols.append(emitted[node, choice])
            node = following[node, choice]
            nodes.append(node)
        over = torch.stack(nodes) == 19
        lengths = ((~over).sum(0) + 1).clamp(max=self.length) - 1  # the last symbol is read by no one
        steps = int(lengths.max())
        string = torch.stack(symbols)
        possible = F.one_hot(emitted[torch.stack(nodes)], len(SYMBOLS)).any(2)[:steps]
        counted = torch.arange(steps)[:, None] < lengths
        inputs = F.one_hot(string[:steps], len(SYMBOLS)).float()
        return Sequences(inputs, string[1 : steps + 1], counted, lengths, possible)

    @property
    def chance(self) -> float:
        """All symbols as likely."""
        return math.log(len(SYMBOLS))
