"""`ostinato.nn` in the place of `torch.nn`: constructors, weights, calls and what they return."""

import inspect

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence
from torch.utils import _pytree as pytree
from torch_pairs import B, D, H, T, assert_same, every_kind, numbers, pair, start

import ostinato
from ostinato import nn


@every_kind
def test_the_arguments_stand_where_torchs_do(kind):
    hidden = ["relu"] if kind == "RNN" else []
    given = [D, H, 2, *hidden, False, True, 0.5, True]
    theirs, ours = getattr(torch.nn, kind)(*given), getattr(nn, kind)(*given)
    for name in [
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "mode",
    ]:
        assert getattr(ours, name) == getattr(theirs, name)
    assert list(ours.state_dict()) == list(theirs.state_dict())


@every_kind
def test_every_argument_may_be_named(kind):
    given = {
        "input_size": D,
        "hidden_size": H,
        "num_layers": 2,
        "bias": False,
        "batch_first": True,
        "dropout": 0.25,
    }
    given |= {"bidirectional": True, "device": "cpu", "dtype": torch.float64}
    given |= {"RNN": {"nonlinearity": "relu"}, "GRU": {}, "LSTM": {"proj_size": 2}}[kind]
    theirs, ours = getattr(torch.nn, kind)(**given), getattr(nn, kind)(**given)
    assert repr(ours) == repr(theirs)
    assert {k: (v.shape, v.dtype) for k, v in ours.state_dict().items()} == {
        k: (v.shape, v.dtype) for k, v in theirs.state_dict().items()
    }


def test_the_lstm_takes_projection_device_and_type_by_place():
    given = [D, H, 1, True, False, 0.0, False, 2, "cpu", torch.float64]
    assert repr(nn.LSTM(*given)) == repr(torch.nn.LSTM(*given))
    assert nn.LSTM(*given).weight_hr_l0.dtype == torch.float64


def test_the_nonlinearity_may_be_named_among_others():
    layer = nn.RNN(D, H, bias=False, nonlinearity="relu")
    assert (layer.nonlinearity, layer.mode) == ("relu", "RNN_RELU")


@every_kind
def test_parameters_can_be_made_on_the_meta_device(kind):
    assert {p.device.type for p in getattr(nn, kind)(D, H, device="meta").parameters()} == {"meta"}


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"bidirectional": True, "num_layers": 2}], ids=str)
@every_kind
def test_the_same_seed_gives_torchs_numbers(kind, options):
    torch.manual_seed(3)
    theirs = getattr(torch.nn, kind)(D, H, **options)
    torch.manual_seed(3)
    ours = getattr(nn, kind)(D, H, **options)
    assert_same(list(ours.parameters()), list(theirs.parameters()), rtol=0, atol=0)


def test_the_same_seed_gives_torchs_numbers_with_a_projection():
    torch.manual_seed(3)
    theirs = torch.nn.LSTM(D, H, 2, proj_size=2)
    torch.manual_seed(3)
    assert_same(list(nn.LSTM(D, H, 2, proj_size=2).parameters()), list(theirs.parameters()), rtol=0, atol=0)


@every_kind
def test_weights_load_both_ways(kind):
    theirs, ours = (
        getattr(torch.nn, kind)(D, H, 2, bidirectional=True),
        getattr(nn, kind)(D, H, 2, bidirectional=True),
    )
    theirs.load_state_dict(ours.state_dict(), strict=True)
    ours.load_state_dict(theirs.state_dict(), strict=True)


@every_kind
def test_all_weights_are_listed_by_layer_and_direction(kind):
    theirs, ours = pair(kind, D, H, 2, bidirectional=True)
    assert_same(ours.all_weights, theirs.all_weights)
    assert [len(w) for w in ours.all_weights] == [4, 4, 4, 4]


def test_it_is_offered_as_a_name_of_the_package():
    assert ostinato.nn.LSTM is nn.LSTM


@every_kind
def test_the_call_names_its_arguments_as_torch_does(kind):
    names = list(inspect.signature(getattr(nn, kind).forward).parameters)
    assert names == list(inspect.signature(getattr(torch.nn, kind).forward).parameters)


OPTIONS = [{}, {"bias": False}, {"batch_first": True}, {"num_layers": 3, "bidirectional": True}]
every_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


@pytest.mark.parametrize("with_state", [False, True])
@every_option
@every_kind
def test_batches_give_torchs_numbers(kind, options, with_state):
    theirs, ours = pair(kind, D, H, **options)
    x = numbers(T, B, D, dtype=torch.float64)
    rows = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    hx = start(kind, rows, T if options.get("batch_first") else B) if with_state else None
    expected, got = theirs(x, hx), ours(x, hx)
    assert_same(got, expected)
    assert type(got[1]) is type(expected[1])


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("packed", [False, True])
def test_projections_give_torchs_numbers(packed):
    theirs, ours = pair("LSTM", D, H, 2, bidirectional=True, proj_size=2)
    x = numbers(T, B, D, dtype=torch.float64)
    x = pack_padded_sequence(x, torch.tensor([2, 5, 4]), enforce_sorted=False) if packed else x
    hx = start("LSTM", 4, size=2)
    assert_same(ours(x, hx), theirs(x, hx))


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [[5, 3, 1], [2, 5, 2]], ids=["sorted", "unsorted"])
@pytest.mark.parametrize("with_state", [False, True])
@every_kind
def test_packed_sequences_give_torchs_numbers(kind, with_state, lengths, batch_first):
    theirs, ours = pair(kind, D, H, 2, bidirectional=True, batch_first=batch_first)
    x = numbers(T, B, D, dtype=torch.float64)
    packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=lengths == sorted(lengths)[::-1])
    hx = start(kind, 4) if with_state else None
    expected, got = theirs(packed, hx), ours(packed, hx)
    assert_same(got, expected)
    assert_same(pad_packed_sequence(got[0]), pad_packed_sequence(expected[0]))


@every_kind
def test_jagged_tensors_are_read_too(kind):
    _, ours = pair(kind, D, H, batch_first=True)
    rows = [numbers(n, D, dtype=torch.float64) for n in (4, 1, 3)]
    outputs, _ = ours(torch.nested.nested_tensor(rows, layout=torch.jagged))
    assert_same(list(outputs.unbind()), [ours(row)[0] for row in rows])


@every_kind
def test_an_empty_batch_gives_empty_outputs(kind):
    theirs, ours = pair(kind, D, H)
    x = torch.zeros(T, 0, D, dtype=torch.float64)
    assert_same(ours(x), theirs(x))


@every_kind
def test_no_steps_give_back_the_state_where_torch_refuses(kind):
    _, ours = pair(kind, D, H)
    hx = start(kind, 1)
    outputs, state = ours(torch.zeros(0, B, D, dtype=torch.float64), hx)
    assert outputs.shape == (0, B, H)
    assert_same(state, hx)


@every_kind
def test_a_state_returned_can_be_carried_on(kind):
    _, ours = pair(kind, D, H, 2)
    x = numbers(T, B, D, dtype=torch.float64)
    first, state = ours(x[:2])
    second, last = ours(x[2:], state)
    assert_same((torch.cat([first, second]), last), ours(x))


@every_kind
def test_a_bfloat16_module_carries_its_own_state_on(kind):
    layer = getattr(nn, kind)(D, H, 2).bfloat16()
    x = numbers(T, B, D, dtype=torch.bfloat16)
    outputs, state = layer(x)
    assert outputs.dtype == torch.bfloat16
    assert layer(x, state)[0].dtype == torch.bfloat16
    expected, _ = getattr(torch.nn, kind)(D, H, 2).bfloat16()._apply(lambda t: t)(x)
    assert expected.shape == outputs.shape


@every_kind
def test_autocast_runs(kind):
    theirs, ours = pair(kind, D, H, dtype=torch.float32)
    x = numbers(T, B, D)
    with torch.autocast("cpu", torch.bfloat16):
        got, expected = ours(x), theirs(x)
    assert_same(
        [leaf.float() for leaf in pytree.tree_leaves(got)],
        [leaf.float() for leaf in pytree.tree_leaves(expected)],
        rtol=0.05,
        atol=0.05,
    )


def test_an_engine_can_be_asked_for_by_name():
    x = numbers(T, B, D)
    eager, vendor = nn.LSTM(D, H, engine="eager"), nn.LSTM(D, H, engine="vendor")
    vendor.load_state_dict(eager.state_dict())
    assert_same(vendor(x), eager(x), rtol=1e-4, atol=1e-5)


def test_an_engine_that_cannot_run_refuses():
    with pytest.raises(ostinato.EngineError, match="oneDNN has no projection"):
        nn.LSTM(D, H, proj_size=2, engine="vendor")(numbers(T, B, D))


def test_a_packed_sequence_comes_back_as_it_was_packed():
    packed = pack_sequence([numbers(2, D), numbers(3, D)], enforce_sorted=False)
    outputs, _ = nn.LSTM(D, H)(packed)
    assert isinstance(outputs, PackedSequence)
    assert_same(tuple(outputs[1:]), tuple(packed[1:]))
