"""What holds of every wrapper: it runs wherever a cell runs, and draws nothing that a seed does not say."""

import copy
import pickle

import pytest
import torch
from torch.utils import _pytree as pytree
from wrapped import (
    CELLS,
    DOUBLE,
    LENGTHS,
    NOT_PLAIN,
    PAIRS,
    RANDOM,
    RESETS,
    ROWS,
    SIZE,
    STEPS,
    WRAPPERS,
    Joined,
    assert_same,
    make,
    numbers,
    results,
    seeded,
)

import ostinato
from ostinato import GRU, LSTM, Cell, ConfigError, Recurrent, Stream, unroll
from ostinato.unroll.native import compiler

compiled = pytest.mark.skipif(compiler.why_not() is not None, reason=str(compiler.why_not()))
every_pair = pytest.mark.parametrize(("wrapper", "cell"), PAIRS)
every_wrapper = pytest.mark.parametrize("wrapper", WRAPPERS)
random_pairs = pytest.mark.parametrize(("wrapper", "cell"), [(w, c) for w, c in PAIRS if w in RANDOM])


@compiled
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@every_pair
def test_a_compiled_loop_gives_eager_s_numbers_and_gradients(wrapper, cell, training):
    made = make(wrapper, cell, training=training)
    assert_same(results(made, "native"), results(made, "eager"))


@compiled
@every_wrapper
def test_so_it_does_with_lengths_resets_and_every_state_in_reverse(wrapper):
    made = make(wrapper, "lstm")
    options = {"lengths": LENGTHS, "reset": RESETS, "reverse": True, "return_states": True}
    assert_same(results(made, "native", **options), results(made, "eager", **options))


@compiled
@every_wrapper
def test_so_it_does_where_gates_are_computed_again(wrapper):
    made = make(wrapper, "gru")
    assert_same(results(made, "native", recompute=True, lengths=LENGTHS), results(made, "eager", lengths=LENGTHS))


LINEAR = "z = sigmoid(W_z @ x + b_z)\nn = W_n @ x + b_n\nh' = (1 - z) * h + z * n"
SCANNED = ("zoneout", "recurrent dropout", "layer norm", "residual", "highway", "projection", "learned initial state")


@pytest.mark.parametrize("wrapper", SCANNED)
def test_a_scan_over_time_gives_eager_s_numbers(wrapper):
    made = WRAPPERS[wrapper](ostinato.cell(LINEAR, SIZE, SIZE, dtype=DOUBLE))
    options = {"lengths": LENGTHS, "reset": RESETS}
    assert_same(results(made, "parallel", **options), results(made, "eager", **options))


def test_no_scan_takes_a_clipped_gradient_for_the_identity():
    made = ostinato.GradientClip(ostinato.cell(LINEAR, SIZE, SIZE), 1.0)
    with pytest.raises(ostinato.EngineError, match="clip_gradient"):
        ostinato.plan(made, engine="parallel")


@random_pairs
def test_what_is_drawn_follows_from_the_seed(wrapper, cell):
    made = make(wrapper, cell)
    assert_same(results(made), results(made))


@random_pairs
def test_each_call_draws_anew(wrapper, cell):
    made, x = make(wrapper, cell), numbers(STEPS, ROWS, SIZE)
    assert not torch.equal(unroll(made, x)[0], unroll(made, x)[0])


@pytest.mark.parametrize("wrapper", RANDOM)
def test_without_a_generator_torch_s_own_is_drawn_from(wrapper):
    made, x = make(wrapper), numbers(STEPS, ROWS, SIZE)
    made.generator = None
    with torch.random.fork_rng():
        torch.manual_seed(5)
        first = unroll(made, x)[0]
        torch.manual_seed(5)
        assert torch.equal(unroll(made, x)[0], first)


@pytest.mark.parametrize("wrapper", RANDOM)
def test_what_is_drawn_is_the_same_in_every_type(wrapper):
    made, x = make(wrapper), numbers(STEPS, ROWS, SIZE)
    narrow = copy.deepcopy(made).float()
    one, other = unroll(made, x)[0], unroll(narrow, x.float())[0]
    torch.testing.assert_close(one.float(), other, rtol=1e-3, atol=1e-4)


@random_pairs
def test_evaluation_draws_nothing(wrapper, cell):
    made, x = make(wrapper, cell, training=False), numbers(STEPS, ROWS, SIZE)
    before = made.generator.get_state()
    assert torch.equal(unroll(made, x)[0], unroll(made, x)[0])
    assert made.generator.get_state().equal(before)
    assert not made.draws


@random_pairs
def test_planning_draws_nothing(wrapper, cell):
    made = make(wrapper, cell)
    before = made.generator.get_state()
    ostinato.plan(made)
    made.initial_state(3)
    assert made.generator.get_state().equal(before)


@every_pair
def test_one_step_after_the_other_is_the_sequence_in_evaluation(wrapper, cell):
    made, x = make(wrapper, cell, training=False), numbers(STEPS, ROWS, SIZE)
    state, outputs = made.initial_state(ROWS, dtype=DOUBLE), []
    for row in x:
        output, state = made.step(row, state)
        outputs.append(output)
    torch.testing.assert_close((torch.stack(outputs), state), unroll(made, x))


@random_pairs
def test_a_step_in_training_draws_as_well(wrapper, cell):
    made, x = make(wrapper, cell), numbers(ROWS, SIZE)
    state = unroll(made, x[None])[1]
    one, other = (pytree.tree_leaves(made.step(x, state)) for _ in range(2))
    assert one[0].shape == (ROWS, made.output_size)
    assert any(not torch.equal(a, b) for a, b in zip(one, other, strict=True))


@compiled
@every_pair
def test_a_stream_gives_what_unrolling_gives(wrapper, cell):
    made, x = make(wrapper, cell, training=False), numbers(STEPS, 1, SIZE)
    stream = Stream(made)
    assert stream.engine == "native"
    torch.testing.assert_close(torch.stack([stream(row) for row in x]), unroll(made, x)[0])


@pytest.mark.parametrize("wrapper", RANDOM)
def test_a_stream_is_not_for_training(wrapper):
    with pytest.raises(
        ConfigError, match=r"it is training, and draws by chance\. A stream is for use\. Call cell\.eval"
    ):
        Stream(make(wrapper))


@compiled
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's compiler meets its own deprecations
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@every_wrapper
def test_torch_compile_makes_one_graph_of_it(wrapper, training):
    torch._dynamo.reset()
    made = make(wrapper, "lstm", torch.float32, training)
    made.generator = None
    layer = Recurrent(made, engine="native").train(training)
    graph, x = (
        torch.compile(layer, fullgraph=True, backend="aot_eager"),
        numbers(STEPS, ROWS, SIZE, dtype=torch.float32),
    )
    with torch.random.fork_rng():
        torch.manual_seed(7)
        found = graph(x)
        torch.manual_seed(7)
        torch.testing.assert_close(found, layer(x))


@compiled
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's, about its own doing
def test_a_generator_of_one_s_own_stays_outside_of_the_graph():
    torch._dynamo.reset()
    made = make("zoneout", "gru", torch.float32)
    layer, x = Recurrent(made, engine="native"), numbers(STEPS, ROWS, SIZE, dtype=torch.float32)
    found = torch.compile(layer, backend="aot_eager")(x)
    made.generator.manual_seed(3)
    torch.testing.assert_close(found, layer(x))


NESTED = {
    "around equations": lambda: ostinato.Zoneout(
        ostinato.VariationalDropout(
            ostinato.DropConnect(
                ostinato.LayerNorm(ostinato.LearnedInitialState(LSTM(SIZE, SIZE, dtype=DOUBLE)), state=True),
                0.3, generator=seeded(),
            ),
            input=0.2, state=0.3, output=0.1, generator=seeded(),
        ),
        0.2, generator=seeded(),
    ),
    "around a plain cell": lambda: ostinato.Highway(
        ostinato.Zoneout(
            ostinato.VariationalDropout(
                ostinato.WeightNoise(ostinato.GradientClip(Joined(), 0.5), 0.1, generator=seeded()),
                input=0.2, output=0.1, generator=seeded(),
            ),
            0.2, generator=seeded(),
        )
    ),
    "the same twice": lambda: ostinato.Highway(
        ostinato.Highway(
            ostinato.LayerNorm(
                ostinato.LayerNorm(
                    ostinato.Zoneout(ostinato.Zoneout(GRU(SIZE, SIZE, dtype=DOUBLE), 0.2, generator=seeded()), 0.1,
                                     generator=seeded())
                )
            )
        )
    ),
}  # fmt: skip


@compiled
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", NESTED)
def test_wrappers_stand_around_wrappers(name, training):
    made = NESTED[name]().train(training)
    assert_same(results(made, "native", lengths=LENGTHS), results(made, "eager", lengths=LENGTHS))


def test_each_wrapper_of_several_has_tensors_of_its_own():
    made = NESTED["the same twice"]()
    gradients = {n for n, g in results(made).items() if n.startswith("gradient of") and g.any()}
    assert {f"gradient of {n}" for n, _ in made.named_parameters()} <= gradients


@every_pair
def test_it_keeps_what_there_is_to_know_of_the_cell(wrapper, cell):
    made = make(wrapper, cell)
    assert (made.input_size, made.hidden_size, made.uses_dt) == (SIZE, SIZE, False)
    assert made.output_size == (3 if wrapper == "projection" else SIZE)


@every_pair
def test_it_is_pickled_and_copied_with_its_generator(wrapper, cell):
    made = make(wrapper, cell)
    expected = results(made)
    assert_same(results(copy.deepcopy(made)), expected)
    assert_same(results(pickle.loads(pickle.dumps(made))), expected)


@every_pair
def test_its_weights_are_saved_and_loaded(wrapper, cell):
    made, other = make(wrapper, cell), WRAPPERS[wrapper](CELLS[cell](SIZE, SIZE, dtype=DOUBLE))
    other.load_state_dict(made.state_dict())
    assert_same(results(other), results(made))


@every_pair
def test_layers_are_made_of_it_in_other_sizes(wrapper, cell):
    made = make(wrapper, cell)
    sizes = {"residual": SIZE, "highway": SIZE}
    layer = Recurrent(made, hidden_size=(SIZE, sizes.get(wrapper, 5)), bidirectional=wrapper not in sizes)
    outputs, _ = layer(numbers(STEPS, ROWS, SIZE))
    assert outputs.shape == (STEPS, ROWS, layer.output_size)
    assert {type(c) for each in layer.layers for c in each} == {type(made)}


@every_wrapper
def test_a_change_of_mode_inside_is_seen(wrapper):
    made, x = make(wrapper), numbers(STEPS, ROWS, SIZE)
    nested = ostinato.Residual(ostinato.Projection(made, SIZE))
    nested.inner.eval()
    assert torch.equal(unroll(nested, x)[0], unroll(nested, x)[0])
    nested.eval()
    assert torch.equal(unroll(nested, x)[0], unroll(nested, x)[0])


def test_explain_says_what_became_of_the_equations():
    said = ostinato.explain(ostinato.Zoneout(ostinato.RMSNorm(ostinato.Elman(3, 4)), 0.1), with_latex=True)
    assert said.startswith("Zoneout: Some units keep their state")
    assert r"h_{\mathrm{made},t} &= \tanh(\operatorname{RMS}(W x_{t}) \odot \mathrm{gain}_{W}" in said
    assert r"h_{t} &= \mathrm{kept}_{h,t} \odot h_{t-1} +" in said
    assert "state       h (4); output 4 numbers" in said
    assert "recurrence  full, nonlinear in the state" in said


@pytest.mark.parametrize(("wrapper", "cell"), [p for p in PAIRS if p[1] == "plain"])
def test_explain_takes_a_wrapped_plain_cell(wrapper, cell):
    assert "state (6); output" in ostinato.explain(make(wrapper, cell, training=False))


def test_time_between_steps_goes_through():
    timed = ostinato.cell("h' = exp(-dt) * h + tanh(W @ x)", SIZE, SIZE, dtype=DOUBLE)
    made = ostinato.Zoneout(timed, 0.3, generator=seeded())
    dt = numbers(STEPS, ROWS).abs()
    assert made.uses_dt
    assert_same(results(made, "native", dt=dt), results(made, "eager", dt=dt))


@pytest.mark.parametrize("wrapper", NOT_PLAIN)
def test_what_needs_names_is_not_for_plain_cells(wrapper):
    with pytest.raises(ConfigError, match="Joined is a plain cell"):
        WRAPPERS[wrapper](Joined())


def test_it_stands_around_a_cell_with_sizes():
    with pytest.raises(ConfigError, match=r"Zoneout: the class LSTM was given\. It stands around a cell, with sizes"):
        ostinato.Zoneout(LSTM, 0.1)
    with pytest.raises(ConfigError, match=r"Residual: Linear was given"):
        ostinato.Residual(torch.nn.Linear(3, 3))


def test_a_generator_is_torch_s():
    with pytest.raises(ConfigError, match=r"generator: int was given\. It is a torch\.Generator"):
        ostinato.Zoneout(GRU(3, 3), 0.1, generator=3)


def test_a_plain_cell_of_one_size_is_used_once():
    class Fixed(Cell):
        input_size = hidden_size = output_size = 3

        def initial_state(self, batch_size, *, device=None, dtype=None):
            return torch.zeros(batch_size, 3, device=device, dtype=dtype)

        def step(self, x, h):
            return x + h, x

    made = ostinato.Zoneout(Fixed(), 0.1)
    with pytest.raises(ConfigError, match=r"around a Fixed, which has no resized"):
        Recurrent(made, num_layers=2)


def test_inputs_of_another_size_are_refused_before_anything_is_drawn():
    made = make("zoneout")
    before = made.generator.get_state()
    with pytest.raises(ConfigError, match=r"inputs: 5 numbers a step\. The cell takes 6"):
        unroll(made, numbers(STEPS, ROWS, 5))
    assert made.generator.get_state().equal(before)
