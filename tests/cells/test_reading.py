"""The step of a plain cell read into a program: the same numbers and gradients, or a reason."""

import copy
import gc
import random
import threading
import weakref

import pytest
import torch
from plain_cells import (
    EXPRESSIONS,
    READ,
    ChunkedLSTM,
    DeepTransition,
    H,
    HandCell,
    JoinedLSTM,
    PackedState,
    TwoSpeeds,
    Written,
)
from torch import nn
from torch.nn import functional as F
from torch.utils import _pytree as pytree

from ostinato import LSTM
from ostinato.cells.reading import BoundReading, Unreadable, read_step, why_unreadable
from ostinato.cells.wrappers.learned_initial_state import LearnedInitialState
from ostinato.equations.program import PRODUCTS, check
from ostinato.equations.torch_reader import compile_torch

ROWS = 5


def made(make):
    torch.manual_seed(0)
    return make().double()


def drawn(cell, rows=ROWS):
    """Return random x, state and times, to be differentiated."""
    source = torch.Generator().manual_seed(1)

    def draw(like):
        return torch.randn(like.shape, generator=source, dtype=torch.float64).requires_grad_()

    state = pytree.tree_map(draw, cell.initial_state(rows, dtype=torch.float64))
    times = [torch.rand(rows, generator=source, dtype=torch.float64).requires_grad_()] if cell.uses_dt else []
    return draw(torch.empty(rows, cell.input_size)), state, times


def by_program(cell, x, state, times):
    """Return (output, state after) of one step, by the program alone."""
    reading = read_step(cell)
    names = [s.name for s in reading.fused.states]
    values = {"x": x, **dict(zip(names, reading.state_values(state), strict=True)), **reading.tensors(cell)}
    if times:
        values["dt"] = times[0][:, None]
    output, *after = compile_torch(reading.fused, reading.numbers)(values)
    return output, reading.pack_state(after)


def assert_same_step(cell, rows=ROWS, tolerance=1e-9):
    """Compare values, and the gradients of x, state, dt and parameters, with the cell's own step."""
    x, state, times = drawn(cell, rows)
    inputs = [x, *pytree.tree_leaves(state), *times, *cell.parameters()]
    results = []
    for output, after in (cell.step(x, state, *times), by_program(cell, x, state, times)):
        leaves = [output, *pytree.tree_leaves(after)]
        weighted = sum((leaf * torch.arange(1, leaf.numel() + 1).view_as(leaf)).sum() for leaf in leaves)
        results.append((leaves, torch.autograd.grad(weighted, inputs, allow_unused=True, materialize_grads=True)))
    torch.testing.assert_close(results[1], results[0], rtol=tolerance, atol=tolerance)


def reason(expression, **settings):
    cell = Written(expression)
    for name, value in settings.items():
        setattr(cell, name, value)
    return why_unreadable(cell)


# what is read


@pytest.mark.parametrize("name", READ)
def test_the_program_of_a_plain_cell_gives_its_step_and_its_gradients(name):
    assert_same_step(made(READ[name]))


@pytest.mark.parametrize("rows", [1, 2])
def test_a_program_holds_for_any_number_of_rows(rows):
    assert_same_step(made(JoinedLSTM), rows)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_of_known_operations_is_read(name):
    tolerance = 1e-6 if name == "hard gates" else 1e-9  # torch's slope of hardsigmoid is 1/6 in single precision
    assert_same_step(made(lambda: Written(EXPRESSIONS[name])), tolerance=tolerance)


def test_the_steps_of_a_layer_are_read_as_well():
    class OneLayer(HandCell):
        def __init__(self):
            super().__init__()
            self.layer = nn.RNN(self.input_size, self.hidden_size)

        def step(self, x, h):
            output, after = self.layer(x[None], h[None])
            return output[0], after[0]

    assert_same_step(made(OneLayer))


def test_weights_are_the_cell_s_own_under_their_names():
    reading = read_step(ChunkedLSTM())
    assert [p.name for p in reading.fused.parameters] == ["read_bias", "read_weight", "recur_weight"]
    assert [str(op.args[0]) for op in reading.fused.ops if op.fn in PRODUCTS] == ["read_weight", "recur_weight"]


def test_a_weight_that_meets_vectors_side_by_side_is_taken_in_blocks():
    program = check(read_step(JoinedLSTM()).fused)
    assert {p.name: p.shape for p in program.parameters} == {
        "bias": ("16",),
        "weight_x": ("16", "3"),
        "weight_s0": ("16", "4"),
    }


def test_the_states_of_a_program_bear_the_names_of_the_cell_s():
    assert [s.name for s in read_step(TwoSpeeds()).fused.states] == ["fast", "slow"]


def test_a_state_that_holds_two_vectors_is_two_states():
    reading = read_step(PackedState())
    assert [s.name for s in reading.fused.states] == ["h_0", "h_1"]
    state = torch.arange(16.0).view(2, 8)
    torch.testing.assert_close(reading.pack_state(reading.state_values(state)), state)


def test_a_norm_that_is_cut_afterwards_leaves_no_part_of_a_row_function():
    program = read_step(READ["layer-norm LSTM"]()).fused
    made_by = {op.out: op.fn for op in program.ops}
    cut = [op.args[0] for op in program.ops if op.fn == "slice"]
    assert {made_by[whole] for whole in cut if whole in made_by} == {"matmul"}


# what is refused


UNKNOWN = {
    "cumsum": lambda s, x, h: x.cumsum(-1) + h,
    "gelu": lambda s, x, h: F.gelu(x) + h,
    "roll": lambda s, x, h: x.roll(1, 0) + h,
    "flip": lambda s, x, h: x.flip(0) + h,
}
MIXING = {
    "mean": lambda s, x, h: x - x.mean(0) + h,
    "softmax": lambda s, x, h: torch.softmax(x, 0) + h,
    "sum": lambda s, x, h: x.sum() + h,
    "select": lambda s, x, h: x[0] + h,
    "slice": lambda s, x, h: x[:1] + h,
    "cat": lambda s, x, h: torch.cat([x, h]).sum(0) * h,
    "view": lambda s, x, h: x.view(-1, 1).sum(0) * h,
}
TOO_MUCH = {
    "mul": lambda s, x, h: (x[:, :, None] * h[:, None]).sum(1),
    "repeat": lambda s, x, h: x.repeat(1, 2) @ s.w.repeat(2, 1) + h,
    "einsum": lambda s, x, h: torch.einsum("bki,kij->bkj", x.view(-1, 2, 2), s.w.view(2, 2, 4)).sum(1) + h,
}
REFUSED = {
    "a branch by values": (
        lambda s, x, h: x if h.sum() > 0 else h,
        "its step decides by values it computes, as an `if` over a tensor does",
    ),
    "a branch by the number of rows": (
        lambda s, x, h: x if len(x) > 3 else h,
        "its step depends on how many rows there are",
    ),
    "a branch for one row": (
        lambda s, x, h: x if x.shape[0] == 1 else h,
        "its step does something else than the operations it is made of, for one row or at random",
    ),
    "dice of Python": (
        lambda s, x, h: x * random.random() + h,
        "its step does something else than the operations it is made of, for one row or at random",
    ),
    "the number of rows": (
        lambda s, x, h: x * x.shape[0] + h,
        "its step computes with the number of rows (aten.mul)",
    ),
    "dropout": (lambda s, x, h: F.dropout(x) + h, "its step draws random numbers (aten.dropout)"),
    "noise": (lambda s, x, h: x * torch.rand_like(x) + h, "its step draws random numbers (aten.rand_like)"),
    "detach": (lambda s, x, h: x + h.detach(), "its step stops the gradient (aten.detach)"),
    "no_grad": (lambda s, x, h: x + without_gradient(h), "its step uses no_grad or enable_grad"),
    "a backward of one's own": (
        lambda s, x, h: Straight.apply(x) + h,
        "its gradients are not those of its operations, as with a backward of one's own",
    ),
    "another type": (
        lambda s, x, h: (x.double() * h).to(h.dtype),
        "its step changes the type of numbers to torch.float64",
    ),
    "a stride": (lambda s, x, h: x[:, ::2] @ s.w[:2] + h, "its step takes every second number, or fewer, of a row"),
    "vectors joined": (
        lambda s, x, h: torch.cat([x[:, :2], h[:, :2]], -1),
        "its step joins vectors (aten.cat) other than to multiply them by a matrix",
    ),
    "a product of two rows": (
        lambda s, x, h: torch.bmm(x[:, None], x[:, :, None])[:, 0] * h,
        "its step multiplies two values of a row as matrices (aten.bmm)",
    ),
    "nothing new": (
        lambda s, x, h: s.v.expand(x.shape[0], -1) + s.v,
        "its output or a state is the same at every step",
    ),
    "a shorter state": (lambda s, x, h: x[:, :2], "its state h comes back with 2 numbers, not 4"),
}


@pytest.mark.parametrize("operation", UNKNOWN)
def test_an_operation_that_the_table_does_not_know_is_named(operation):
    expected = f"its step uses aten.{operation}, which the functions table does not know"
    assert reason(UNKNOWN[operation]) == expected


@pytest.mark.parametrize("operation", MIXING)
def test_an_operation_that_mixes_the_rows_of_a_batch_is_named(operation):
    assert reason(MIXING[operation]) == f"its step mixes or moves the rows of a batch (aten.{operation})"


@pytest.mark.parametrize("operation", TOO_MUCH)
def test_an_operation_on_more_than_one_axis_of_a_row_is_named(operation):
    assert reason(TOO_MUCH[operation]) == f"its step does more with a row than take it as one vector (aten.{operation})"


@pytest.mark.parametrize("name", REFUSED)
def test_a_step_that_no_program_says_has_a_reason(name):
    expression, expected = REFUSED[name]
    assert reason(expression) == expected


def test_a_step_that_fails_says_how_it_failed():
    found = reason(lambda s, x, h: x @ h)
    assert found is not None
    assert found.startswith("torch.export cannot read its step (RuntimeError: a and b must have same reduction dim")


def without_gradient(h):
    with torch.no_grad():
        return h * 2


class Straight(torch.autograd.Function):
    """The sign, with a gradient as if it were not there."""

    @staticmethod
    def forward(ctx, x):
        return x.sign()

    @staticmethod
    def backward(ctx, g):
        return g


def test_a_step_that_fails_for_one_row_is_not_read():
    def step(s, x, h):
        if x.shape[0] == 1:
            raise ValueError("one row is too few")
        return x + h

    assert reason(step) == "reading its step failed (ValueError: one row is too few)"


def test_a_convolution_is_named():
    found = reason(lambda s, x, h: s.conv(x[:, None])[:, 0] + h, conv=nn.Conv1d(1, 1, 3, padding=1))
    assert found == "its step uses aten.conv1d, which the functions table does not know"


def test_a_norm_over_the_batch_writes_to_its_statistics():
    assert reason(lambda s, x, h: s.norm(x) + h, norm=nn.BatchNorm1d(H)) == "its step writes to norm.running_mean"


def test_a_state_of_matrices_is_refused():
    class Stack(Written):
        def initial_state(self, batch_size, *, device=None, dtype=None):
            return torch.zeros(batch_size, 2, H)

    assert (
        why_unreadable(Stack(lambda s, x, h: h))
        == "its state holds more than a vector for each row: (7, 2, 4) for 7 rows"
    )


def test_a_state_of_another_structure_is_refused():
    class Loose(HandCell):
        states = 2

        def step(self, x, state):
            return state[0], list(state)

    assert why_unreadable(Loose()) == "its state comes back in another structure"


def test_a_cell_that_sets_its_attributes_is_refused_and_left_as_it_was():
    class Counting(Written):
        seen = 0

        def step(self, x, h):
            self.seen, self.last = self.seen + 1, h
            return super().step(x, h)

    cell = Counting(lambda s, x, h: x + h)
    assert why_unreadable(cell) == "its step sets the attribute last"
    assert (cell.seen, hasattr(cell, "last")) == (0, False)


def test_reading_by_name_raises_with_the_reason():
    with pytest.raises(Unreadable, match=r"uses aten\.cumsum, which") as found:
        read_step(Written(lambda s, x, h: x.cumsum(-1) + h))
    assert found.value.reason == str(found.value)


def test_a_refusal_prints_and_logs_nothing(capfd, caplog):
    assert reason(lambda s, x, h: x if (h > 0.5).any() else h)
    assert reason(lambda s, x, h: x @ h)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


# what is remembered


def test_a_step_is_read_once():
    cell = ChunkedLSTM()
    assert read_step(cell) is read_step(cell)


def test_cells_alike_share_one_reading():
    assert read_step(ChunkedLSTM()) is read_step(copy.deepcopy(ChunkedLSTM()))


def test_cells_of_other_sizes_or_types_do_not():
    assert read_step(ChunkedLSTM()) is not read_step(ChunkedLSTM(3, 5))
    assert read_step(ChunkedLSTM()) is not read_step(ChunkedLSTM().double())


def test_training_and_evaluation_are_read_apart():
    cell = DeepTransition()
    assert why_unreadable(cell) == "its step draws random numbers (aten.dropout)"
    assert why_unreadable(cell.eval()) is None
    assert why_unreadable(cell.train()) == "its step draws random numbers (aten.dropout)"


def test_an_exchanged_part_is_noticed():
    cell = made(lambda: DeepTransition().eval())
    before = read_step(cell)
    cell.net[1] = nn.Tanh()
    assert read_step(cell) is not before
    assert_same_step(cell)


def test_an_exchanged_attribute_is_noticed():
    cell = made(lambda: Written(lambda s, x, h: s.scale * x + h))
    cell.scale = 2.0
    assert_same_step(cell)
    cell.scale = 3.0
    assert_same_step(cell)


def test_tensors_are_read_at_each_call():
    cell = made(ChunkedLSTM)
    reading = read_step(cell)
    with torch.no_grad():
        cell.read.weight.mul_(2)
    cell.recur.weight = nn.Parameter(torch.ones_like(cell.recur.weight))
    assert read_step(cell) is reading
    assert_same_step(cell)


def test_a_tensor_that_is_no_parameter_is_read_at_each_call():
    cell = made(lambda: Written(lambda s, x, h: s.scale * x + h))
    cell.scale = torch.full((H,), 2.0, dtype=torch.float64)
    assert_same_step(cell)
    reading = read_step(cell)
    cell.scale = torch.full((H,), 3.0, dtype=torch.float64)
    assert read_step(cell) is reading
    assert_same_step(cell)


def test_a_tensor_that_two_parts_share_is_noticed_when_they_part():
    cell = made(lambda: Written(lambda s, x, h: s.first(x) + s.second(h)))
    cell.first, cell.second = nn.Linear(H, H).double(), nn.Linear(H, H).double()
    cell.second.weight = cell.first.weight
    assert_same_step(cell)
    cell.second.weight = nn.Parameter(torch.randn(H, H, dtype=torch.float64))
    assert_same_step(cell)


def test_remembering_a_cell_does_not_keep_it():
    cell = Written(lambda s, x, h: x + h)
    read_step(cell)
    gone = weakref.ref(cell)
    del cell
    gc.collect()
    assert gone() is None


def test_two_threads_get_one_reading():
    cell = Written(lambda s, x, h: x * h)
    found = []
    threads = [threading.Thread(target=lambda: found.append(read_step(cell))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is found[1]


def test_reading_leaves_the_dice_alone():
    class Starting(Written):
        def initial_state(self, batch_size, *, device=None, dtype=None):
            return torch.randn(batch_size, H, dtype=dtype)

    cell = Starting(lambda s, x, h: x - h)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    read_step(cell)
    assert torch.rand(1) == expected


def test_a_cell_is_read_under_no_grad_and_autocast_as_without():
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        read_step(made(lambda: ChunkedLSTM(2, 3)))
    assert_same_step(made(lambda: ChunkedLSTM(2, 3)))


def test_a_read_cell_starts_where_its_bound_form_does():
    cell = LearnedInitialState(made(ChunkedLSTM))
    bound = BoundReading(cell.bind())
    state = bound.initial_state(2, device=torch.device("cpu"), dtype=torch.float64)
    assert all(leaf.requires_grad for leaf in state)
    assert bound.definition.states == {"s0": H, "s1": H}
    assert bound.fixed.keys() == {p.name for p in bound.definition.fused.parameters}


def test_a_cell_of_equations_is_read_as_any_other():
    assert_same_step(made(lambda: LSTM(3, 4)))
