"""The layers' door: batch-first, packed and jagged inputs are read as (T, B, D) with lengths, and given back."""

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence, pad_sequence

from ostinato import ConfigError, Recurrent
from ostinato.layers.ragged import enter

D, H = 3, 4
LENGTHS = [2, 4, 1]
ROWS = [torch.randn(n, D, generator=torch.Generator().manual_seed(n), dtype=torch.float64) for n in LENGTHS]
PADDED = pad_sequence(ROWS)


def layer(**options):
    torch.manual_seed(0)
    return Recurrent("lstm", D, H, 2, bidirectional=True, dtype=torch.float64, **options)


def jagged(rows, requires_grad=False):
    return torch.nested.nested_tensor(rows, layout=torch.jagged, requires_grad=requires_grad)


def assert_same(got, expected):
    torch.testing.assert_close(got, expected)


def padded_results(**options):
    """Return (the outputs of each row, the state) from padded inputs with lengths."""
    outputs, state = layer()(PADDED, lengths=torch.tensor(LENGTHS), **options)
    return [outputs[:n, b] for b, n in enumerate(LENGTHS)], state


def test_batch_first_turns_inputs_and_outputs():
    outputs, state = layer(batch_first=True)(PADDED.transpose(0, 1), lengths=torch.tensor(LENGTHS))
    rows, expected = padded_results()
    assert_same([outputs[b, :n] for b, n in enumerate(LENGTHS)], rows)
    assert_same(state, expected)


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2]], ids=["unsorted", "sorted"])
def test_a_packed_sequence_gives_what_lengths_give(order):
    packed = pack_sequence([ROWS[b] for b in order], enforce_sorted=order == [1, 0, 2])
    outputs, state = layer()(packed)
    rows, expected = padded_results()
    unpacked, lengths = pad_packed_sequence(outputs)
    assert isinstance(outputs, PackedSequence)
    assert_same([unpacked[:n, k] for k, n in enumerate(lengths)], [rows[b] for b in order])
    assert_same([leaf for s in state for leaf in s], [leaf[order] for s in expected for leaf in s])


def test_a_packed_sequence_comes_back_as_it_was_packed():
    packed = pack_sequence(ROWS, enforce_sorted=False)
    outputs, _ = layer()(packed)
    for kept in ("batch_sizes", "sorted_indices", "unsorted_indices"):
        assert torch.equal(getattr(outputs, kept), getattr(packed, kept))


def test_batch_first_says_nothing_of_packed_sequences():
    packed = pack_sequence(ROWS, enforce_sorted=False)
    assert_same(layer(batch_first=True)(packed)[0].data, layer()(packed)[0].data)


def test_a_jagged_tensor_gives_what_lengths_give():
    outputs, state = layer()(jagged(ROWS))
    rows, expected = padded_results()
    assert_same(list(outputs.unbind()), rows)
    assert_same(state, expected)


def test_a_jagged_tensor_passes_gradients():
    inputs = jagged(ROWS, requires_grad=True)
    layer()(inputs)[0].values().pow(2).sum().backward()
    padded = PADDED.clone().requires_grad_()
    layer()(padded, lengths=torch.tensor(LENGTHS))[0].pow(2).sum().backward()
    assert_same(list(inputs.grad.unbind()), [padded.grad[:n, b] for b, n in enumerate(LENGTHS)])


def test_jagged_outputs_are_as_ragged_as_the_inputs():
    torch.manual_seed(0)
    inputs = jagged(ROWS)
    outputs, _ = Recurrent("gru", D, D, dtype=torch.float64)(inputs)
    assert_same((outputs + inputs).values(), outputs.values() + inputs.values())


def test_a_jagged_row_may_be_empty():
    outputs, state = layer()(jagged([ROWS[0], ROWS[1][:0]]))
    assert [len(row) for row in outputs.unbind()] == [2, 0]
    assert all((leaf[1] == 0).all() for s in state for leaf in s)


def test_all_jagged_rows_may_be_empty():
    outputs, _ = layer()(jagged([ROWS[0][:0], ROWS[1][:0]]))
    assert outputs.values().shape == (0, 2 * H)


def test_a_jagged_view_with_gaps_between_its_rows_is_read():
    starts, lengths = torch.tensor([1, 0, 2]), torch.tensor([2, 4, 1])
    base = torch.randn(3, 6, D, dtype=torch.float64)
    outputs, _ = layer()(torch.nested.narrow(base, 1, starts, lengths, layout=torch.jagged))
    rows = [base[b, s : s + n] for b, (s, n) in enumerate(zip(starts, lengths, strict=True))]
    assert_same(list(outputs.unbind()), list(layer()(jagged(rows))[0].unbind()))


@pytest.mark.parametrize("form", ["batch first", "packed", "jagged"])
def test_every_steps_state_has_the_form_of_the_outputs(form):
    given = {
        "batch first": PADDED.transpose(0, 1),
        "packed": pack_sequence(ROWS, enforce_sorted=False),
        "jagged": jagged(ROWS),
    }[form]
    torch.manual_seed(0)
    gru = Recurrent("gru", D, H, dtype=torch.float64, batch_first=form == "batch first")
    outputs, _, (states,) = gru(given, return_states=True)
    assert type(states) is type(outputs)
    values = {"batch first": lambda v: v, "packed": lambda v: v.data, "jagged": lambda v: v.values()}[form]
    assert_same(values(states), values(outputs))


def test_resets_and_lengths_stand_batch_first_as_the_inputs_do():
    inputs = torch.randn(3, 5, D, dtype=torch.float64)
    reset = torch.rand(3, 5) < 0.4
    lengths = torch.tensor([5, 2, 0])
    outputs, state = layer(batch_first=True)(inputs, lengths=lengths, reset=reset)
    expected, last = layer()(inputs.transpose(0, 1), lengths=lengths, reset=reset.T)
    assert_same((outputs, state), (expected.transpose(0, 1), last))


def test_resets_stand_padded_beside_a_packed_sequence():
    reset = torch.tensor([[0, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=torch.bool)
    outputs, _ = layer()(pack_sequence(ROWS, enforce_sorted=False), reset=reset)
    unpacked, _ = pad_packed_sequence(outputs)
    expected, _ = padded_results(reset=reset)
    assert_same([unpacked[:n, b] for b, n in enumerate(LENGTHS)], expected)


def test_times_stand_batch_first_as_the_inputs_do():
    torch.manual_seed(0)
    text = "h' = tanh(W @ x + U @ h * exp(-dt))"
    time_first = Recurrent(text, D, H, dtype=torch.float64)
    batch_first = Recurrent(text, D, H, dtype=torch.float64, batch_first=True)
    batch_first.load_state_dict(time_first.state_dict())
    dt = torch.rand(4, 3, dtype=torch.float64)
    outputs, _ = batch_first(PADDED.transpose(0, 1), dt=dt.T)
    assert_same(outputs, time_first(PADDED, dt=dt)[0].transpose(0, 1))


@pytest.mark.parametrize("given", [pack_sequence(ROWS, enforce_sorted=False), jagged(ROWS)], ids=["packed", "jagged"])
def test_lengths_beside_an_input_that_has_its_own_are_refused(given):
    with pytest.raises(ConfigError, match="lengths: given beside a packed or jagged input") as caught:
        enter(given, torch.tensor(LENGTHS), False)
    assert caught.value.advice == "Leave lengths out"


def nested_of_strided_layout():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that the layout is a prototype
        return torch.nested.nested_tensor(ROWS)


REFUSED = {
    "strided": (nested_of_strided_layout, "a nested tensor of strided layout"),
    "ragged in its features": (lambda: jagged(ROWS).transpose(1, 2), "shape (3, 3, j"),
    "a list": (lambda: ROWS, "list, not a tensor"),
    "nothing": (lambda: None, "NoneType, not a tensor"),
}


@pytest.mark.parametrize(("make", "got"), REFUSED.values(), ids=REFUSED.keys())
def test_other_forms_are_refused(make, got):
    with pytest.raises(ConfigError, match="inputs: ") as caught:
        layer()(make())
    assert caught.value.got.startswith(got)
    assert caught.value.possible


@pytest.mark.parametrize("name", ["inputs", "reset", "dt"])
def test_batch_first_needs_two_axes_to_turn(name):
    given = {"inputs": PADDED.transpose(0, 1), name: torch.zeros(3)}
    with pytest.raises(ConfigError, match="With batch_first its first axes are") as caught:
        layer(batch_first=True)(**given)
    assert (caught.value.where, caught.value.got) == (name, "shape (3,)")
