"""Units of networks that read several sequences: their correlations against scipy's, and units that were built in."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr

import ostinato
from ostinato.diagnostics import sequence_units
from ostinato.diagnostics.sequences import sequence_states
from ostinato.models.classifier import Classifier, Examples
from ostinato.models.decoder import Decoder
from ostinato.models.encoder import Encoder
from ostinato.models.translator import Pairs, Translator

STEPS, ROWS = 12, 50


def lengths_of(rows=ROWS, seed=0):
    return np.random.default_rng(seed).integers(1, STEPS + 1, rows)


def examples_of(lengths, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    inputs = torch.randint(5, (int(lengths.max()), len(lengths)), generator=drawn)
    return Examples(inputs, torch.from_numpy(lengths), torch.randint(2, (len(lengths),), generator=drawn))


def classifier(cell="gru", **values):
    torch.manual_seed(0)
    return Classifier(2, cell, vocabulary_size=5, **{"hidden_size": 4, **values})


def track_of(lengths, seed=1):
    return np.random.default_rng(seed).normal(size=(lengths.max(), len(lengths)))


def own_states(model, batch):
    """Return the outputs of a GRU's layer, one row at a time, each without padding: (T, B, 2H), NaN behind its end."""
    found = np.full((len(batch.inputs), batch.inputs.shape[1], model.recurrent.output_size), np.nan)
    for row, length in enumerate(batch.lengths.tolist()):
        outputs, _ = model.recurrent(model.read(batch.inputs[:length, row : row + 1]))
        found[:length, row] = outputs[:, 0].detach().numpy()
    return found


@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_are_those_of_each_sequence_by_itself(bidirectional):
    model, lengths = classifier(bidirectional=bidirectional).eval(), lengths_of(7)
    batch = examples_of(lengths)
    names, values = sequence_states(model, batch, lengths)
    expected = own_states(model, batch)
    assert values.numpy() == pytest.approx(np.nan_to_num(expected), abs=1e-6)
    assert [name.backwards for name in names] == [False] * 4 + [True] * 4 * bidirectional


def test_a_backward_unit_says_so():
    names, _ = sequence_states(classifier(bidirectional=True), examples_of(lengths_of(3)), lengths_of(3))
    assert [str(names[0]), str(names[-1])] == ["layer 1, h, unit 0", "layer 1, backwards, h, unit 3"]


def test_correlations_are_those_of_scipy_of_every_other_sequence():
    model, lengths = classifier(bidirectional=True).eval(), lengths_of()
    batch, track = examples_of(lengths), track_of(lengths)
    track[3] = np.nan
    found = sequence_units(model, [batch], lengths, {"mine": track})
    states = own_states(model, batch)
    for half, given_r in ((slice(0, None, 2), found.chosen), (slice(1, None, 2), found.held_out)):
        x, y = states[:, half].reshape(-1, 8), track[:, half].ravel()
        there = np.isfinite(x[:, 0]) & np.isfinite(y)
        assert given_r[0] == pytest.approx([pearsonr(unit[there], y[there])[0] for unit in x.T], abs=1e-6)
    assert (found.symbols, found.sequences) == (lengths.sum(), ROWS)


def test_what_is_known_of_whole_sequences_is_compared_where_each_direction_ends():
    model, lengths = classifier(bidirectional=True).eval(), lengths_of()
    batch, answer = examples_of(lengths), np.random.default_rng(2).normal(size=ROWS)
    found = sequence_units(model, [batch], lengths, {}, whole={"answer": answer})
    states, rows = own_states(model, batch), np.arange(ROWS)
    ends = np.concatenate([states[lengths - 1, rows, :4], states[0, rows, 4:]], 1)
    for half, given_r in ((slice(0, None, 2), found.chosen), (slice(1, None, 2), found.held_out)):
        assert given_r[0] == pytest.approx([pearsonr(unit, answer[half])[0] for unit in ends[half].T], abs=1e-6)


def test_batches_are_read_as_one():
    model, lengths = classifier(), lengths_of()
    batch, tracks = examples_of(lengths), {"mine": track_of(lengths)}
    parts = [
        Examples(batch.inputs[: int(lengths[part].max()), part], batch.lengths[part], batch.targets[part])
        for part in (slice(0, 20), slice(20, 50))
    ]
    whole, pieces = (sequence_units(model, batches, lengths, tracks) for batches in ([batch], parts))
    assert pieces.chosen == pytest.approx(whole.chosen, abs=1e-6)
    assert pieces.held_out == pytest.approx(whole.held_out, abs=1e-6)
    assert pieces.readout == pytest.approx(whole.readout, abs=1e-5)


@given(st.integers(0, 1000), st.booleans())
@settings(max_examples=20, deadline=None)
def test_halves_are_those_that_are_asked_for(seed, by_step):
    model, lengths = classifier().eval(), lengths_of(seed=seed)
    batch, track = examples_of(lengths, seed), track_of(lengths, seed)
    chooses = np.random.default_rng(seed).random(track.shape if by_step else ROWS) < 0.5
    found = sequence_units(model, [batch], lengths, {"mine": track}, chooses=chooses)
    states, first = own_states(model, batch), np.broadcast_to(chooses, track.shape)
    for half, given_r in ((first, found.chosen), (~first, found.held_out)):
        here = half & np.isfinite(states[..., 0])
        assert given_r[0] == pytest.approx([pearsonr(unit[here.T], track.T[here.T])[0] for unit in states.T], abs=1e-5)


def test_a_unit_that_follows_the_class_is_found():
    model = classifier("h' = h + W @ x", embedding_size=5, hidden_size=2)
    with torch.no_grad():
        model.embedding.weight.copy_(torch.eye(5))
        model.recurrent.layers[0][0].W.copy_(torch.tensor([[0.1, -0.1, 0.1, -0.1, 0.0], [0, 0, 0, 0, 1.0]]))
    lengths = np.full(60, 10)
    batch = examples_of(lengths)
    label = (batch.inputs == 4).sum(0).numpy() > 1
    found = sequence_units(model, [batch], lengths, {}, whole={"class": label})
    ((unit, r),) = found.best("class")
    assert (unit.state, unit.index) == ("h", 1)
    assert r > 0.7
    assert found.readout[0] > 0.7


def translated(rows=60):
    torch.manual_seed(0)
    encoder = Encoder("gru", vocabulary_size=5, embedding_size=4, hidden_size=4)
    decoder = Decoder(6, "lstm", context_size=8, memory_size=8, hidden_size=3, attention="general", input_feeding=True)
    lengths = lengths_of(rows)
    batch = examples_of(lengths)
    read = torch.randint(6, (9, rows), generator=torch.Generator().manual_seed(3))
    return Translator(encoder, decoder).eval(), Pairs(batch.inputs, batch.lengths, read, read)


def test_each_network_has_its_own_lengths():
    model, batch = translated()
    source, target = batch.lengths.numpy(), np.full(60, 9)
    reads = sequence_units(model, [batch], source, {"mine": track_of(source)}, network="encoder.recurrent")
    writes = sequence_units(model, [batch], target, {"mine": track_of(target)}, network="decoder.recurrent")
    assert {unit.network for unit in reads.units} == {"encoder.recurrent"}
    assert (len(reads.units), len(writes.units)) == (8, 6)
    assert writes.symbols == 540


def test_a_decoder_that_runs_beyond_the_end_is_counted_until_there():
    model, batch = translated()
    lengths = np.minimum(lengths_of(60), 9)
    found = sequence_units(model, [batch], lengths, {"mine": track_of(lengths)}, network="decoder.recurrent")
    assert found.symbols == lengths.sum()
    _, values = sequence_states(model, batch, lengths, "decoder.recurrent")
    _, all_of_them = sequence_states(model, batch, np.full(60, 9), "decoder.recurrent")
    assert values.equal(all_of_them[: len(values)])


def test_tracks_that_do_not_change_in_both_halves_are_named():
    lengths = np.full(40, 8)
    tracks = {"still": np.ones((8, 40)), "first half alone": np.tile(np.arange(40) % 4 == 0, (8, 1)).astype(float)}
    whole = {"never": np.full(40, np.nan)}
    found = sequence_units(classifier(), [examples_of(lengths)], lengths, tracks, whole=whole)
    assert found.constant == ("still", "first half alone", "never")
    assert found.chosen.shape == (0, 4)


def test_of_few_sequences_nothing_is_said_as_a_whole():
    lengths = np.full(39, 8)
    whole = {"answer": np.arange(39.0)}
    found = sequence_units(classifier(), [examples_of(lengths)], lengths, {}, whole=whole)
    assert found.constant == ("answer",)


def test_sequences_without_a_step_count_nowhere():
    lengths = lengths_of()
    lengths[4] = 0
    found = sequence_units(
        classifier(), [examples_of(lengths)], lengths, {"mine": track_of(lengths)}, whole={"w": np.arange(50.0)}
    )
    assert np.isfinite(found.held_out).all()
    assert found.symbols == lengths.sum()


@pytest.mark.parametrize("cell", ["lstm", "mc-lstm", "lru", "rglru", "linear"])
def test_states_of_any_cell_are_units(cell):
    lengths = lengths_of()
    found = sequence_units(classifier(cell), [examples_of(lengths)], lengths, {"mine": track_of(lengths)})
    assert len(found.units) == {"lstm": 8, "lru": 8}.get(cell, 4)


LENGTHS = lengths_of()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tracks": {"mine": np.zeros((3, 50))}}, r"tracks of shape \(3, 50\)"),
        ({"whole": {"mine": np.zeros(49)}}, r"whole of shape \(49,\)"),
        ({"chooses": np.ones(49, bool)}, r"chooses of shape \(49,\)"),
        ({"network": "decoder"}, "'decoder' for the network. Those that took a step: recurrent"),
        ({"batches": [examples_of(LENGTHS)] * 2}, "100 rows in the batches. There are 50 lengths"),
        ({"batches": []}, "0 rows in the batches"),
        ({"lengths": np.maximum(LENGTHS - 1, 1)}, "steps of layer 1"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    settings = {"batches": [examples_of(LENGTHS)], "lengths": LENGTHS, "tracks": {}} | changes
    with pytest.raises(ostinato.ConfigError, match=message):
        sequence_units(classifier(), settings.pop("batches"), settings.pop("lengths"), **settings)


def test_a_network_is_named_where_there_are_several():
    model, batch = translated()
    with pytest.raises(ostinato.ConfigError, match=r"decoder\.recurrent, encoder\.recurrent"):
        sequence_units(model, [batch], batch.lengths.numpy(), {})


def test_too_few_steps_are_refused():
    with pytest.raises(ostinato.DataError, match="20 steps"):
        sequence_units(classifier(), [examples_of(np.full(10, 2))], np.full(10, 2), {})


def test_the_model_is_left_as_it_was():
    model, before = classifier(dropout=0.5), torch.get_rng_state()
    sequence_units(model, [examples_of(LENGTHS)], LENGTHS, {})
    assert torch.equal(before, torch.get_rng_state())
    assert model.training


class Counting(ostinato.Cell):
    """A cell whose state is a number of steps, or one real number a row, or a complex one."""

    def __init__(self, dtype):
        super().__init__()
        self.input_size = self.hidden_size = self.output_size = 4
        self.dtype = dtype

    def initial_state(self, batch_size, *, device=None, dtype=None):
        return torch.zeros(batch_size, dtype=self.dtype)

    def step(self, x, state):
        return x, state + 1


@pytest.mark.parametrize(("dtype", "count"), [(torch.float32, 1), (torch.complex64, 2)])
def test_states_of_any_form_are_units(dtype, count):
    model = classifier(Counting(dtype), embedding_size=4)
    steps = np.tile(np.arange(1.0, 13)[:, None], (1, 50))
    found = sequence_units(model, [examples_of(LENGTHS)], LENGTHS, {"steps": steps})
    assert found.held_out[0].tolist() == pytest.approx([1.0, 0.0][:count])


def test_a_state_without_numbers_has_no_units():
    with pytest.raises(ostinato.ConfigError, match="no state of numbers"):
        sequence_units(classifier(Counting(torch.int64), embedding_size=4), [examples_of(LENGTHS)], LENGTHS, {})
