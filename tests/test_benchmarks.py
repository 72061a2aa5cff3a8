"""The benchmarks' contenders compute the same thing, and their tables say what was measured. Nothing is timed."""

import importlib.util
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
from benchmarks import dtw, endurance, gradients, kills, report, streaming, table, torch_peer, translating, unbiased
from benchmarks.__main__ import RESULTS
from benchmarks.problem import problem
from benchmarks.settings import Settings, find_peers
from benchmarks.suites import SUITES
from benchmarks.texts import GRU, LSTM, OTHERS, TORCH_HAS, products

from ostinato.data.frames import Frames
from ostinato.data.place import Place
from ostinato.training.gradient import METHODS

SIZE = (3, 5, 8)
TEXTS = [pytest.param(text, id=text.name) for text in (*TORCH_HAS, *OTHERS)]
KNOWN_TO_TORCH = [pytest.param(text, id=text.name) for text in TORCH_HAS]


@pytest.fixture(scope="module")
def elsewhere():
    """A process that loads JAX: one that holds it warns at every fork, and other tests fork."""
    if importlib.util.find_spec("flax") is None:
        pytest.skip("a benchmark peer is missing: pip install -e '.[bench]'")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def run_of_jax(contender, name):
    from benchmarks import jax_peer

    jax_peer.start()
    text = next(text for text in (*TORCH_HAS, *OTHERS) if text.name == name)
    return [array(values) for values in getattr(jax_peer, contender)(text, text.build(SIZE[2]), problem(*SIZE))()]


def array(values):
    return np.asarray(values.detach() if isinstance(values, torch.Tensor) else values)


def expect_agreement(run, reference, weights=False):
    """Compare float32 outputs and input gradients; those of the weights too where both have them in the same form."""
    result, expected = [array(t) for t in run()], [array(t) for t in reference()]
    assert all(np.isfinite(one).all() for one in result)
    assert [one.shape for one in result[:2]] == [(SIZE[1], SIZE[0], SIZE[2])] * 2
    for one, other in zip(result, expected, strict=True) if weights else zip(result[:2], expected[:2], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def eager(text, given):
    return torch_peer.ours(text.build(SIZE[2]), given, "eager")


@pytest.mark.parametrize("text", TEXTS)
def test_the_engine_that_is_measured_agrees_with_the_eager_one(text):
    given = problem(*SIZE)
    expect_agreement(torch_peer.ours(text.build(SIZE[2]), given), eager(text, given), weights=True)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch's tracer looks at it and hides its own warning
@pytest.mark.parametrize("text", TEXTS)
def test_the_step_by_hand_under_torch_compile_agrees(text):
    given = problem(*SIZE)
    expect_agreement(torch_peer.compiled_loop(text, text.build(SIZE[2]), given, "eager"), eager(text, given))


@pytest.mark.parametrize("text", TEXTS)
def test_the_step_by_hand_under_jax_scan_agrees(text, elsewhere):
    result = elsewhere.submit(run_of_jax, "scan", text.name).result()
    expect_agreement(lambda: result, eager(text, problem(*SIZE)))


@pytest.mark.parametrize("text", KNOWN_TO_TORCH)
def test_the_layer_of_torch_agrees(text):
    given = problem(*SIZE)
    expect_agreement(torch_peer.torch_nn(text.name, text.build(SIZE[2]), given), eager(text, given), weights=True)


@pytest.mark.parametrize("text", KNOWN_TO_TORCH)
def test_the_cell_of_flax_agrees(text, elsewhere):
    result = elsewhere.submit(run_of_jax, "flax_rnn", text.name).result()
    expect_agreement(lambda: result, eager(text, problem(*SIZE)))


@pytest.mark.parametrize("text", KNOWN_TO_TORCH)
def test_ragged_rows_agree_with_packed_ones(text):
    given = problem(*SIZE, ragged=True)
    cell = text.build(SIZE[2])
    expect_agreement(torch_peer.torch_nn(text.name, cell, given), eager(text, given), weights=True)
    expect_agreement(torch_peer.ours(cell, given), eager(text, given), weights=True)


def test_a_ragged_batch_is_half_full():
    lengths = problem(32, 128, 1, ragged=True).lengths
    assert float(lengths.float().mean()) / 128 == pytest.approx(0.5, abs=0.01)


def steps(text, settings):
    """Return the last of five outputs of each streaming contender."""
    with torch.inference_mode():
        found = streaming.make_contenders(text, SIZE[2], settings).items()
        return {name: [np.asarray(step(x)).ravel() for x in inputs[:5]][-1] for name, (step, inputs) in found}


@pytest.mark.parametrize("text", [GRU, LSTM], ids=["GRU", "LSTM"])
def test_the_steps_of_torch_agree(text):
    first, *others = steps(text, Settings()).values()
    for other in others:
        np.testing.assert_allclose(other, first, rtol=0, atol=1e-5)


@pytest.mark.parametrize("text", [GRU, LSTM], ids=["GRU", "LSTM"])
def test_the_steps_of_onnx_runtime_agree(text):
    pytest.importorskip("onnxruntime", reason="a benchmark peer is missing: pip install -e '.[bench]'")
    pytest.importorskip("onnx", reason="a benchmark peer is missing: pip install -e '.[bench]'")
    from benchmarks import onnx_peer

    found = steps(text, Settings(onnx=onnx_peer))
    onnx = {name for name in found if name.startswith("ONNX")}
    assert onnx
    for name in onnx:
        np.testing.assert_allclose(found[name], found["cell(x, state)"], rtol=0, atol=1e-5)


def test_products_are_counted_from_the_equations():
    assert [products(text.build(4)) for text in (*TORCH_HAS, *OTHERS)] == [6, 2, 8, 8, 8, 4, 6, 5]


def test_a_peer_that_is_not_installed_is_skipped_with_a_reason(monkeypatch, capsys):
    def missing(name):
        raise ModuleNotFoundError(f"No module named '{name}'", name="jax")

    monkeypatch.setattr("importlib.import_module", missing)
    settings = Settings()
    find_peers(settings)
    assert settings.jax is None
    assert "JAX skipped: jax is not installed" in capsys.readouterr().out
    assert "pip install -e '.[bench]'" in settings.skipped["JAX"]


ROW = {
    "cell": "GRU",
    "size": [2, 3, 4],
    "products": 6,
    "seconds": {"ours": 0.002, "torch": 0.003},
    "ratios": {"torch": 1.5},
}


def test_a_missed_target_says_by_how_much():
    missed = [table.at_least("torch", 1.5, 2.0), table.at_most("padded", 0.9, 0.6), table.at_least("JAX", 3.0, 2.0)]
    assert table.VERDICT.text({"targets": missed}) == (
        "missed: torch 1.50 of 2, 25% short; padded 0.90 of at most 0.6, 50% over"
    )
    assert table.VERDICT.text({"targets": missed[2:]}) == "met"
    assert table.VERDICT.text(ROW) == ""


def test_columns_are_read_from_a_saved_row():
    columns = [table.size(), table.milliseconds("torch ms", "torch"), table.gigaflops("GFLOP/s", "ours")]
    assert [column.text({**ROW, "size": [200, 300, 40]}) for column in columns] == ["200, 300, 40", "3.00", "1728"]


def test_a_geometric_mean_is_taken_of_what_all_rows_have():
    mean = table.geometric_means([ROW, {**ROW, "ratios": {"torch": 6.0, "JAX": 2.0}}], cell="GRU")
    assert mean["ratios"] == {"torch": pytest.approx(math.sqrt(1.5 * 6.0))}


def test_a_table_reads_as_markdown():
    shown = table.Table("", "", (table.plain("cell", -4, "cell"), table.ratio("× torch", "torch")))
    assert table.markdown(shown, [ROW]) == "| cell | × torch |\n| :-- | --: |\n| GRU | 1.50 |"


def test_the_readme_holds_the_tables_of_the_saved_results():
    assert report.README.read_text(encoding="utf-8") == report.page(RESULTS), "run python -m benchmarks report"


def test_results_are_of_suites_that_exist():
    assert {path.stem for path in RESULTS.glob("*.json")} <= set(SUITES)


def test_a_run_that_is_killed_is_compared_with_one_that_is_not(tmp_path):
    (tmp_path / "text.txt").write_text("to be or not to be, that is the question; " * 100)
    row = kills.run(tmp_path, kills=1, steps=60)
    assert (row["model"], row["state"], row["steps"]) == (True, True, 60)
    assert 0 <= row["idle"] <= row["killed"] <= 1


@pytest.mark.parametrize("name", ["truncated", "checkpointed", "rtrl"])
def test_a_gradient_method_does_what_bare_back_propagation_does(name):
    layer, inputs, weights = gradients.problem("mingru", (2, 128, 4))
    way = METHODS[name](gradients.Chosen(name))
    window = 128 if name == "checkpointed" else gradients.WINDOW
    found = []
    with pytest.MonkeyPatch.context() as patch:  # both end with no gradient left
        patch.setattr(layer, "zero_grad", lambda: found.append([p.grad for p in layer.parameters()]))
        gradients.along(way, layer, inputs, weights)
        for p in layer.parameters():
            p.grad = None
        gradients.bare(layer, inputs, weights, 128 if name == "rtrl" else window)
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours * window, theirs, rtol=1e-3, atol=1e-3)


def test_an_unbiased_estimate_lies_within_its_errors_and_a_biased_one_does_not():
    problem_ = unbiased.Problem("elman")
    mean, error, count = unbiased.randomized(problem_, 2000, "geometric")
    assert unbiased.summary("randomized", "elman", problem_, mean, error, count)["largest"] < 4.5
    shifted = mean + 0.3 * problem_.exact.abs().max()
    assert unbiased.summary("shifted", "elman", problem_, shifted, error, count)["largest"] > 4.5


def test_a_stream_is_learned_and_asks_for_the_bit_of_before():
    windows = list(endurance.stream(30, 10))
    inputs, targets = (torch.cat(parts).flatten() for parts in zip(*windows, strict=True))
    assert torch.equal(inputs[: -endurance.DELAY], targets[endurance.DELAY :])
    assert endurance.learn("rtrl", 2000) < 0.72


def warped(one: np.ndarray, other: np.ndarray) -> float:
    """Return the distance along the best path, by its definition: D(i, j) = d(i, j) + the least of three before."""
    found = np.full((len(one) + 1, len(other) + 1), math.inf)
    found[0, 0] = 0.0
    for i, a in enumerate(one, start=1):
        for j, b in enumerate(other, start=1):
            found[i, j] = ((a - b) ** 2).sum() + min(found[i - 1, j], found[i, j - 1], found[i - 1, j - 1])
    return math.sqrt(found[-1, -1])


@pytest.mark.parametrize("width", [1, 3])
def test_series_are_warped_as_defined(width):
    pytest.importorskip("dtaidistance", reason="a benchmark peer is missing: pip install -e '.[bench]'")
    draw = np.random.default_rng(0)
    rows, columns = ([draw.normal(size=(length, width)) for length in lengths] for lengths in ((5, 9), (7, 4, 5)))
    expected = [[warped(row, column) for column in columns] for row in rows]
    np.testing.assert_allclose(dtw.between(rows, columns), expected, atol=1e-12)


def test_the_nearest_series_gives_its_label():
    pytest.importorskip("dtaidistance", reason="a benchmark peer is missing: pip install -e '.[bench]'")
    items = [Frames(Place("made up", n, "item"), np.full((3 + n, 1), n, np.float32), str(n)) for n in range(4)]
    moved = [item._replace(values=item.values + 0.1) for item in items]
    assert dtw.nearest_accuracy(items, moved) == 1.0
    assert dtw.nearest_accuracy(items, [item._replace(label="0") for item in moved]) == 0.25


def test_a_loop_in_plain_pytorch_translates_as_the_search_does():
    draw = torch.Generator().manual_seed(0)
    sources = [torch.randint(20, (length,), generator=draw) for length in (3, 7, 1, 5)]
    task = translating.random_task(20, 30, sources, [4, 9, 2, 6])
    found = translating.one_by_one(translating.Plain(task.model), task)
    assert found == translating.in_batches(task, 1)
    assert [len(one) for one in found] <= task.limits
    assert any(found)
