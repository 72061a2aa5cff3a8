"""Training a captioner on a person's own images and vectors: a whole run, using it, going on, and what is refused."""

import io
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
from PIL import Image

import ostinato
from ostinato import ConfigError, DataError, RunError
from ostinato.data.store import Store
from ostinato.training import config
from ostinato.training.captioner import train, train_captioner
from ostinato.training.captioner.encoding import Items
from ostinato.training.captioner.shape import opened
from ostinato.training.config import CaptionerRun
from ostinato.training.interrupts import StopRequest
from ostinato.training.progress import Silent
from ostinato.training.run_folder import RunFolder, read_tensors

SMALL = {
    "hidden_size": 12, "embedding_size": 8, "vector_size": 10, "channels": "4,8", "image_size": 12, "batch_size": 8,
    "dropout": 0.0, "threads": 1, "max_length": 8, "beam": 2,
}  # fmt: skip
COLOURS = {"red": "#e02020", "green": "#20c040", "blue": "#2040e0", "black": "#000000"}


@pytest.fixture
def table(tmp_path):
    """Forty images of one colour each but for a corner, with two captions each."""
    draw = random.Random(0)
    lines = ["image,caption"]
    for number in range(40):
        name = draw.choice(list(COLOURS))
        picture = Image.new("RGB", (10, 14), COLOURS[name])
        picture.paste((6 * number, 0, 90), (0, 0, 3, 3))
        picture.save(tmp_path / f"{number}.png")
        lines += [f"{number}.png,a {name} square", f"{number}.png,all {name}"]
    (tmp_path / "captions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "captions.csv"


@pytest.fixture
def questions(table):
    lines = ["image,question,answer"]
    for line in table.read_text().splitlines()[1::2]:
        image, caption = line.split(",")
        lines += [f"{image},what colour is it?,{caption.split()[1]}", f"{image},is it red?,{'red' in caption}"]
    (table.parent / "questions.csv").write_text("\n".join(lines) + "\n")
    return table.parent / "questions.csv"


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """A run that has learned four colours from numbers near them."""
    folder, generator = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    lines = ["hex,name"]
    for _ in range(200):
        name = list(COLOURS)[generator.integers(len(COLOURS))]
        rgb = np.frombuffer(bytes.fromhex(COLOURS[name][1:]), np.uint8).astype(int) + generator.integers(-20, 21, 3)
        lines.append(f"#{bytes(rgb.clip(0, 255).tolist()).hex()},{name}")
    (folder / "names.csv").write_text("\n".join(lines) + "\n")
    train_captioner(
        folder / "names.csv", out=folder / "run", progress=False, tokens="char", steps=250, test="0.1",
        **{**SMALL, "hidden_size": 24, "batch_size": 32, "learning_rate": 0.01},
    )  # fmt: skip
    return folder / "run"


def said(run):
    """Train and return the lines that were said."""
    lines = []
    display = Silent()
    display.say = lines.append
    train(run, display)
    return "\n".join(lines).splitlines()


def run_of(file, out, **settings):
    return config.override(CaptionerRun(out=out), "test", {"file": str(file), "steps": 2, **SMALL, **settings})


def items_of(folder, part):
    parts = RunFolder(folder, CaptionerRun())
    return Items(parts.items, part, opened(parts))


def pictures_of(items):
    return {int(items.store.read("picture", k)[0]) for k in range(len(items))}


def test_a_run_folder_explains_itself(table, tmp_path):
    outcome = train_captioner(table, out=tmp_path / "run", progress=False, epochs=2, test="0.2", **SMALL)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.yaml", "model.safetensors", "tokenizer.json", "schema.json", "metrics.jsonl", "README.md"} <= names
    assert "source-tokenizer.json" not in names
    figures = json.loads((tmp_path / "run" / "report" / "figures.json").read_text())
    assert figures["test"]["nats"] == outcome.tested["nats"]
    assert {"exact", "bleu", "chrf", "nats", "perplexity"} == set(figures["test"])
    report = {path.name for path in (tmp_path / "run" / "report").iterdir()}
    assert {"test-written.csv", "test-1.png", "validation-1.png"} <= report


def test_each_caption_is_learned_from_and_each_image_kept_once(table, tmp_path):
    train_captioner(table, out=tmp_path / "run", progress=False, steps=1, validation="0.2", test="0.2", **SMALL)
    parts = {part: items_of(tmp_path / "run", part) for part in ("train", "valid", "test")}
    pictures = {
        part: {int(items.store.read("picture", k)[0]) for k in range(len(items))} for part, items in parts.items()
    }
    assert len(parts["train"]) == 2 * len(pictures["train"])
    assert [len(parts[part]) for part in ("valid", "test")] == [len(pictures[part]) for part in ("valid", "test")]
    assert sum(map(len, pictures.values())) == len(Store(parts["train"].pictures.folder)) == 40
    _, references = parts["valid"].texts(0)
    assert len(references) == 2
    colour = references[1].removeprefix("all ")
    assert parts["valid"].seen(0)[6, 6].tolist() == list(bytes.fromhex(COLOURS[colour][1:]))


def test_pictures_of_one_name_in_several_archives_stay_their_own(tmp_path):
    generator = np.random.default_rng(0)
    features = {part: generator.standard_normal((6, 4)).astype(np.float32) for part in ("train", "valid", "test")}
    for part, values in features.items():
        np.savez(tmp_path / f"{part}.npz", features=values, captions=np.array(list("abcabc")))
    train_captioner(
        tmp_path / "train.npz", validation=str(tmp_path / "valid.npz"), test=str(tmp_path / "test.npz"),
        out=tmp_path / "run", progress=False, **{**SMALL, "steps": 1},
    )  # fmt: skip
    for part, values in features.items():
        items = items_of(tmp_path / "run", part)
        np.testing.assert_array_equal([items.seen(k) for k in range(len(items))], values)


def test_pictures_of_one_name_in_two_folders_stay_their_own(tmp_path):
    for folder, colour in (("one", "#ff0000"), ("two", "#0000ff")):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (5, 5), colour).save(tmp_path / folder / "a.png")
        (tmp_path / folder / "a.txt").write_text("a square")
    train_captioner(
        tmp_path / "one", validation=str(tmp_path / "two"), out=tmp_path / "run", progress=False,
        **{**SMALL, "steps": 1},
    )  # fmt: skip
    seen = [items_of(tmp_path / "run", part).seen(0)[6, 6].tolist() for part in ("train", "valid")]
    assert seen == [[255, 0, 0], [0, 0, 255]]


def test_images_of_a_table_that_share_a_path_stay_their_own(tmp_path):
    rows = []
    for number in range(30):
        stored = io.BytesIO()
        Image.new("RGB", (5, 5), (8 * number, 0, 0)).save(stored, "png")
        rows.append({"bytes": stored.getvalue(), "path": "image.png"})
    table = pa.table({"image": rows, "caption": [f"red {number}" for number in range(30)]})
    pq.write_table(table, tmp_path / "a.parquet")
    train_captioner(tmp_path / "a.parquet", out=tmp_path / "run", progress=False, **{**SMALL, "steps": 1})
    parts = [items_of(tmp_path / "run", part) for part in ("train", "valid")]
    reds = {int(items.seen(k)[6, 6, 0]) for items in parts for k in range(len(items))}
    assert reds == {8 * number for number in range(30)}


def test_all_that_see_the_same_are_in_one_part(tmp_path):
    values = np.repeat(np.random.default_rng(0).standard_normal((40, 3)), 2, axis=0)
    texts = {"captions": np.array(["yes", "no"] * 40), "questions": np.array(["is it?", "what?"] * 40)}
    np.savez(tmp_path / "a.npz", features=values, **texts)
    train_captioner(tmp_path / "a.npz", validation="0.4", out=tmp_path / "run", progress=False, **{**SMALL, "steps": 1})
    trained, kept = (pictures_of(items_of(tmp_path / "run", part)) for part in ("train", "valid"))
    assert not trained & kept
    assert len(trained) + len(kept) == 40


def test_numbers_written_in_two_ways_are_seen_in_one_part(tmp_path):
    rows = "".join(f"{k},{k},whole\n{k}.0,{k},real\n" for k in range(40))
    (tmp_path / "a.csv").write_text("x,y,caption\n" + rows)
    train_captioner(
        tmp_path / "a.csv", vector="x,y", validation="0.4", out=tmp_path / "run", progress=False,
        **{**SMALL, "steps": 1},
    )  # fmt: skip
    trained, kept = (pictures_of(items_of(tmp_path / "run", part)) for part in ("train", "valid"))
    assert not trained & kept
    assert len(trained) + len(kept) == 40


def test_what_is_seen_in_two_parts_is_said_whatever_is_asked_of_it(tmp_path):
    for name, question in (("train", "what?"), ("valid", "why?")):
        np.savez(tmp_path / f"{name}.npz", features=np.ones((3, 2)), captions=np.array(list("abc")),
                 questions=np.array([question] * 3))  # fmt: skip
    notes = said(run_of(tmp_path / "train.npz", tmp_path / "run", validation=str(tmp_path / "valid.npz")))
    assert any("3 items of 'valid' are in 'train' too" in line for line in notes)


def test_a_part_without_an_item_is_explained_by_how_parts_are_dealt(tmp_path):
    (tmp_path / "a.csv").write_text("hex,name\n#ff0000,red\n#ff0000,rouge\n")
    with pytest.raises(DataError, match=r"all that is the same goes to one part"):
        train(run_of(tmp_path / "a.csv", tmp_path / "run", validation="0.5"), Silent())


def test_colours_are_named(colours):
    found = list(ostinato.load(colours).predict(list(COLOURS.values())))
    assert [answer.text for answer in found] == list(COLOURS)


def test_vectors_are_answered_as_text_and_as_numbers(colours):
    model = ostinato.load(colours)
    texts = [answer.best[0].score for answer in model.predict(["#e02020", "0.8784314, 0.1254902, 0.1254902"])]
    numbers = next(iter(model.predict([np.array([224, 32, 32]) / 255])))
    assert texts[0] == pytest.approx(texts[1], abs=1e-5) == pytest.approx(numbers.best[0].score, abs=1e-5)


def test_items_are_answered_in_their_order_and_as_alone(colours):
    model = ostinato.load(colours)
    generator = np.random.default_rng(3)
    seen = [f"#{bytes(generator.integers(0, 256, 3).tolist()).hex()}" for _ in range(40)]
    together = [answer.text for answer in model.predict(seen, beam=3)]
    assert together == [next(iter(model.predict([one], beam=3))).text for one in seen]


def test_n_best_are_ranked_and_begin_as_asked(colours):
    model = ostinato.load(colours)
    best = next(iter(model.predict(["#e02020"], n_best=4))).best
    assert [found.score for found in best] == sorted((found.score for found in best), reverse=True)
    assert all(
        found.text.startswith("b") for found in next(iter(model.predict(["#e02020"], prefix="b", n_best=2))).best
    )


def test_draws_repeat_with_their_seed(colours):
    model = ostinato.load(colours)
    draws = [
        [found.text for found in next(iter(model.predict(["#888888"], temperature=4.0, n_best=6, seed=seed))).best]
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_a_file_is_scored_as_the_test_part_was(colours, tmp_path):
    items, model = items_of(colours, "test"), ostinato.load(colours)
    rows = [(bytes((255 * items.seen(k)).round().astype(np.uint8)).hex(), items.texts(k)[1]) for k in range(len(items))]
    text = "".join(f"#{shown},{name}\n" for shown, names in rows for name in names)
    (tmp_path / "test.csv").write_text("hex,name\n" + text)
    figures = json.loads((colours / "report" / "figures.json").read_text())["test"]
    found = model.evaluate(tmp_path / "test.csv")
    assert found["items"] == len(items)
    assert found["exact"] == figures["exact"]
    assert found["nats"] == pytest.approx(figures["nats"], rel=1e-5)


def test_the_unigram_baseline_counts_what_is_learned_from(colours, tmp_path):
    outcome = train_captioner(
        colours.parent / "names.csv", out=tmp_path / "run", progress=False, tokens="char", test="0.1",
        baseline="unigram", **SMALL,
    )  # fmt: skip
    train_items, tested = items_of(tmp_path / "run", "train"), items_of(tmp_path / "run", "test")
    edge = train_items.encoder.target.boundary
    learned, right = (
        [symbol for k in range(len(items)) for symbol in [*items.store.read("target", k).tolist(), edge]]
        for items in (train_items, tested)
    )
    size = train_items.encoder.target.size
    shares = {symbol: (1 + learned.count(symbol)) / (size + len(learned)) for symbol in set(right)}
    assert outcome.tested["nats"] == pytest.approx(-np.mean([np.log(shares[symbol]) for symbol in right]), rel=1e-5)
    assert outcome.steps == 0
    own = json.loads((colours / "report" / "figures.json").read_text())["test"]
    assert own["nats"] < outcome.tested["nats"] / 2


def test_the_blind_say_the_same_of_everything(table, tmp_path):
    train_captioner(table, out=tmp_path / "run", progress=False, steps=3, baseline="blind", **SMALL)
    found = list(ostinato.load(tmp_path / "run").predict([table.parent / "0.png", table.parent / "1.png", "2.png"][:2]))
    assert found[0].best[0].score == found[1].best[0].score


def test_questions_are_read_and_answered(questions, tmp_path):
    train_captioner(questions, out=tmp_path / "run", progress=False, steps=3, validation="0.2", **SMALL)
    model = ostinato.load(tmp_path / "run")
    assert model.answers
    pictures = [pictures_of(items_of(tmp_path / "run", part)) for part in ("train", "valid")]
    assert not pictures[0] & pictures[1]  # both questions of an image are in one part
    paths = [str(table) for table in sorted(questions.parent.glob("*.png"))[:3]]
    one = [answer.best[0].score for answer in model.predict(paths, "is it red?")]
    each = [answer.best[0].score for answer in model.predict(paths, ["is it red?", "what colour is it?", "is it red?"])]
    assert one[0] == pytest.approx(each[0], abs=1e-6)
    assert one[1] != pytest.approx(each[1], abs=1e-6)


def test_regions_of_an_archive_are_attended_to(tmp_path):
    generator = np.random.default_rng(0)
    names = np.array(list(COLOURS))[generator.integers(0, 4, 30)]
    np.savez(tmp_path / "a.npz", features=generator.standard_normal((30, 5, 4)), captions=names)
    train_captioner(tmp_path / "a.npz", out=tmp_path / "run", progress=False, steps=3, **SMALL)
    model = ostinato.load(tmp_path / "run")
    found = next(iter(model.predict([np.zeros((5, 4))], max_length=3, min_length=3)))
    assert found.best[0].weights.shape == (4, 5)
    assert model.evaluate(tmp_path / "a.npz")["items"] == 30
    lines = list(model.lines(file=str(tmp_path / "a.npz"), form="jsonl"))
    assert len(lines) == 30
    with pytest.raises(DataError, match=r"features\.npz"):
        list(model.predict(["#000000"]))


def test_a_folder_and_a_generated_world_are_learned_from(table, tmp_path):
    (tmp_path / "pictures").mkdir()
    for number in range(12):
        (table.parent / f"{number}.png").rename(tmp_path / "pictures" / f"{number}.png")
        (tmp_path / "pictures" / f"{number}.txt").write_text("a square")
    train_captioner(tmp_path / "pictures", out=tmp_path / "one", progress=False, steps=1, **SMALL)
    outcome = train_captioner(
        "generated:shapes?items=20", validation="generated:shapes?items=5&part=valid", out=tmp_path / "two",
        progress=False, steps=1, **SMALL,
    )  # fmt: skip
    assert "exactly right" in outcome.reached
    assert ostinato.load(tmp_path / "two").evaluate("generated:shapes?items=6&part=test")["items"] == 6


@pytest.mark.parametrize(
    "settings",
    [
        {"attention": "none", "context": "all"},
        {"attention": "additive", "attend": "before", "cell": "lstm"},
        {"attention": "general", "input_feeding": True},
        {"attention": "location", "context": "input"},
        {"attention": "general", "tied": True, "num_layers": 2, "context": "state+bias"},
        {"select": "errors", "label_smoothing": 0.1, "fit": "crop", "lowercase": True},
        {"tokens": "bpe", "vocabulary_size": 300},
        {"tokens": "char", "fit": "stretch", "least": 2},
        {"tokens": "byte"},
        {"tokens": "symbols", "context": "bias"},
        {"image_column": "image", "caption_column": "caption", "questions": "no", "longest": 3},
    ],
    ids=str,
)
def test_every_network_trains_and_writes(table, tmp_path, settings):
    train_captioner(table, out=tmp_path / "run", progress=False, **{**SMALL, "steps": 2, **settings})
    model = ostinato.load(tmp_path / "run")
    assert len(list(model.predict([table.parent / "0.png", (table.parent / "1.png").read_bytes()], max_length=4))) == 2


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(questions, tmp_path, monkeypatch):
    run = run_of(questions, tmp_path / "whole", steps=12)
    whole = train(run, Silent())
    monkeypatch.setattr(StopRequest, "__enter__", lambda self: SimpleNamespace(signal=signal.SIGTERM))
    torn = replace(run, out=tmp_path / "torn")
    assert train(torn, Silent()).step == 1
    monkeypatch.undo()
    for path in questions.parent.glob("*.png"):
        path.unlink()  # a run needs its images once
    finished = train(replace(torn, resume=True), Silent())
    assert (finished.step, finished.best) == (whole.step, whole.best)
    first, second = (read_tensors(RunFolder(tmp_path / f).last, kind="captioner")[0] for f in ("whole", "torn"))
    assert all(torch.equal(first[name], second[name]) for name in first if name.startswith("model/"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gradient": "truncated"}, "whole captions"),
        ({"feedback": "always"}, "feedback"),
        ({"label_smoothing": 1.5}, "label_smoothing"),
        ({"longest": 0}, "longest"),
        ({"least": 0}, "least"),
        ({"image_size": 0}, "image_size"),
        ({"image_size": 3}, "it has 4 at least"),
        ({"channels": "8,x"}, "channels"),
        ({"channels": "33"}, "multiples"),
        ({"vector_size": 0}, "vector_size"),
        ({"fit": "squash"}, "fit"),
        ({"unreadable": "ignore"}, "unreadable"),
        ({"attention": "dot"}, "equal sizes"),
        ({"baseline": "blind", "attention": "general"}, "what is not seen"),
        ({"context": "stat"}, "state, input, bias"),
        ({"attend": "before", "input_feeding": True}, "input_feeding"),
        ({"vector": ","}, "names no column"),
        ({"vector": "r"}, "no column 'r'"),
        ({"image_column": "picture"}, "no column 'picture'"),
        ({"caption_column": "captoin"}, "Did you mean 'caption'"),
        ({"questions": "yes"}, "question"),
        ({"images": "/nowhere"}, "no such file"),
        ({"beam": 0}, "beam"),
        ({"validation": "0.9", "test": "0.5"}, "less than 1"),
        ({"embeding_size": 1}, "embedding_size"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_a_folder_exists(table, tmp_path, settings, message):
    with pytest.raises((ConfigError, DataError), match=message):
        train_captioner(table, out=tmp_path / "run", progress=False, **{**SMALL, "steps": 2, **settings})
    assert not (tmp_path / "run").exists()


def test_images_that_cannot_be_read_are_refused_or_counted(table, tmp_path):
    (table.parent / "7.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"7\.png"):
        train(run_of(table, tmp_path / "run"), Silent())
    notes = [line for line in said(run_of(table, tmp_path / "run", unreadable="skip")) if line.startswith("note")]
    assert any("cannot be read as an image" in line and "7.png" in line for line in notes)


def test_items_without_captions_are_counted(table, tmp_path):
    Image.new("RGB", (4, 4)).save(table.parent / "bare.png")
    with table.open("a") as file:
        file.write("bare.png,\n")
    notes = [line for line in said(run_of(table, tmp_path / "run")) if line.startswith("note")]
    assert any("without a caption" in line and "line 82" in line for line in notes)


def test_words_that_are_mostly_unknown_are_said(tmp_path):
    rows = "".join(f"#{k:02x}0000,what is {k}?,it is {k}\n" for k in range(20))
    (tmp_path / "reds.csv").write_text(f"hex,question,answer\n{rows}")
    lines = said(run_of(tmp_path / "reds.csv", tmp_path / "run", validation="0", least=2, vector="hex"))
    assert [line for line in lines if line.startswith("note")] == [
        "note    20 of 80 words of questions are unknown, 3 known (--least 2)",
        "note    20 of 60 words of answers are unknown, 2 known (--least 2)",
    ]


def test_captions_that_are_all_too_long_or_missing_are_refused(table, tmp_path):
    with pytest.raises(DataError, match="every caption"):
        train(run_of(table, tmp_path / "run", longest=1), Silent())
    table.write_text("image,caption\n0.png,\n1.png,\n")
    with pytest.raises(DataError, match="no item with a caption"):
        train(run_of(table, tmp_path / "run"), Silent())


def test_vectors_of_different_lengths_are_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"v": [1, 2], "caption": "a"}\n{"v": [1], "caption": "b"}\n')
    with pytest.raises(DataError, match="one shape"):
        train(run_of(tmp_path / "a.jsonl", tmp_path / "run", vector="v", validation="0"), Silent())


def test_files_that_are_not_alike_are_refused(table, questions, tmp_path):
    with pytest.raises(DataError, match="are alike"):
        train(run_of(table, tmp_path / "run", validation=str(questions)), Silent())


def test_what_has_another_shape_than_was_learned_from_is_refused(colours, table, tmp_path):
    model = ostinato.load(colours)
    with pytest.raises(DataError, match="vectors of 2 where vectors of 3"):
        list(model.predict(["1 2"]))
    with pytest.raises(DataError, match="is no vector"):
        list(model.predict(["teal"]))
    train_captioner(table, out=tmp_path / "run", progress=False, steps=1, **SMALL)
    with pytest.raises(DataError, match="images of 5 x 5"):
        list(ostinato.load(tmp_path / "run").predict([np.zeros((5, 5, 3), np.uint8)]))


@pytest.mark.parametrize(
    ("asked", "settings", "message"),
    [
        (["#e02020"], {"questions": "why?"}, "answers no questions"),
        (["#e02020"], {"beams": 3}, "Did you mean 'beam'"),
        (["#e02020"], {"never": (1,)}, "no setting of a search"),
        (["#e02020"], {"prefix": "rЖd"}, "prefix: 'Ж' was never learned"),
        ("#e02020", {}, "'#e02020', one alone"),
        ([[np.nan, 0, 0]], {}, "not finite"),
        ([np.array([1e300, 0, 0])], {}, "not finite"),
        ([["a", "b", "c"]], {}, "Possible: numbers"),
        ([[[1, 2], [3]]], {}, "several lengths"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(colours, asked, settings, message):
    with pytest.raises((ConfigError, DataError), match=message):
        list(ostinato.load(colours).predict(asked, **settings))


def test_sequences_of_numbers_are_vectors(colours):
    model = ostinato.load(colours)
    rows = [[0.1, 0.2, 0.3], (0.1, 0.2, 0.3), np.array([0.1, 0.2, 0.3])]
    scores = [answer.best[0].score for answer in model.predict(rows)]
    assert scores == pytest.approx(scores[:1] * 3, abs=1e-6)  # float32, side by side


@pytest.mark.parametrize("pixels", [np.full((12, 12, 3), 0.5), np.full((12, 12, 3), 300), np.full((12, 12, 3), -1)])
def test_pixels_that_are_no_bytes_are_refused(table, tmp_path, pixels):
    train_captioner(table, out=tmp_path / "run", progress=False, **{**SMALL, "steps": 1})
    with pytest.raises(DataError, match="whole numbers from 0 to 255"):
        list(ostinato.load(tmp_path / "run").predict([pixels]))


def test_questions_are_as_many_as_what_is_seen_and_a_prefix_is_of_words_that_were_learned(questions, tmp_path):
    train_captioner(questions, out=tmp_path / "run", progress=False, **{**SMALL, "steps": 1})
    model, images = ostinato.load(tmp_path / "run"), [questions.parent / "0.png", questions.parent / "1.png"]
    with pytest.raises(ConfigError, match="1 questions for more items"):
        list(model.predict(images, ["what colour is it?"]))
    with pytest.raises(ConfigError, match="1 items for more questions"):
        list(model.predict(images[:1], ["what colour is it?"] * 2))
    with pytest.raises(ConfigError, match="prefix: 'unseenword' was never learned"):
        list(model.predict(images, "what colour is it?", prefix="red unseenword"))


def test_what_is_written_is_bounded_by_what_was_learned(colours):
    model = ostinato.load(colours)
    longest = max(map(len, COLOURS))
    assert model.encoder.schema.longest == longest
    found = next(iter(model.predict(["#888888"], temperature=50.0, n_best=40, seed=0, max_length=1000))).best
    assert max(len(best.symbols) for best in found) == 2 * longest + 5


def test_numbers_that_overflow_once_scaled_are_refused(tmp_path):
    rows = "".join(f"{k * 1e-9},n\n" for k in range(20))
    (tmp_path / "a.csv").write_text("v,caption\n" + rows)
    (tmp_path / "b.csv").write_text("v,caption\n3e38,n\n")
    with pytest.raises(DataError, match=r"b\.csv, line 2: a number that is not finite"):
        train(run_of(tmp_path / "a.csv", tmp_path / "x", vector="v", validation=str(tmp_path / "b.csv")), Silent())
    train(run_of(tmp_path / "a.csv", tmp_path / "y", vector="v", validation="0"), Silent())
    with pytest.raises(DataError, match="not finite"):
        list(ostinato.load(tmp_path / "y").predict(["3e38"]))


def test_the_report_says_the_nats_by_which_weights_are_judged(tmp_path):
    (tmp_path / "a.csv").write_text("hex,name\n" + "".join(f"#{k:06x},n{k % 3}\n" for k in range(30)))
    line = next(line for line in said(run_of(tmp_path / "a.csv", tmp_path / "run")) if line.startswith("validation:"))
    assert " nats a symbol, perplexity " in line


def test_a_question_that_is_missing_is_asked_for(questions, tmp_path):
    train_captioner(questions, out=tmp_path / "run", progress=False, steps=1, **SMALL)
    with pytest.raises(DataError, match="no question"):
        list(ostinato.load(tmp_path / "run").predict([questions.parent / "0.png"]))


def test_a_vocabulary_that_is_missing_or_damaged_is_said(questions, tmp_path):
    train_captioner(questions, out=tmp_path / "run", progress=False, steps=1, **SMALL)
    (tmp_path / "run" / "source-tokenizer.json").write_text("{}")
    with pytest.raises(RunError, match=r"source-tokenizer\.json"):
        ostinato.load(tmp_path / "run")
    (tmp_path / "run" / "tokenizer.json").unlink()
    with pytest.raises(RunError, match=r"tokenizer\.json"):
        ostinato.load(tmp_path / "run")


def test_items_before_one_that_cannot_be_seen_are_answered(colours):
    answers = ostinato.load(colours).predict(["#e02020", "#2040e0", "teal", "#000000"])
    assert [next(answers).text, next(answers).text] == ["red", "blue"]
    with pytest.raises(DataError, match="is no vector"):
        next(answers)
