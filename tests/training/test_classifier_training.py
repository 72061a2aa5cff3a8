"""Training a classifier on a person's own files: a whole run, its folder, going on, using it, and what is refused."""

import csv
import json
import random
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import ostinato
from ostinato import ConfigError, DataError, RunError
from ostinato.data.store import Store
from ostinato.models.classifier import Classifier, Examples
from ostinato.training import config
from ostinato.training.classifier import train, train_classifier
from ostinato.training.config import ClassifierRun
from ostinato.training.gradient.backpropagation import Full, Truncated
from ostinato.training.gradient.method import whole
from ostinato.training.interrupts import StopRequest
from ostinato.training.progress import Silent
from ostinato.training.run_folder import RunFolder, read_tensors

GOOD, BAD = ["lovely", "fine", "great", "warm"], ["awful", "dull", "cold", "grim"]
SMALL = {"hidden_size": 8, "embedding_size": 8, "batch_size": 8, "epochs": 4, "threads": 1}


def reviews(count=60, seed=0) -> list[tuple[str, str]]:
    draw = random.Random(seed)
    rows = []
    for k in range(count):
        word = draw.choice(GOOD if k % 2 else BAD)
        rest = [f"word{draw.randrange(40)}" for _ in range(draw.randrange(1, 9))]
        rows.append((" ".join(sorted([word, *rest], key=lambda _: draw.random())), "good" if k % 2 else "bad"))
    return rows


def write(path, rows, header=("review", "sentiment")):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "reviews.csv", reviews())


def begin(folder, file, **settings) -> ClassifierRun:
    made = config.override(ClassifierRun(), "test", {"file": str(file), **SMALL, **settings})
    return replace(made, out=folder)


def test_one_call_leaves_a_folder_that_explains_itself(tmp_path, file):
    outcome = train_classifier(file, out=tmp_path / "run", progress=False, test="0.1", **SMALL)
    folder = RunFolder(tmp_path / "run")
    assert "of 2 labels (bad, good)" in folder.card.read_text()
    assert json.loads(folder.schema.read_text())["labels"] == ["bad", "good"]
    assert outcome.tested == json.loads((folder.report / "figures.json").read_text())["test"]
    written = {path.name for path in folder.report.iterdir()}
    assert written >= {"test-confusion.png", "test-classes.csv", "steps.html", "validation-confusion.png"}
    _, facts = read_tensors(folder.model, kind="classifier")
    assert facts["errors"] == outcome.best


def test_learning_finds_the_words_that_decide(tmp_path, file):
    write(file, reviews(300))
    outcome = train(begin(tmp_path / "run", file, epochs=12, learning_rate=0.02), Silent())
    assert outcome.metrics["accuracy"] == 1.0
    answers = list(ostinato.load(tmp_path / "run").predict(["a lovely one", "dull and grim"]))
    assert [answer.answer for answer in answers] == ["good", "bad"]
    assert sum(answers[0].scores.values()) == pytest.approx(1.0, abs=1e-5)


def test_a_run_that_was_stopped_comes_to_the_same_bits(tmp_path, file, monkeypatch):
    whole = train(begin(tmp_path / "whole", file, symbol_dropout=0.1), Silent())
    monkeypatch.setattr(StopRequest, "__enter__", lambda self: SimpleNamespace(signal=signal.SIGTERM))
    run = begin(tmp_path / "parts", file, symbol_dropout=0.1)
    assert train(run, Silent()).step == 1
    monkeypatch.undo()
    finished = train(replace(run, resume=True), Silent())
    assert (finished.step, finished.best) == (whole.step, whole.best)
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert first == second


def test_a_run_that_is_resumed_may_be_longer_but_not_other(tmp_path, file):
    run = begin(tmp_path / "run", file)
    steps = train(run, Silent()).step
    longer = train_classifier(out=tmp_path / "run", resume=True, epochs=8, progress=False)
    assert longer.step == 2 * steps
    with pytest.raises(RunError, match="hidden_size is 9 now, the run began with 8"):
        train(replace(config.override(run, "test", {"hidden_size": 9}), resume=True), Silent())


@pytest.mark.parametrize("baseline", ["majority", "ngram", "bag", "mlp", "convolution"])
def test_a_baseline_runs_as_any_model_does(tmp_path, file, baseline):
    outcome = train(begin(tmp_path / "run", file, baseline=baseline, tokens="char"), Silent())
    assert set(outcome.tested) >= {"accuracy", "macro_f1", "nats"}
    trained = ostinato.load(tmp_path / "run")
    assert trained.evaluate(file)["items"] == 60
    assert {answer.answer for answer in trained.predict(["lovely"])} <= {"good", "bad"}


def test_the_majority_is_known_from_the_shares_alone(tmp_path):
    file = write(tmp_path / "r.csv", [(f"text {k}", "rare" if k % 4 == 0 else "usual") for k in range(80)])
    outcome = train(begin(tmp_path / "run", file, baseline="majority", validation="0.5"), Silent())
    assert outcome.tested["accuracy"] == 0.75
    assert outcome.tested["nats"] == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)), abs=0.01)


def test_gradients_in_pieces_need_one_direction(tmp_path, file):
    pieces = {"gradient": "truncated", "k1": 3}
    with pytest.raises(ConfigError, match="--directions 1"):
        train(begin(tmp_path / "run", file, **pieces), Silent())
    outcome = train(begin(tmp_path / "run", file, directions=1, pooling="mean", **pieces), Silent())
    assert outcome.step > 0


def test_several_labels_are_answered_together(tmp_path):
    rows = [(f"{w} {v}", ";".join(sorted({w, v}))) for w in GOOD for v in GOOD for _ in range(3)]
    file = write(tmp_path / "topics.csv", [*rows, ("nothing", "")], header=("text", "topics"))
    settings = {"answer": "labels", "between": ";", "label": "topics", "epochs": 60, "learning_rate": 0.02}
    outcome = train(begin(tmp_path / "run", file, **settings), Silent())
    assert outcome.metrics["subset_accuracy"] > 0.9
    (answer,) = ostinato.load(tmp_path / "run").predict(["warm great"])
    assert answer.answer == ["great", "warm"]


def test_numbers_are_answered_in_their_own_units(tmp_path):
    rows = [("one " * n, 1000 + n, -n) for n in range(1, 9) for _ in range(8)]
    file = write(tmp_path / "n.csv", rows, header=("text", "length", "minus"))
    settings = {"answer": "numbers", "label": "length,minus", "epochs": 60, "learning_rate": 0.02, "hidden_size": 16}
    outcome = train(begin(tmp_path / "run", file, pooling="last", dropout=0.0, **settings), Silent())
    assert outcome.metrics["mae"] < 1.0
    (answer,) = ostinato.load(tmp_path / "run").predict(["one one one one"])
    assert answer.answer == pytest.approx([1004, -4], abs=1.5)


def test_frames_are_classified_and_scaled_as_in_the_run(tmp_path):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(40, 12, 3)).astype(np.float32) * 100 + 500
    y = np.arange(40) % 2
    x[y == 1, :, 1] += 300
    np.savez(tmp_path / "x.npz", x=x, y=y)
    outcome = train(begin(tmp_path / "run", tmp_path / "x.npz", epochs=20, learning_rate=0.01), Silent())
    assert outcome.metrics["accuracy"] == 1.0
    answers = [answer.answer for answer in ostinato.load(tmp_path / "run").predict(list(x))]
    assert answers == [str(label) for label in y]


def test_rows_without_text_or_label_are_left_out_and_counted(tmp_path, capsys):
    file = write(tmp_path / "r.csv", [*reviews(), ("", "good"), ("fine", ""), ("fine", "")])
    train_classifier(file, out=tmp_path / "run", **SMALL)
    said = capsys.readouterr().out
    assert "left out 2 items without a label (the first:" in said
    assert "left out 1 item without a text (the first:" in said


def test_a_label_that_training_has_not_is_counted_and_named(tmp_path, file):
    other = write(tmp_path / "other.csv", [*reviews(8), ("strange", "odd")])
    train(begin(tmp_path / "run", file, validation=str(other)), Silent())
    figures, _, notes = ostinato.load(tmp_path / "run").judge(other)
    assert (figures["items"], figures["skipped"]) == (8, 1)
    assert "with the label 'odd', which the run does not know" in notes[1]


def test_the_parts_may_be_named_by_a_column(tmp_path):
    parts = ["train"] * 40 + ["dev"] * 12 + ["test"] * 8
    rows = [(*row, part) for row, part in zip(reviews(), parts, strict=True)]
    file = write(tmp_path / "r.csv", rows, header=("review", "sentiment", "fold"))
    train(begin(tmp_path / "run", file, part="fold"), Silent())
    items = RunFolder(tmp_path / "run").items
    assert [len(Store(items / name)) for name in ("train", "valid", "test")] == [40, 12, 8]


def test_without_a_part_to_validate_the_model_is_judged_on_what_it_learns(tmp_path, file):
    outcome = train(begin(tmp_path / "run", file, validation="0", select="nats"), Silent())
    assert outcome.best == outcome.metrics["nats"]


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (reviews(), {"label": "sentimnt"}, "no column 'sentimnt'.*sentiment"),
        (reviews(), {"text": "text"}, "no column 'text'"),
        ([("a", "x"), ("b", "x"), ("c", "x")], {"validation": "0"}, "one class only"),
        (reviews(3), {"validation": "0.01"}, "no item in the part 'valid'"),
        ([("a", ""), ("b", "")], {}, "no item to learn from.*left out 2 items without a label"),
        (reviews(), {"format": "xml"}, "--format: 'xml'.*csv.*npz"),
        (reviews(), {"validation": "1.5"}, "Possible: a share from 0 to below 1"),
        (reviews(), {"validation": "nowhere.csv"}, "there is no such file"),
        (reviews(), {"answer": "numbers"}, "'bad' is no number|'good' is no number"),
        (reviews(), {"longest": 0}, "--longest"),
        (reviews(), {"stack": 0}, "--stack"),
        (reviews(), {"compress": 0.0}, "--compress"),
        (reviews(), {"epochs": 0.0}, "--epochs"),
        (reviews(), {"select": "mse"}, "--select"),
        (reviews(), {"feedback": "free"}, "--feedback"),
        (reviews(), {"gradient": "checkpointed"}, "--gradient"),
        (reviews(), {"gradient": "rtrl", "directions": 1}, "--gradient: rtrl was given. Of a classifier it is full"),
        (reviews(), {"baseline": "bag", "ar": 1.0}, "--ar: a model without recurrence"),
        (reviews(), {"dropout": 1.5}, "dropout: 1.5 was given"),
        (reviews(), {"embedding_size": 0}, "embedding_size: 0 was given"),
        (reviews(), {"answer": "labels", "between": ""}, "--between"),
        (reviews(), {"directions": 3}, "directions is 3. It is one of 1, 2"),
        (reviews(), {"part": "fold", "test": "0.1"}, "--part"),
        (reviews(), {"baseline": "ngram", "answer": "labels"}, "--baseline: ngram"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_and_leaves_no_folder(tmp_path, rows, settings, message):
    file = write(tmp_path / "r.csv", rows)
    with pytest.raises((ConfigError, DataError), match=message):
        train(begin(tmp_path / "run", file, **settings), Silent())
    assert not (tmp_path / "run").exists()


def test_texts_are_cut_to_the_steps_that_are_read(tmp_path, file, capsys):
    train_classifier(file, out=tmp_path / "run", longest=2, **SMALL)
    assert "to their first 2 steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arrays", "settings", "message"),
    [
        ({"x": np.zeros((4, 3))}, {}, "no labels in it"),
        ({"x": np.zeros((4, 3)), "y": [0, 1, 0, 1]}, {"label": "y"}, "--label: 'y'.*Frames have no columns"),
        ({"x": np.zeros((4, 3)), "y": [0, 1, 0, 1]}, {"part": "split"}, "--part: 'split'.*Frames have no columns"),
        ({"x": [[1.0, np.nan]] * 4, "y": [0, 1, 0, 1]}, {}, "no number .NaN. at step 2.*--missing zero"),
        ({"x": np.zeros((4, 3)), "y": [0.5, 1, 0, 1]}, {}, "--answer numbers"),
    ],
)
def test_frames_that_cannot_be_learned_from_are_refused(tmp_path, arrays, settings, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises((ConfigError, DataError), match=message):
        train(begin(tmp_path / "run", tmp_path / "a.npz", **settings), Silent())


def test_gaps_are_filled_with_zeros_when_asked_for(tmp_path):
    np.savez(tmp_path / "a.npz", x=[[1.0, np.nan], [0.0, 1.0]] * 4, y=[0, 1] * 4)
    settings = {"missing": "zero", "standardise": False, "validation": "0"}
    train(begin(tmp_path / "run", tmp_path / "a.npz", **settings), Silent())
    items = Store(RunFolder(tmp_path / "run").items / "train")
    np.testing.assert_array_equal(items.read("inputs", 0), [[1], [0]])


def test_a_file_without_a_known_label_cannot_be_scored(tmp_path, file):
    other = write(tmp_path / "other.csv", [("strange", "odd")])
    train(begin(tmp_path / "run", file), Silent())
    with pytest.raises(
        DataError, match=r"other.csv: no item that can be scored\. left out 1 item with the label 'odd'"
    ):
        ostinato.load(tmp_path / "run").evaluate(other)


@pytest.mark.parametrize(
    "file", ["reviews.csv.gz", "some/reviews/", "hf://owner/reviews", "hf://owner/reviews?split=test"]
)
def test_a_run_is_named_after_its_file(file):
    assert ClassifierRun(data=config.classifier.LabelledData(file=file)).name == "reviews"


def test_frames_may_be_read_several_at_a_step(tmp_path):
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", x=draw.normal(size=(20, 7, 3)).astype(np.float32), y=np.arange(20) % 2)
    train(begin(tmp_path / "run", tmp_path / "x.npz", stack=3), Silent())
    store = Store(RunFolder(tmp_path / "run").items / "train")
    assert (store.lengths("inputs")[0], store.read("inputs", 0).shape) == (3, (3, 9))
    assert [a.answer for a in ostinato.load(tmp_path / "run").predict([np.zeros((1, 3)), np.zeros((8, 3))])]


def test_frames_of_very_different_sizes_are_read_by_their_logarithm(tmp_path):
    sizes = np.array([1e-4, 1e-2, 1.0, 100.0]).repeat(10)
    x = np.random.default_rng(0).normal(size=(40, 6, 1)).astype(np.float32) * sizes[:, None, None].astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x, y=sizes > 0.1)
    settings = {"compress": 1e-4, "epochs": 30, "learning_rate": 0.01, "validation": "0"}
    assert train(begin(tmp_path / "run", tmp_path / "x.npz", **settings), Silent()).metrics["accuracy"] > 0.9
    folder = RunFolder(tmp_path / "run")
    read = Store(folder.items / "train").column("inputs")
    assert (abs(read.mean()) < 1e-3, abs(read.std() - 1) < 1e-3) == (True, True)


def test_a_refusal_leaves_the_run_that_is_there(tmp_path, file):
    train(begin(tmp_path / "run", file), Silent())
    kept = (tmp_path / "run" / "model.safetensors").read_bytes()
    for settings in ({"gradient": "kf-rtrl"}, {"baseline": "bag", "tar": 1.0}):
        with pytest.raises(ConfigError):
            train(replace(begin(tmp_path / "run", file, directions=1, **settings), overwrite=True), Silent())
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == kept


@pytest.mark.parametrize("seed", [0, 1])
def test_a_truncated_run_reads_short_and_long_sequences_as_often_as_it_says(tmp_path, seed):
    rows = [(" ".join(["word"] * (40 if k % 2 else 3)), k % 2) for k in range(60)]
    file = write(tmp_path / "r.csv", rows)
    settings = {"gradient": "truncated", "k1": 16, "directions": 1, "epochs": 1, "seed": seed, "validation": "0"}
    train(begin(tmp_path / "run", file, **settings), Silent())
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert (last["sequences"], last["epoch"]) == (60, 1.0)


@pytest.mark.parametrize("k1", [3, 20])
def test_the_gradient_of_a_short_sequence_is_that_of_the_whole(k1):
    torch.manual_seed(0)
    model = Classifier(2, "gru", input_size=3, hidden_size=4).double()
    examples = Examples(
        torch.randn(3, 4, 3, dtype=torch.float64), torch.tensor([3, 2, 3, 1]), torch.tensor([0, 1, 1, 0])
    )
    found = []
    for method in (Full(), Truncated(k1, k1)):
        model.zero_grad()
        method.accumulate(model, examples, whole(3), None, torch.Tensor.backward)
        found.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert torch.allclose(*found, atol=1e-12)


def test_nats_are_those_of_the_answers_whatever_the_labels_weigh(tmp_path):
    rows = [(f"text {k % 5}", "rare" if k % 6 == 0 else "usual") for k in range(60)]
    file = write(tmp_path / "r.csv", rows)
    train(begin(tmp_path / "run", file, class_weights="balanced"), Silent())
    trained = ostinato.load(tmp_path / "run")
    answers = trained.predict([text for text, _ in rows])
    expected = -np.mean([np.log(a.scores[label]) for a, (_, label) in zip(answers, rows, strict=True)])
    assert trained.evaluate(file)["nats"] == pytest.approx(expected, abs=1e-5)


def test_a_later_file_is_read_in_its_own_format(tmp_path):
    labelled = tmp_path / "train.txt"
    labelled.write_text("".join(f"{label} {text}\n" for text, label in reviews()))
    train(begin(tmp_path / "run", labelled, format="labelled"), Silent())
    trained, heard = ostinato.load(tmp_path / "run"), []
    texts = ["good film indeed", "bad film indeed"]
    plain = tmp_path / "plain.txt"
    plain.write_text("\n".join(texts))
    read, typed = list(trained.lines(file=str(plain), say=heard.append))[1:], list(trained.lines(texts))[1:]
    assert [line.split(",")[-3:] for line in read] == [line.split(",")[-3:] for line in typed]
    assert heard[0] == f"read {plain}: lines of text; text 'text' (by its name)"
    assert "begins with a label of the run" in heard[1]
    (first, second) = list(trained.lines(file=str(plain), format="labelled"))[1:]
    assert first.split(",")[-2:] == second.split(",")[-2:]
    assert trained.evaluate(labelled)["items"] == 60
    assert trained.evaluate(write(tmp_path / "table.csv", reviews()), text="review", label="sentiment")["items"] == 60


def test_a_file_is_scored_as_the_same_file_was_learned_from(tmp_path, file):
    write(file, [*reviews(), *[(" ", "good")] * 20])
    outcome = train(begin(tmp_path / "run", file, validation="0", longest=2), Silent())
    figures, _, notes = ostinato.load(tmp_path / "run").judge(file)
    assert (figures["items"], figures["skipped"]) == (60, 20)
    assert figures["nats"] == pytest.approx(outcome.tested["nats"], abs=1e-5)
    assert "left out 20 items without a text" in notes[1]
    assert notes[2].startswith("cut ")


def test_a_column_may_have_a_comma_in_its_name(tmp_path):
    name = "label (good, bad)"
    file = write(tmp_path / "odd.csv", reviews(), header=("text", name))
    train(begin(tmp_path / "run", file, label=name), Silent())
    trained = ostinato.load(tmp_path / "run")
    assert trained.evaluate(file)["items"] == trained.evaluate(file, label=name)["items"] == 60


def test_what_a_model_of_texts_says_of_frames(tmp_path, file):
    train(begin(tmp_path / "run", file), Silent())
    np.savez(tmp_path / "f.npz", x=np.zeros((4, 3, 2)), y=[0, 1, 0, 1])
    with pytest.raises(DataError, match=r"frames of numbers\. This model reads texts"):
        ostinato.load(tmp_path / "run").evaluate(tmp_path / "f.npz")


def test_a_test_part_of_which_nothing_is_left_is_refused(tmp_path, file):
    other = write(tmp_path / "other.csv", [("a text", "odd"), ("a text", "even")])
    with pytest.raises(
        DataError, match=r"other.csv: no item is left in the part 'test'. left out 1 item with the label"
    ):
        train(begin(tmp_path / "run", file, test=str(other)), Silent())


def test_a_label_that_is_no_number_is_none(tmp_path, capsys):
    rows = reviews()
    labels = [float("nan") if k < 3 else float(label == "good") for k, (_, label) in enumerate(rows)]
    table = pa.table({"text": [text for text, _ in rows], "label": labels})
    pq.write_table(table, tmp_path / "r.parquet")
    train_classifier(tmp_path / "r.parquet", out=tmp_path / "run", **SMALL)
    assert "left out 3 items without a label" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "run" / "schema.json").read_text())["labels"]) == 2


def test_sequences_before_one_of_another_kind_are_answered(tmp_path, file):
    train(begin(tmp_path / "run", file, epochs=1), Silent())
    answers = ostinato.load(tmp_path / "run").predict(["lovely", np.zeros((3, 2)), "dull"])
    assert next(answers).place == "sequence 1"
    with pytest.raises(DataError, match="sequence 2"):
        next(answers)
