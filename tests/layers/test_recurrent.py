"""`Recurrent`: any cell, stacked, in one or two directions, with the state of each."""

import copy
import io
import pickle

import pytest
import torch
from tests.catalogue import SEQUENCE_CELLS
from torch import nn as torch_nn
from torch.nn.utils import parametrizations
from torch.utils import _pytree as pytree

from ostinato import GRU, LSTM, Cell, ConfigError, EquationError, Recurrent, unroll
from ostinato.cells.wrappers.learned_initial_state import LearnedInitialState

T, B, D, H = 5, 3, 4, 6
LENGTHS = torch.tensor([5, 0, 3])
TEXT = "h' = tanh(W @ x + U @ h + b)"


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X = numbers(T, B, D)


def make(cell="lstm", *arguments, **options):
    torch.manual_seed(0)
    return Recurrent(cell, *(arguments or (D, H)), **options).double()


def leaves(tree):
    return pytree.tree_leaves(tree)


def assert_same(got, expected, **tolerance):
    torch.testing.assert_close(leaves(got), leaves(expected), **tolerance)


class Echo(Cell):
    """A plain cell without parameters, its state a matrix a row: the last two inputs."""

    def __init__(self, input_size=D, hidden_size=D):
        super().__init__()
        self.input_size = self.hidden_size = self.output_size = input_size

    def initial_state(self, batch_size, *, device=None, dtype=None):
        return torch.zeros(batch_size, 2, self.input_size, device=device, dtype=dtype)

    def step(self, x, state):
        return state[:, 0], torch.stack([state[:, 1], x], 1)

    def resized(self, input_size, hidden_size):
        return Echo(input_size, hidden_size)


@pytest.mark.parametrize(
    "cell",
    ["gru", GRU, GRU(D, H), TEXT, Echo, Echo(), LearnedInitialState(GRU(D, H))],
    ids=["name", "class", "cell", "text", "plain class", "plain cell", "wrapped cell"],
)
def test_a_cell_may_be_given_in_every_form(cell):
    layer = make(cell)
    outputs, state = layer(X, lengths=LENGTHS)
    expected, last = unroll(layer.layers[0][0], X, lengths=LENGTHS)
    assert_same((outputs, state), (expected, (last,)))
    assert outputs.shape == (T, B, layer.output_size)


@pytest.mark.parametrize("name", SEQUENCE_CELLS)
def test_every_cell_of_the_catalogue_stacks_in_two_directions(name):
    layer = make(name, D, H, 2, bidirectional=True, engine="eager")
    inputs = X.clone().requires_grad_()
    times = {"dt": X[..., 0].abs() + 0.1} if layer.layers[0][0].uses_dt else {}
    outputs, state = layer(inputs, lengths=LENGTHS, **times)
    assert outputs.shape == (T, B, layer.output_size)
    assert len(state) == 4
    outputs.sum().backward()
    assert all(tensor.grad is not None for tensor in [inputs, *layer.parameters()])


def test_a_cell_that_is_passed_is_used_itself_and_its_sizes_are_known():
    cell = LSTM(D, H)
    layer = Recurrent(cell, num_layers=2)
    assert layer.layers[0][0] is cell
    assert (layer.input_size, layer.hidden_sizes) == (D, (H, H))
    assert layer.layers[1][0] is not cell


def test_further_layers_of_a_cell_that_is_passed_keep_its_settings():
    layer = Recurrent(LSTM(D, H, bias=False), num_layers=2, bidirectional=True)
    assert not any("bias" in name for name, _ in layer.named_parameters())


def test_stacked_and_bidirectional_it_is_torchs_lstm():
    theirs = torch_nn.LSTM(D, H, 2, bidirectional=True, dtype=torch.float64)
    layer = make("lstm", D, H, 2, bidirectional=True)
    with torch.no_grad():
        for own, given in zip(layer.parameters(), theirs.parameters(), strict=True):
            own.copy_(given)
    start = numbers(4, B, H, seed=1), numbers(4, B, H, seed=2)
    outputs, state = layer(X, list(zip(*start, strict=True)))
    expected, (h, c) = theirs(X, start)
    assert_same((outputs, [s.h for s in state], [s.c for s in state]), (expected, list(h), list(c)))


def test_layers_may_have_sizes_of_their_own():
    layer = make("gru", D, [6, 3, 5], bidirectional=True)
    outputs, state = layer(X)
    assert outputs.shape == (T, B, 10)
    assert [s.shape[1] for s in state] == [6, 6, 3, 3, 5, 5]
    assert layer.num_layers == 3


def test_sizes_may_be_a_tuple_beside_their_number():
    assert make("gru", D, (6, 3), 2).hidden_sizes == (6, 3)


def test_a_residual_adds_a_layers_input_to_its_output():
    plain, residual = make("gru", D, H, 2), make("gru", D, H, 2, residual=True)
    middle, _ = unroll(plain.layers[0][0], X)
    assert_same(residual(X)[0], plain(X)[0] + middle)


def test_dropout_is_between_layers_while_training():
    layer = make("gru", D, H, 2, dropout=0.5)
    assert not torch.equal(layer(X)[0], layer(X)[0])
    assert (layer(X)[0] != 0).all()
    assert_same(layer.eval()(X), make("gru", D, H, 2)(X))


def test_dropout_leaves_a_single_layer_as_it_is():
    assert_same(make("gru", dropout=0.5)(X), make("gru")(X))


@pytest.mark.parametrize("cell", ["gru", "lstm", TEXT, Echo])
def test_a_learned_initial_state_is_a_parameter_and_gets_its_gradient(cell):
    layer = make(cell, D, D, 2, initial_state="learned")
    initial = [p for name, p in layer.named_parameters() if "initial" in name]
    for p in initial:
        torch_nn.init.normal_(p)
    outputs, state = layer(X, lengths=LENGTHS)
    assert_same([s[1] for s in leaves(state)], initial)  # row 1 has no steps
    (outputs.sum() + sum(s.sum() for s in leaves(state))).backward()
    assert all((p.grad != 0).any() for p in initial)


def test_a_state_that_is_given_goes_before_a_learned_one():
    layer = make("gru", initial_state="learned")
    torch_nn.init.normal_(layer.layers[0][0].initial[0])
    assert_same(layer(X, [torch.zeros(B, H).double()]), make("gru")(X))


@pytest.mark.parametrize("initial_state", ["zero", "learned"])
@pytest.mark.parametrize("cell", ["gru", "lstm", Echo])
def test_the_state_before_the_first_step_is_the_one_it_starts_from(cell, initial_state):
    layer = make(cell, D, D, 2, bidirectional=True, initial_state=initial_state)
    for name, p in layer.named_parameters():
        if "initial" in name:
            torch_nn.init.normal_(p)
    state = layer.initial_state(B)
    assert len(state) == 4
    assert_same(layer(X, state), layer(X))


def test_two_pieces_are_one():
    layer = make("lstm", D, H, 2)
    first, state = layer(X[:2])
    second, state = layer(X[2:], state)
    assert_same((torch.cat([first, second]), state), layer(X))


def test_a_state_keeps_the_cells_structure():
    _, state = make("lstm", D, H, 2)(X)
    assert [type(s).__name__ for s in state] == ["State", "State"]
    assert state[1]._fields == ("h", "c")


def test_a_reset_is_every_layers_and_directions():
    layer = make("gru", D, H, 2, bidirectional=True)
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[2] = True
    outputs, _ = layer(X, reset=reset)
    forward, _ = layer.layers[0][0], None
    assert outputs.shape == (T, B, 2 * H)
    only = Recurrent(forward)
    assert_same(only(X, reset=reset)[0][2:], only(X[2:])[0])


def test_every_steps_states_are_returned_for_each_layer_and_direction():
    layer = make("lstm", D, H, 2, bidirectional=True)
    outputs, _, states = layer(X, return_states=True)
    assert len(states) == 4
    assert_same(torch.cat([states[2].h, states[3].h], -1), outputs)


def test_plans_say_for_each_layer_what_runs_it():
    slower = "native (not vendor: torch's lstm is slower on a CPU, but for few rows and large matrices)"
    assert make("lstm", D, H, 2).plans() == [slower, slower]
    assert make(TEXT).plans() == ["native (not vendor: torch takes rnn_tanh one operation at a time on a CPU)"]
    assert make(TEXT.replace("tanh", "sin")).plans() == ["native (not vendor: torch has no kernel for these equations)"]
    assert make(Echo).plans()[0].startswith("eager (not vendor: a plain cell has no equations to compare; not native: ")
    assert make("lstm", engine="eager").plans() == ["eager"]
    assert make("lstm", engine="vendor").plans() == ["vendor"]
    assert make("lstm", initial_state="learned").plans() == [slower]


def test_keywords_of_the_cell_are_passed_on():
    layer = make("lstm", bias=False, initialisers="orthogonal")
    assert sorted(dict(layer.named_parameters())) == ["layers.0.0.weight_hh", "layers.0.0.weight_ih"]
    assert_same(layer.layers[0][0].U_i @ layer.layers[0][0].U_i.T, torch.eye(H).double(), atol=1e-6, rtol=0)


def test_weights_round_trip_and_move():
    layer, other = make("lstm", D, H, 2, initial_state="learned"), Recurrent("lstm", D, H, 2, initial_state="learned")
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other.double().load_state_dict(torch.load(file, weights_only=True))
    assert_same(other(X), layer(X), rtol=0, atol=0)


def test_a_copy_and_a_pickle_are_the_same_layer():
    layer = make("lstm", D, H, 2, bidirectional=True, initial_state="learned")
    layer(X)
    assert_same(copy.deepcopy(layer)(X), layer(X), rtol=0, atol=0)
    assert_same(pickle.loads(pickle.dumps(layer))(X), layer(X), rtol=0, atol=0)


def test_a_parametrized_weight_is_seen():
    layer, plain = make("gru"), make("gru")
    parametrizations.weight_norm(layer.layers[0][0], "weight_hh")
    assert_same(layer(X), plain(X))
    layer.layers[0][0].parametrizations.weight_hh.original0.data.mul_(3)
    assert not torch.allclose(layer(X)[0], plain(X)[0])


def test_it_prints_what_it_is_made_of():
    shown = repr(make("gru", D, [6, 5], bidirectional=True))
    assert "4, (6, 5), bidirectional=True, dropout=0.0, residual=False" in shown
    assert "2 x GRU(12, 5)" in shown


REFUSED = {
    "no layers": (lambda: make(num_layers=0), "num_layers", "0 was given"),
    "half a layer": (lambda: make(num_layers=1.5), "num_layers", "1.5 was given"),
    "sizes that do not fit": (lambda: make("gru", D, [3, 4], 3), "hidden_size", "2 sizes for 3 layers"),
    "no sizes": (lambda: make("gru", D, []), "hidden_size", "0 sizes for 1 layers"),
    "a float size": (lambda: make("gru", D, 4.0), "hidden_size", "4.0 was given"),
    "a size in letters": (lambda: make("gru", D, "4"), "hidden_size", "'4' was given"),
    "a negative size": (lambda: make("gru", D, -4), "hidden_size", "-4 was given"),
    "no input": (lambda: make("gru", 0, 4), "input_size", "0 was given"),
    "no hidden size": (lambda: Recurrent("gru", 4), "Recurrent", "input_size or hidden_size is missing"),
    "all dropped": (lambda: make(dropout=1.0), "dropout", "1.0 was given"),
    "dropout in letters": (lambda: make(dropout="0.1"), "dropout", "0.1 was given"),
    "another start": (lambda: make(initial_state="random"), "initial_state", "'random' was given"),
    "residuals of other sizes": (lambda: make("gru", D, [3, 4], residual=True), "residual", "layers of sizes (3, 4)"),
    "an unknown cell": (lambda: make("gur"), "cell", "unknown cell 'gur'"),
    "a number for a cell": (lambda: make(3), "cell", "int was given"),
    "an unknown keyword": (lambda: make("gru", layers=2), "cell GRU", "unknown keyword 'layers'"),
    "keywords and a cell": (lambda: make(GRU(D, H), D, H, bias=False), "Recurrent", "bias beside a cell that is made"),
    "one state for two layers": (lambda: make("gru", D, H, 2)(X, [torch.zeros(B, H)]), "state", "1 states"),
    "a bare tensor for a state": (lambda: make("gru")(X, torch.zeros(1, B, H)), "state", "a tensor"),
    "a state of another size": (lambda: make("gru")(X, [torch.zeros(B, 5)]), "state", "shape (3, 5)"),
    "an unknown engine": (lambda: make("gru", engine="vendr")(X), "engine", "unknown engine 'vendr'"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "where", "got"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_fit_is_refused(call, where, got):
    with pytest.raises(ConfigError) as caught:
        call()
    assert (caught.value.where, caught.value.got) == (where, got)
    assert caught.value.possible


def test_a_plain_cell_without_resized_cannot_be_several():
    class Single(Echo):
        resized = property()

    with pytest.raises(ConfigError, match="one Single for several layers or directions"):
        Recurrent(Single(), bidirectional=True)


def test_a_text_that_cannot_be_read_names_the_place():
    with pytest.raises(EquationError, match="line 1"):
        make("h' = tanh(W @ x + U @ h")
