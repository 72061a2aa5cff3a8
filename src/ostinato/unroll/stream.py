"""`Stream`: a cell in use, one step at a time, its state kept from call to call."""

from __future__ import annotations

import copy
import threading

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError
from ostinato.cells.cell import Cell, State
from ostinato.unroll import unroll
from ostinato.unroll.call import check_times, checked_state, form, starting_state
from ostinato.unroll.native.compiler import NotBuilt
from ostinato.unroll.native.stepper import Stepper
from ostinato.unroll.plan import Call, why_not_native


class Stream:
    """Feed a trained cell one step at a time, as its input arrives.

    >>> import torch, ostinato
    >>> stream = Stream(ostinato.GRU(32, 64))
    >>> stream(torch.zeros(1, 32)).shape, stream.state.shape
    (torch.Size([1, 64]), torch.Size([1, 64]))

    It gives what `unroll` gives, step by step, without gradients. The weights are those the cell has when the stream is
    made: `cell` is a copy. A compiled loop takes the steps where one can; `engine` says which engine does, and why.
    A copy of a stream, or one from a pickle, goes on from the same state; threads that share one take turns.

    Raises ConfigError for what does not fit the cell, its type or its device.
    """

    def __init__(self, cell: Cell, batch_size: int = 1, state: State = None):
        if not isinstance(cell, Cell):
            raise ConfigError("cell", f"{type(cell).__name__} was given", "A stream takes an ostinato.Cell")
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ConfigError("batch_size", f"{batch_size!r} was given", "A stream has a whole number of rows, above 0")
        if cell.draws:
            raise ConfigError("cell", "it is training, and draws by chance", "A stream is for use", "Call cell.eval()")
        with torch.inference_mode(False), torch.no_grad():
            self.cell, self.batch_size = copy.deepcopy(cell), batch_size
            self._bound = self.cell.bind()
            tensors = (t for t in (*cell.parameters(), *cell.buffers()) if t.is_floating_point())
            like = next(tensors, torch.empty(0, device="cpu"))
            self.dtype, self.device = like.dtype, like.device
            self._wanted = torch.Size((batch_size, self._bound.input_size))
            self._start = starting_state(self._bound, None, batch_size, like)
            self._stepper, reason = self._compiled()
            self.engine = "native" if reason is None else f"eager (not native: {reason})"
        self._turn = threading.Lock()
        self._state: State = None
        self.state = self._start if state is None else state

    def __call__(self, x: Tensor, dt: Tensor | None = None) -> Tensor:
        """Take one step: x (B, input_size), and dt (B,) where the equations use it, to the output (B, output_size)."""
        if not isinstance(x, Tensor) or x.shape != self._wanted or x.dtype != self.dtype or x.device != self.device:
            wanted = f"{self.dtype} of shape {tuple(self._wanted)} on {self.device}"
            raise ConfigError("x", _form(x), f"This stream takes {wanted}")
        if self._bound.uses_dt:
            self._check_dt(dt)
        if self._stepper is None:
            with torch.no_grad(), self._turn:
                times = dt[None] if self._bound.uses_dt and dt is not None else None
                outputs, self._state = unroll(self.cell, x[None], self._state, dt=times, engine="eager")
            return outputs[0]
        given = {"x": x.contiguous()}
        if self._bound.uses_dt and dt is not None:
            given["dt"] = dt.to(self.dtype).contiguous()
        output = torch.empty(self.batch_size, self._stepper.output_size, dtype=self.dtype, device=self.device)
        with self._turn:
            self._stepper.step(given, output)
        return output

    @property
    def state(self) -> State:
        """The state after the last step, in the cell's own structure: a copy. Assign one to go on from it."""
        if self._stepper is not None:
            return self._stepper.state
        return pytree.tree_map(torch.clone, self._state)

    @state.setter
    def state(self, value: State) -> None:
        leaves, structure = pytree.tree_flatten(self._start)
        given = [leaf.detach() for leaf in checked_state(value, leaves)]
        if self._stepper is not None:
            self._stepper.state = pytree.tree_unflatten(given, structure)
        else:
            self._state = pytree.tree_unflatten([leaf.clone() for leaf in given], structure)

    def reset(self, rows: Tensor | None = None) -> None:
        """Go back to the cell's initial state: all rows, or those that `rows` (B,) bool marks."""
        if rows is None:
            self.state = self._start
            return
        if not isinstance(rows, Tensor) or rows.dtype != torch.bool or rows.shape != (self.batch_size,):
            raise ConfigError("rows", _form(rows), f"It is one bool for each of the {self.batch_size} rows")

        def chosen(old: Tensor, new: Tensor) -> Tensor:
            return torch.where(rows.to(old.device).view(-1, *[1] * (old.dim() - 1)), new, old)

        self.state = pytree.tree_map(chosen, self.state, self._start)

    def __reduce__(self):
        """Copy or pickle the weights and the state: a compiled step is made again."""
        return Stream, (self.cell, self.batch_size, self.state)

    def _compiled(self) -> tuple[Stepper | None, str | None]:
        """Return what takes compiled steps, or why there is none."""
        if self.dtype not in (torch.float32, torch.float64):
            return None, f"its steps are float32 or float64, not {self.dtype}"
        reason = why_not_native(self._bound, Call(self.dtype, self.dtype, device=self.device.type))
        if reason is not None:
            return None, reason
        try:
            return Stepper(self._bound, self.batch_size, self.dtype), None  # type: ignore[arg-type]
        except NotBuilt as failure:
            return None, failure.got

    def _check_dt(self, dt: Tensor | None) -> None:
        if not isinstance(dt, Tensor) or dt.shape != self._wanted[:1] or dt.device != self.device:
            wanted = f"A tensor of shape {(self.batch_size,)} on {self.device}: the time since the last step"
            raise ConfigError("dt", "none was given" if dt is None else _form(dt), wanted)
        check_times(self._bound, dt)


def _form(value: object) -> str:
    if not isinstance(value, Tensor):
        return form(value)
    return f"{value.dtype} of shape {tuple(value.shape)} on {value.device}"
