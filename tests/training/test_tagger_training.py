"""Training a tagger on a person's own files: a whole run, its folder, going on, using it, and what is refused."""

import json
import random
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import ostinato
from ostinato import ConfigError, DataError, RunError
from ostinato.data.store import Store
from ostinato.models.tagged import TaggedWords
from ostinato.training import config
from ostinato.training.config import TaggerRun
from ostinato.training.interrupts import StopRequest
from ostinato.training.progress import Silent
from ostinato.training.run_folder import RunFolder, read_tensors
from ostinato.training.tagger import train, train_tagger
from ostinato.training.tagger.encoding import collate, together
from ostinato.training.tagger.shape import opened

SMALL = {
    "hidden_size": 8, "embedding_size": 8, "character_size": 4, "character_units": 4, "batch_size": 8, "epochs": 3,
    "threads": 1,
}  # fmt: skip
NAMES, PLACES, REST = ["Ada", "Bo", "Carl"], ["Rome", "Oslo", "Kyoto"], ["sees", "in", "and", "now", "a", "house"]


def sentences(count=40, seed=0) -> list[list[tuple[str, str]]]:
    """Sentences in IOB2; a name of two words ends with its family's, which occurs nowhere else."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        rows = []
        for _ in range(draw.randrange(1, 7)):
            kind = draw.random()
            if kind < 0.25:
                rows += [(draw.choice(NAMES), "B-person"), ("Berg", "I-person")][: draw.randrange(1, 3)]
            elif kind < 0.5:
                rows.append((draw.choice(PLACES), "B-place"))
            else:
                rows.append((draw.choice(REST), "O"))
        found.append(rows)
    return found


def written(path, rows, separator="\t"):
    text = "\n".join("".join(f"{word}{separator}{tag}\n" for word, tag in sentence) for sentence in rows)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path):
    return written(tmp_path / "people.conll", sentences())


@pytest.fixture
def sensor(tmp_path):
    """A stream whose tag is whether its number rose three steps ago: to be known by what was read before."""
    draw = random.Random(0)
    values = [draw.random() for _ in range(400)]
    rows = [f"{v:.3f},{k % 7},{'up' if k >= 3 and values[k - 3] > 0.5 else 'down'}" for k, v in enumerate(values)]
    path = tmp_path / "sensor.csv"
    path.write_text("value,day,state\n" + "\n".join(rows) + "\n")
    return path


OF_FRAMES = {"frames": "value", "tag_column": "state", "window": 20}


def begin(folder, file, **settings) -> TaggerRun:
    made = config.override(TaggerRun(), "test", {"file": str(file), **SMALL, **settings})
    return replace(made, out=folder)


def said_by(run) -> list[str]:
    """Train, and return what was shown."""
    lines: list[str] = []
    display = Silent()
    display.say = lines.append  # type: ignore[method-assign]
    train(run, display)
    return "\n".join(lines).splitlines()


def test_one_call_leaves_a_folder_that_explains_itself(tmp_path, file):
    outcome = train_tagger(file, out=tmp_path / "run", progress=False, test="0.2", crf=True, **SMALL)
    folder = RunFolder(tmp_path / "run")
    assert "of 4 tags a step (O, B-person, I-person, B-place)" in folder.card.read_text()
    assert json.loads(folder.schema.read_text())["scheme"] == "iob2"
    assert outcome.tested == json.loads((folder.report / "figures.json").read_text())["test"]
    written = {path.name for path in folder.report.iterdir()}
    assert written >= {"test-confusion.png", "test-classes.csv", "test-tags.html", "validation-tags.html"}
    _, facts = read_tensors(folder.model, kind="tagger")
    assert facts["f1_gap"] == outcome.best


def test_learning_finds_entities_by_their_words_and_those_around_them(tmp_path, file):
    written(file, sentences(200))
    run = begin(tmp_path / "run", file, epochs=12, learning_rate=0.02, crf=True, dropout=0.0)
    assert train(run, Silent()).metrics["f1"] == 1.0
    model = ostinato.load(tmp_path / "run")
    found = list(model.predict([["Ada", "Berg", "sees", "Rome"], "now Bo and Oslo", []]))
    assert [answer.tags for answer in found] == [
        ["B-person", "I-person", "O", "B-place"], ["O", "B-person", "O", "B-place"], [],
    ]  # fmt: skip
    assert all(0.5 < share <= 1.0001 for answer in found for share in answer.confidence)


def test_frames_are_tagged_by_what_was_read_before(tmp_path, sensor):
    settings = {"epochs": 40, "learning_rate": 0.03, "dropout": 0.0, "hidden_size": 12, "batch_size": 4, **OF_FRAMES}
    recurrent = train(begin(tmp_path / "run", sensor, cell="gru", directions=1, **settings), Silent())
    alone = train(begin(tmp_path / "alone", sensor, baseline="mlp", **settings), Silent())
    assert recurrent.metrics["accuracy"] > 0.9 > 0.75 > alone.metrics["accuracy"]


def test_a_run_that_was_stopped_comes_to_the_same_bits(tmp_path, file, monkeypatch):
    whole = train(begin(tmp_path / "whole", file, crf=True), Silent())
    monkeypatch.setattr(StopRequest, "__enter__", lambda self: SimpleNamespace(signal=signal.SIGTERM))
    run = begin(tmp_path / "parts", file, crf=True)
    assert train(run, Silent()).step == 1
    monkeypatch.undo()
    finished = train(replace(run, resume=True), Silent())
    assert (finished.step, finished.best) == (whole.step, whole.best)
    first, second = (read_tensors(RunFolder(tmp_path / f).last, kind="tagger")[0] for f in ("whole", "parts"))
    assert all(torch.equal(first[name], second[name]) for name in first if name.startswith("model/"))


@pytest.mark.parametrize("crf", [True, False])
def test_buckets_and_padding_leave_the_loss_of_each_item_as_it_is(tmp_path, file, crf):
    train(begin(tmp_path / "run", file, crf=crf), Silent())
    folder, model = RunFolder(tmp_path / "run"), ostinato.load(tmp_path / "run").model
    store = Store(folder.items / "train")
    numbers = np.argsort(store.lengths("words"), kind="stable")
    together, counts = model.losses(model(batch := collate(store, numbers))[0], batch)
    alone = [model.losses(model(one := collate(store, numbers[k : k + 1]))[0], one) for k in range(len(numbers))]
    torch.testing.assert_close(together, torch.cat([nats for nats, _ in alone]), rtol=1e-5, atol=1e-5)
    assert counts.tolist() == store.lengths("words")[numbers].tolist()


def test_a_batch_holds_what_the_store_holds(tmp_path, file):
    train(begin(tmp_path / "run", file), Silent())
    folder = RunFolder(tmp_path / "run")
    (_, lexicon), store = opened(folder), Store(folder.items / "valid")
    batch = collate(store, np.arange(len(store)))
    assert isinstance(batch, TaggedWords)
    for row, length in enumerate(batch.lengths.tolist()):
        for step in range(length):
            word = "".join(lexicon.characters[n - 1] for n in batch.letters[step, row, : batch.spans[step, row]])
            number = list(lexicon.counts).index(word.lower()) + 1 if word.lower() in lexicon.counts else 0
            assert batch.inputs[step, row] == number
        assert (batch.targets[length:, row] == -1).all()
    words = {
        (tuple(batch.letters[t, b].tolist()), int(batch.spelling[t, b])) for t, b in np.ndindex(*batch.spans.shape)
    }
    assert len({letters for letters, _ in words}) == len({number for _, number in words}) == len(words)


def test_predictions_do_not_depend_on_what_stands_beside_them(tmp_path, file):
    train(begin(tmp_path / "run", file, crf=True), Silent())
    model, asked = ostinato.load(tmp_path / "run"), [[w for w, _ in s] for s in sentences(30, seed=9)]
    found = list(model.predict(asked))
    assert [a.tags for a in model.predict(reversed(asked))] == [a.tags for a in reversed(found)]
    assert [next(model.predict([words])).tags for words in asked] == [a.tags for a in found]


def test_evaluation_repeats_the_figures_of_training(tmp_path, file):
    valid = written(tmp_path / "valid.conll", sentences(15, seed=5), " ")
    outcome = train(begin(tmp_path / "run", file, validation=str(valid), crf=True), Silent())
    found = ostinato.load(tmp_path / "run").evaluate(valid)
    assert found == pytest.approx({**outcome.tested, "items": 15}, rel=1e-5)


def test_a_tag_that_was_not_learned_from_is_counted_and_named_and_wrong(tmp_path, file):
    new = [[("Mars", "B-planet"), ("and", "O")], [("Venus", "B-planet")]]
    valid = written(tmp_path / "valid.conll", new)
    said = said_by(begin(tmp_path / "run", file, validation=str(valid), crf=True))
    note = f"2 of 'B-planet', which is not among the tags learned from, count as wrong (the first: {valid}, line 1)"
    assert f"note    {note}" in said
    seen, notes, _ = ostinato.load(tmp_path / "run").judge(str(valid))
    assert notes == [note]
    assert seen.figures()["accuracy"] <= 1 / 3
    assert seen.figures()["recall"] == 0
    assert [row.support for row in seen.rows() if row.name == "planet"] == [2]


def test_a_plain_tag_that_was_not_learned_from_is_a_class_of_its_own(tmp_path, file):
    valid = written(tmp_path / "valid.conll", [[("Ada", "PLANET"), ("and", "O")]])
    train(begin(tmp_path / "run", file, validation=str(valid), scheme="plain"), Silent())
    seen, _, _ = ostinato.load(tmp_path / "run").judge(str(valid))
    assert [(row.name, row.support, row.recall) for row in seen.rows() if "not" in row.name] == [
        ("(not learned from)", 1, 0.0)
    ]
    assert seen.figures()["accuracy"] <= 0.5


def test_what_is_found_in_the_files_is_said(tmp_path, file):
    file.write_text(file.read_text() + "\n# a comment\n\nAda\tI-person\n", encoding="utf-8")
    said = said_by(begin(tmp_path / "run", file))
    assert f"read    {file}: CoNLL columns (2, between tabs; words in 1, tags in 2)" in said
    assert any(line.startswith("tags    IOB2; entities that begin with I- (1 of") for line in said)
    assert "note    1 blocks without a word are left out" in said
    assert any("of the steps in a batch are padding" in line for line in said)


def test_the_same_sentence_in_two_parts_is_named(tmp_path, file):
    valid = written(tmp_path / "valid.conll", [*sentences()[:2], [("new", "O"), ("one", "O")]])
    said = said_by(begin(tmp_path / "run", file, validation=str(valid)))
    assert any(line.startswith("note    2 items of 'valid' are in 'train' too") for line in said)


@pytest.mark.parametrize(("baseline", "least"), [("most-frequent", 0.9), ("logistic", 0.9), ("mlp", 0.85)])
def test_baselines_are_trained_judged_and_used_alike(tmp_path, file, baseline, least):
    settings = {"character_units": 0, "learning_rate": 0.05, "epochs": 12, "dropout": 0.0}
    outcome = train(begin(tmp_path / "run", file, baseline=baseline, **settings), Silent())
    assert outcome.tested["accuracy"] >= least
    assert f"the baseline {baseline}, without recurrence" in (tmp_path / "run" / "README.md").read_text().lower()
    assert len(next(ostinato.load(tmp_path / "run").predict(["Ada Berg"])).tags) == 2


@pytest.mark.parametrize("way", [{"accumulate": 4}, {"gradient": "checkpointed"}], ids=str)
def test_less_memory_changes_nothing(tmp_path, file, way):
    nothing_by_chance = {"dropout": 0.0, "unknown": 0.0, "directions": 1}
    outcomes = [
        train(begin(tmp_path / str(k), file, **nothing_by_chance, **more), Silent()) for k, more in enumerate(({}, way))
    ]
    assert outcomes[1].metrics == pytest.approx(outcomes[0].metrics, rel=1e-4)


def test_one_direction_may_learn_in_windows(tmp_path, sensor):
    outcome = train(begin(tmp_path / "run", sensor, directions=1, gradient="truncated", k1=5, **OF_FRAMES), Silent())
    assert outcome.step == 3 * 3 * 4  # epochs, batches, and windows of five steps in twenty


@pytest.mark.parametrize("rows", [{"tokens": "words"}, {"tokens": "text", "tags": "kind", "flags": True}])
def test_sentences_may_stand_in_rows(tmp_path, rows):
    names = [rows["tokens"], rows.get("tags", "tags")]
    text = "".join(
        json.dumps(dict(zip(names, ([w for w, _ in s], [t for _, t in s]), strict=True))) + "\n" for s in sentences()
    )
    (tmp_path / "a.jsonl").write_text(text)
    flags = {"word_column": names[0], "tag_column": names[1]} if rows.get("flags") else {}
    train(begin(tmp_path / "run", tmp_path / "a.jsonl", **flags), Silent())
    assert ostinato.load(tmp_path / "run").evaluate(tmp_path / "a.jsonl")["items"] == 40


REFUSED = {
    "ragged": ("a\tO\nb\n", {}, "people.conll, line 2: 1 columns"),
    "one tag": ("a\tO\nb\tO\n\nc\tO\n", {"validation": "0"}, "one tag only. Steps to learn from: 3, all of them 'O'"),
    "empty": ("", {}, "the file is empty"),
    "blank": (" \n\n", {}, "all lines are blank"),
    "a missing column": ("a\tO\n", {"tag_column": "3"}, "'3' of lines with 2"),
    "torn entities": ("a\tB-x\nb\tS-x\n", {"validation": "0"}, "B-x is followed by S-x at word 2"),
    "a scheme it has not": ("a\tX\nb\tY\n", {"scheme": "iob2", "validation": "0"}, "the tag 'X' is none of IOB2"),
    "nothing to validate": ("a\tO\nb\tX\n", {}, "no item in the part 'valid'"),
}


@pytest.mark.parametrize(("text", "settings", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_learned_from_is_refused_and_leaves_no_run(tmp_path, file, text, settings, message):
    file.write_text(text)
    with pytest.raises((DataError, ConfigError), match=message):
        train(begin(tmp_path / "run", file, **settings), Silent())
    assert not (tmp_path / "run").exists()


OF_SENSOR = {
    "text in a number": ("1.5", "high", {}, "line 4: 'high' in column 'value', where a number is needed"),
    "a gap": ("1.5", "", {}, "line 4: no number in column 'value'"),
    "no tag": ("down", "", {}, "line 4: no tag in column 'state'"),
    "a missing column": ("1.5", "2.5", {"frames": "valu"}, "no column 'valu'"),
    "a missing tag column": ("1.5", "2.5", {"tag_column": "stat"}, "no column 'stat'"),
    "a missing group": ("1.5", "2.5", {"group": "item"}, "no column 'item'"),
}


@pytest.mark.parametrize(("old", "new", "settings", "message"), OF_SENSOR.values(), ids=OF_SENSOR)
def test_rows_that_cannot_be_learned_from_are_refused(tmp_path, sensor, old, new, settings, message):
    values = {"1.5": "1.5,1,down", "down": "1.5,1,down"}[old].replace(old, new)
    sensor.write_text("value,day,state\n1,0,up\n2,0,down\n" + values + "\n")
    with pytest.raises(DataError, match=message):
        train(begin(tmp_path / "run", sensor, **{**OF_FRAMES, "validation": "0", **settings}), Silent())


def test_gaps_are_filled_when_asked_for(tmp_path, sensor):
    sensor.write_text("value,state\n1,up\nNA,down\n3,down\n5,up\n")
    train(
        begin(tmp_path / "run", sensor, **OF_FRAMES, validation="0", missing="interpolate", standardise=False), Silent()
    )
    store = Store(RunFolder(tmp_path / "run").items / "train")
    assert store.read("frames", 0).tolist() == [[1.0], [2.0], [3.0], [5.0]]


def test_groups_are_not_read_on_into_each_other(tmp_path, sensor):
    sensor.write_text("value,day,state\n1,a,up\n2,a,down\n3,b,up\n4,b,up\n5,b,down\n")
    train(begin(tmp_path / "run", sensor, **{**OF_FRAMES, "window": 2}, group="day", validation="0"), Silent())
    assert Store(RunFolder(tmp_path / "run").items / "train").lengths("frames").tolist() == [2, 2, 1]


@pytest.mark.parametrize("group", [None, "day"])
def test_windows_of_one_sequence_in_several_parts_are_counted_and_said(tmp_path, sensor, group):
    said = said_by(begin(tmp_path / "run", sensor, group=group, steps=1, **OF_FRAMES))
    torn = [line for line in said if "stand in another part than the one before them" in line]
    assert bool(torn) == (group is None)  # a day is one row here, so no window is torn from another
    assert all(line.startswith(("note    2 windows", "note    3 windows", "note    4 windows")) for line in torn)
    apart = said_by(begin(tmp_path / "apart", sensor, validation=str(sensor), steps=1, **OF_FRAMES))
    assert not [line for line in apart if "stand in another part" in line]


def test_frames_are_read_as_the_training_part_was(tmp_path, sensor):
    train(begin(tmp_path / "run", sensor, **OF_FRAMES), Silent())
    folder = RunFolder(tmp_path / "run")
    store = Store(folder.items / "train")
    values = np.concatenate([store.read("frames", k) for k in range(len(store))])
    np.testing.assert_allclose([values.mean(), values.std()], [0, 1], atol=1e-5)


SETTINGS = {
    "validation": ("-", "standard input was given. Files are read twice"),
    "least": (0, "least is 0"),
    "longest_word": (0, "longest_word is 0"),
    "window": (0, "window is 0"),
    "frames": (",", "',' names no column"),
    "group": ("day", "given without --frames"),
    "select": ("f1", None),
    "unknown": (-1.0, "unknown: -1 was given"),
    "dropout": (1.0, "dropout"),
    "gradient": ("checkpointed", "reads a sequence in pieces"),
    "feedback": ("free", "A tagger reads no tags"),
    "baseline": ("most-frequent", None),
    "directions": (1, "Use --character-units 0"),
    "character_cell": ("lstmm", "lstmm"),
}


@pytest.mark.parametrize(("name", "value", "message"), [(n, *v) for n, v in SETTINGS.items()], ids=SETTINGS)
def test_settings_that_cannot_be_are_refused(tmp_path, file, name, value, message):
    settings = {name: value}
    if name == "select":
        settings, message = {name: value, "scheme": "plain"}, "f1 of tags that spell no entities"
    if name == "directions":
        settings["gradient"] = "rtrl"
    if name == "baseline":
        settings, message = {name: value, "crf": True}, "given with --baseline most-frequent"
    with pytest.raises(ConfigError, match=message):
        train(begin(tmp_path / "run", file, **settings), Silent())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("gradient", ["rtrl", "snap", "uoro", "kf-rtrl", "e-prop"])
@pytest.mark.parametrize("chance", [{"dropout": 0.1, "unknown": 0.0}, {"dropout": 0.0, "unknown": 0.25}])
def test_a_word_that_is_read_by_chance_is_refused_before_there_is_a_run(tmp_path, file, gradient, chance):
    settings = {"directions": 1, "character_units": 0, "gradient": gradient, **chance}
    with pytest.raises(ConfigError, match="Use --dropout 0 and no masks") as caught:
        train(begin(tmp_path / "run", file, **settings), Silent())
    assert ("--unknown 0" in str(caught.value)) == (chance["unknown"] > 0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("gradient", ["rtrl", "uoro", "e-prop"])
def test_words_are_learned_by_methods_that_go_forward(tmp_path, file, gradient):
    settings = {"directions": 1, "character_units": 0, "gradient": gradient, "dropout": 0.0, "unknown": 0.0}
    assert train(begin(tmp_path / "run", file, steps=2, **settings), Silent()).step == 2


def test_omega_says_what_makes_it_possible_for_words(tmp_path, file):
    settings = {"directions": 1, "omega": 1.0}
    with pytest.raises(ConfigError, match="Use --character-units 0 --dropout 0 --unknown 0"):
        train(begin(tmp_path / "run", file, **settings), Silent())
    settings |= {"character_units": 0, "dropout": 0.0, "unknown": 0.0, "steps": 2}
    assert train(begin(tmp_path / "run", file, **settings), Silent()).step == 2


@pytest.mark.parametrize("penalty", ["ar", "tar", "omega"])
@pytest.mark.parametrize("baseline", ["logistic", "mlp", "most-frequent"])
def test_baselines_have_no_recurrence_to_take_a_penalty_of(tmp_path, file, baseline, penalty):
    with pytest.raises(ConfigError, match=f"--{penalty}: it was given with --baseline {baseline}"):
        train(begin(tmp_path / "run", file, baseline=baseline, **{penalty: 1.0}), Silent())
    assert not (tmp_path / "run").exists()


def test_frames_have_plain_tags(tmp_path, sensor):
    with pytest.raises(ConfigError, match="Frames have plain tags"):
        train(begin(tmp_path / "run", sensor, **OF_FRAMES, scheme="iob2"), Silent())


def test_a_model_of_words_reads_no_frames_and_the_reverse(tmp_path, file, sensor):
    train(begin(tmp_path / "words", file), Silent())
    train(begin(tmp_path / "frames", sensor, **OF_FRAMES), Silent())
    with pytest.raises(DataError, match="This model reads words"):
        next(ostinato.load(tmp_path / "words").predict([np.zeros((2, 1))]))
    with pytest.raises(DataError, match="This model reads frames of 1 numbers"):
        next(ostinato.load(tmp_path / "frames").predict(["some words"]))
    assert len(next(ostinato.load(tmp_path / "frames").predict([np.zeros((3, 1), np.float32)])).tags) == 3


def test_a_setting_of_the_data_that_is_none_is_refused(tmp_path, file):
    train(begin(tmp_path / "run", file), Silent())
    with pytest.raises(ConfigError, match=r"tag_colum: no setting of the data.*Did you mean 'tag_column'"):
        ostinato.load(tmp_path / "run").evaluate(file, tag_colum="2")


@pytest.mark.parametrize(
    ("name", "text"), [("schema.json", "{}"), ("schema.json", '{"inputs":"frames","scheme":"plain","tags":["a"]}'),
                       ("tokenizer.json", "[]"), ("tokenizer.json", "{}")]
)  # fmt: skip
def test_a_damaged_run_is_named(tmp_path, file, name, text):
    train(begin(tmp_path / "run", file), Silent())
    (tmp_path / "run" / name).write_text(text)
    with pytest.raises(RunError, match=f"{name}: damaged"):
        ostinato.load(tmp_path / "run")


def test_any_number_of_sentences_are_tagged_as_they_come(tmp_path, file):
    """A source without end: what was read ahead is bounded."""
    train(begin(tmp_path / "run", file), Silent())
    read = 0

    def endless():
        nonlocal read
        while True:
            read += 1
            yield ["Ada", "sees"]

    answers = ostinato.load(tmp_path / "run").predict(endless())
    for _ in range(3):
        next(answers)
    assert read <= 512


def test_sentences_before_one_of_another_kind_are_tagged(tmp_path, file):
    train(begin(tmp_path / "run", file), Silent())
    answers = ostinato.load(tmp_path / "run").predict([["Ada", "sees"], np.zeros((3, 2)), ["Rome"]])
    assert len(next(answers).tags) == 2
    with pytest.raises(DataError, match="frames of numbers"):
        next(answers)


def test_an_empty_batch_has_a_step():
    batch = together([{name: np.zeros(0, np.int32) for name in ("words", "letters", "spans")}])
    assert batch.inputs.shape == (1, 1)
    assert batch.lengths.tolist() == [0]
