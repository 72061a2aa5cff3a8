"""`Stream`: a cell in use, one step at a time, its state kept from call to call."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError
from ostinato.cells.cell import Cell, State
from ostinato.unroll.call import check_times
from ostinato.unroll.native.stepper import Stepper
from ostinato.unroll.plan import Call, why_not_native


class Stream:
    """Feed a trained cell one step at a time, as its input arrives.

    >>> import torch, ostinato
    >>> stream = Stream(ostinato.GRU(32, 64))
    >>> stream(torch.zeros(1, 32)).shape, stream.state.shape
    (torch.Size([1, 64]), torch.Size([1, 64]))

    It gives what `unroll` gives, step by step, without gradients. The weights are those the cell has when the stream is
    made. A compiled loop takes the steps where one can; `engine` says which engine does, and why.
    """

    def __init__(self, cell: Cell, batch_size: int = 1, state: State = None):
        if not isinstance(cell, Cell):
            raise ConfigError("cell", f"{type(cell).__name__} was given", "A stream takes an ostinato.Cell")
        if batch_size < 1:
            raise ConfigError("batch_size", f"{batch_size} was given", "A stream has at least one row")
        if cell.draws:
            raise ConfigError("cell", "it is training, and draws by chance", "A stream is for use", "Call cell.eval()")
        self.cell, self.batch_size = cell, batch_size
        self._bound = cell.bind()
        weight = next(cell.parameters(), torch.empty(0))
        self.dtype, self.device = weight.dtype, weight.device
        reason = why_not_native(self._bound, Call(weight.dtype, weight.dtype, device=weight.device.type))
        if weight.dtype not in (torch.float32, torch.float64):
            reason = reason or f"its steps are float32 or float64, not {weight.dtype}"
        self.engine = "native" if reason is None else f"eager (not native: {reason})"
        self._stepper = Stepper(self._bound, batch_size, weight.dtype) if reason is None else None  # type: ignore[arg-type]
        self._structure = pytree.tree_structure(self._initial())
        self._state: State = self._initial()
        self.state = self._initial() if state is None else state

    def __call__(self, x: Tensor, dt: Tensor | None = None) -> Tensor:
        """Take one step: x (B, input_size), and dt (B,) where the equations use it, to the output (B, output_size)."""
        if x.shape != (self.batch_size, self._bound.input_size) or x.dtype != self.dtype:
            wanted = f"{self.dtype} of shape {(self.batch_size, self._bound.input_size)}"
            raise ConfigError("x", f"{x.dtype} of shape {tuple(x.shape)}", f"This stream takes {wanted}")
        if self._bound.uses_dt and (dt is None or dt.shape != (self.batch_size,)):
            raise ConfigError("dt", "none was given" if dt is None else f"shape {tuple(dt.shape)}", "It is (B,)")
        if dt is not None:
            check_times(self._bound, dt)
        if self._stepper is None:
            with torch.no_grad():
                times = (dt,) if self._bound.uses_dt else ()
                output, self._state = self.cell.step(x, self._state, *times)
            return output
        given = {"x": x.contiguous()}
        if self._bound.uses_dt:
            assert dt is not None
            given["dt"] = dt.to(self.dtype).contiguous()
        output = torch.empty(self.batch_size, self._stepper.output_size, dtype=self.dtype)
        self._stepper.step(given, output)
        return output

    @property
    def state(self) -> State:
        """The state after the last step, in the cell's own structure: a copy. Assign one to go on from it."""
        leaves = pytree.tree_leaves(self._state) if self._stepper is None else self._stepper.state
        return pytree.tree_unflatten([leaf.clone() for leaf in leaves], self._structure)

    @state.setter
    def state(self, value: State) -> None:
        given, expected = pytree.tree_leaves(value), pytree.tree_leaves(self._initial())
        if [g.shape for g in given] != [e.shape for e in expected]:
            shapes = ", ".join(str(tuple(e.shape)) for e in expected)
            raise ConfigError("state", ", ".join(str(tuple(g.shape)) for g in given), f"This cell's state is {shapes}")
        if self._stepper is None:
            copies = [g.detach().to(self.dtype).clone() for g in given]
            self._state = pytree.tree_unflatten(copies, self._structure)
            return
        for own, new in zip(self._stepper.state, given, strict=True):
            own.copy_(new.detach())

    def reset(self, rows: Tensor | None = None) -> None:
        """Go back to the cell's initial state: all rows, or those that `rows` (B,) bool marks."""
        initial = self._initial()
        if rows is not None:
            initial = pytree.tree_map(
                lambda old, new: torch.where(rows.view(-1, *[1] * (old.dim() - 1)), new, old), self.state, initial
            )
        self.state = initial

    def _initial(self) -> State:
        state = self._bound.initial_state(self.batch_size, device=self.device, dtype=self.dtype)
        return pytree.tree_map(lambda leaf: leaf.detach(), state)
