"""What runs of every kind read, row by row, and what is known beside it."""

import functools

import numpy as np
import pytest
import torch
from tests.inspection.test_inspect_every_kind import MAKERS, SMALL, WORDS

import ostinato
from ostinato.data.tasks import TASKS
from ostinato.diagnostics.tracking import Unit, Units
from ostinato.inspection import units
from ostinato.inspection.lines import lines
from ostinato.inspection.looks import Look
from ostinato.inspection.readings import READINGS, readings
from ostinato.inspection.rows import Rows, one_of, picked
from ostinato.inspection.subject import open_subject
from ostinato.training.sequence_task import train_task


def frames_classified(folder):
    """Write two channels with a class each: its first channel rises or falls."""
    draw = np.random.default_rng(0)
    rows = []
    for sign, name in [(1, "up"), (-1, "down")] * 40:
        channels = sign * np.arange(9)[None] + draw.normal(0, 0.1, (2, 9))
        rows.append(":".join([*(",".join(f"{value:.2f}" for value in channel) for channel in channels), name]))
    head = "@problemName x\n@univariate false\n@dimensions 2\n@classLabel true up down\n@data\n"
    (folder / "shapes.ts").write_text(head + "\n".join(rows) + "\n")
    ostinato.train_classifier(folder / "shapes.ts", out=folder / "run", validation="0.5", **SMALL)


def frames_tagged(folder):
    draw = np.random.default_rng(0)
    rows = [f"{value:.3f},{-value:.3f},{'on' if value > 0.5 else 'off'}\n" for value in draw.random(1200)]
    (folder / "light.csv").write_text("light,dark,is\n" + "".join(rows))
    ostinato.train_tagger(
        folder / "light.csv",
        out=folder / "run",
        frames="light,dark",
        tag_column="is",
        window=12,
        validation="0.5",
        **SMALL,
    )


def questions(folder):
    rows = [f"#{k:02x}2020,is it {word}?,{word}\n" for k, word in enumerate(WORDS * 8)]
    (folder / "asked.csv").write_text("hex,question,name\n" + "".join(rows))
    ostinato.train_captioner(folder / "asked.csv", out=folder / "run", **SMALL)


def copying(folder):
    train_task("copying", out=folder / "run", length=10, test_sequences=8, **SMALL)


OPENED = {
    **MAKERS,
    "frames": frames_classified,
    "tagged frames": frames_tagged,
    "questions": questions,
    "copying": copying,
}


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Return a function from a kind of run to what is opened, a batch, and what its networks read of it."""

    @functools.cache
    def opened(kind):
        folder = tmp_path_factory.mktemp("run")
        OPENED[kind](folder)
        subject = open_subject(folder / "run", rows=3, steps=40)
        batch = subject.more(40)
        return subject, batch, readings(subject, batch)

    return opened


def test_every_kind_of_batch_is_read(read):
    assert {type(read(kind)[1]) for kind in OPENED} == set(READINGS)


@pytest.mark.parametrize("kind", OPENED)
def test_what_stands_beside_fits_the_rows(kind, read):
    subject, batch, found = read(kind)
    networks = dict(subject.model.named_modules())
    for rows in found:
        assert rows.network in networks
        assert [len(pieces) for pieces in rows.pieces] == rows.lengths.tolist()
        shape = (rows.lengths.max(), batch.inputs.shape[1])
        assert {track.shape for track in rows.tracks.values()} == {shape}
        assert {known.shape for known in rows.whole.values()} <= {shape[1:]}
        assert all(len(rows.told(k)) == length for k, length in enumerate(rows.lengths))


def test_texts_have_their_class(read):
    subject, batch, (rows,) = read("classifier")
    assert rows.labels == [subject.trained.schema.labels[k] for k in batch.targets]
    ((name, known),) = rows.whole.items()
    assert (name, known.tolist()) in [
        (f"class {label}", [float(label == mine) for mine in rows.labels]) for label in ("long", "short")
    ]
    assert "".join(rows.pieces[0]).split()[0] in WORDS
    assert rows.told(0)[0] == f"{rows.pieces[0][0].strip()} ({rows.labels[0]})"


def test_words_have_their_tag(read):
    _, _, (rows,) = read("tagger")
    expected = [["A" if word.strip() < "k" else "B" for word in row] for row in rows.pieces]
    assert rows.notes == expected
    ((name, track),) = [(name, track) for name, track in rows.tracks.items() if name.startswith("tag")]
    for k, tags in enumerate(expected):
        assert track[: len(tags), k].tolist() == [name == f"tag {tag}" for tag in tags]
        assert np.isnan(track[len(tags) :, k]).all()
    assert rows.told(0)[0] == f"{rows.pieces[0][0].strip()}: {expected[0][0]}"


def test_what_a_forecaster_says_is_what_it_reads_next(read):
    _, _, (rows,) = read("forecaster")
    said, read_then = rows.tracks["warm, to be said"][:-1], rows.tracks["warm"][1:]
    there = np.isfinite(said) & np.isfinite(read_then)
    assert np.ptp((said - read_then)[there]) < 1e-5
    assert rows.neighbours


@pytest.mark.parametrize(
    ("lengths", "neighbours", "expected"),
    [
        ([3, 2, 4], False, [True, False, True]),
        ([3, 2, 4], True, [True, False, False]),
        ([5], True, [[True], [True], [False], [False], [False]]),
    ],
)
def test_what_overlaps_is_of_one_half(lengths, neighbours, expected):
    rows = Rows("recurrent", "the windows", "step", np.array(lengths), [], {}, neighbours=neighbours)
    assert rows.chooses.tolist() == expected


def test_a_translator_reads_sources_and_writes_targets(read):
    _, _, (sources, targets) = read("translator")
    assert (sources.network, targets.network) == ("encoder.recurrent", "decoder.recurrent")
    assert sources.pieces[0][-1] == ""
    assert targets.pieces[0][0] == ""
    source, target = ("".join(rows.pieces[0]).split() for rows in (sources, targets))
    assert [word for word in target if word in WORDS] == [word for word in source if word in WORDS][::-1]


def test_a_captioner_knows_what_is_seen(read):
    _, batch, (rows,) = read("captioner")
    assert rows.what == "the captions"
    assert rows.whole["number 1 of what is seen"].tolist() == pytest.approx(batch.seen[0, :, 0].tolist())
    assert {"".join(row) for row in rows.pieces} == {"red", "blue"}


def test_questions_are_read_by_a_network_of_their_own(read):
    _, _, (asked, answers) = read("questions")
    assert (asked.network, asked.what) == ("question.recurrent", "the questions")
    assert "".join(asked.pieces[0]).startswith(" is it ")
    assert answers.what == "the answers"


def test_a_transcriber_reads_as_many_steps_as_its_network_takes(read):
    subject, batch, (rows,) = read("transcriber")
    assert rows.lengths.tolist() == subject.model.steps(batch.lengths).tolist()
    assert len(rows.columns) == 4  # neighbours of 2 x 12 bands are taken together
    assert all(rows.labels)


def test_of_frames_the_class_and_the_numbers_are_known(read):
    _, batch, (rows,) = read("frames")
    assert [*rows.whole] in (["class up"], ["class down"])
    assert rows.columns["number 1"].tolist() == batch.inputs[..., 0].tolist()
    assert rows.pieces[0][0] in "▁▂▃▄▅▆▇█"
    assert rows.told(0)[1].startswith("step 2: number 1 ")
    assert rows.told(0)[1].endswith(f"({rows.labels[0]})")


def test_frames_have_the_tag_of_each_step(read):
    _, batch, (rows,) = read("tagged frames")
    (name,) = [name for name in rows.tracks if name.startswith("tag")]
    sign, light = (1 if name == "tag on" else -1), batch.inputs[..., 0].numpy()
    tagged, others = (sign * light[rows.tracks[name] == value] for value in (1, 0))
    assert tagged.min() > others.max()


def test_what_adding_asks_for_is_known_of_whole_sequences(read):
    _, batch, (rows,) = read("task")
    marked = (batch.inputs[..., 0] * batch.inputs[..., 1]).sum(0)
    assert rows.whole["to be said"] == pytest.approx(marked.numpy())
    assert not any("said" in name for name in rows.tracks)


def test_what_copying_asks_for_is_known_of_its_steps(read):
    _, batch, (rows,) = read("copying")
    asked = [name for name in rows.tracks if name.startswith("to be said: class")]
    assert len(asked) == 5
    k = int(asked[0].rpartition(" ")[2])
    assert (rows.tracks[asked[0]] == 1).tolist() == ((batch.targets == k) & batch.counted).tolist()


def test_the_commonest_names_are_followed():
    numbers = np.array([0, 0, 0, 1, 1, 2, -1, 3, 4, 5, 6])
    found = one_of(numbers, [*"abcdefg"], "tag")
    assert [*found] == ["tag a", "tag b", "tag c", "tag d", "tag e"]
    assert found["tag b"].tolist()[:6] == [0, 0, 0, 1, 1, 0]
    assert np.isnan(found["tag b"][6])
    assert [*one_of(np.array([1, 0, 1]), ["no", "yes", "never"], "class")] == ["class yes"]


def test_rows_of_a_batch_are_picked():
    batch = TASKS["adding-1997"](30).draw(5, torch.Generator().manual_seed(0))
    some = picked(batch, np.array([4, 1]))
    assert some.inputs.equal(batch.inputs[:, [4, 1]])
    assert some.counted.equal(batch.counted[:, [4, 1]])
    assert some.lengths.tolist() == batch.lengths[[4, 1]].tolist()
    assert some.possible is None


@pytest.mark.parametrize("kind", ["task", "copying", "tagged frames", "frames"])
def test_the_section_of_numbers_has_a_picture_and_a_reader(kind, read):
    subject, _, (rows,) = read(kind)
    made = units.section(subject)
    (numbers,) = made.data["readings"]
    assert numbers["reads"] == rows.what
    assert made.pictures[0].png.startswith(b"\x89PNG")
    assert made.markup.count('class="reader"') == 1
    assert "every other one chooses units" in made.markup


def test_any_name_of_a_column_can_be_drawn():
    names, draw = ["_a$b$c", "温度", "x\ny<b>&"], np.random.default_rng(0)
    told = tuple(Unit("recurrent", 0, "h", k) for k in range(3))
    r = np.eye(3)
    found = Units(told, tuple(f"{name} $\\frac{{$" for name in names), (), r, r, np.zeros(3), 100)
    columns = {name: draw.random((9, 2)) for name in names}
    rows = Rows("recurrent", "the windows", "step", np.array([9, 9]), [], {}, columns=columns)
    made = lines(rows, found, 0, draw.random((9, 3)))
    assert "_a$b$c" in made.svg
    assert "□□" in made.svg
    assert "温度" in made.caption


def test_units_that_follow_nothing_are_not_drawn():
    told, r = (Unit("recurrent", 0, "h", 0),), np.array([[0.1]])
    rows = Rows("recurrent", "the windows", "step", np.array([9]), [], {}, columns={"x": np.zeros((9, 1))})
    assert lines(rows, Units(told, ("x",), (), r, r, np.zeros(1), 100), 0, np.zeros((9, 1))) is None


@pytest.mark.parametrize(
    ("r", "sentence"),
    [
        (-0.4, "Once a whole sequence is read, layer 1, h, unit 0 follows 'class a' best, with r = −0.40."),
        (0.15, "Once a whole sequence is read, no unit follows 'class a' clearly."),
    ],
)
def test_what_is_known_of_whole_sequences_has_a_sentence(r, sentence):
    told, found = (Unit("recurrent", 0, "h", 0),), np.array([[r]])
    known = {"class a": np.zeros(200), "class b": np.zeros(200)}
    rows = Rows("recurrent", "the texts", "symbol", np.full(200, 3), [], {}, whole=known)
    look = Look(rows, Units(told, ("class a",), ("class b",), found, found, np.zeros(1), 600, 200), None)
    assert look.summary().endswith(sentence)
    assert f"{sentence} Each sequence counts once for 'class a'; |r| below 0.2 may be chance." in look.in_words()


def test_of_few_steps_there_is_a_sentence(read):
    subject, _, _ = read("translator")
    made = units.section(subject)
    assert "Of the sources there are" in made.markup
    assert "units are looked for in 200 or more" in made.data["left_out"]
