"""Runs of every kind are inspected through the command line; those that cannot be are refused in words."""

import json

import numpy as np
import pytest
import yaml
from tests.tones import write_manifest

import ostinato
from ostinato.cli.main import main
from ostinato.inspection import flow
from ostinato.inspection.subject import DRAWN, open_subject, spread
from ostinato.training.config import Reservoir, ReservoirRun, Series
from ostinato.training.opening import OPENERS
from ostinato.training.progress import Silent
from ostinato.training.reservoir import build_model
from ostinato.training.reservoir import train as fit_reservoir
from ostinato.training.run_folder import RunFolder, load_best
from ostinato.training.sequence_task import train_task

SMALL = {"hidden_size": 6, "batch_size": 8, "steps": 2, "threads": 1, "progress": False}
WORDS = ["ba", "do", "ke", "lu", "mi", "no"]


def lines(make, count=40):
    draw = np.random.default_rng(0)
    return "".join(make(draw.choice(WORDS, draw.integers(2, 6))) for _ in range(count))


def a_classifier(folder):
    text = "text,label\n" + lines(lambda words: f"{' '.join(words)},{'long' if len(words) > 3 else 'short'}\n")
    (folder / "texts.csv").write_text(text)
    ostinato.train_classifier(folder / "texts.csv", out=folder / "run", **SMALL)


def a_tagger(folder):
    text = lines(lambda words: "".join(f"{w} {'A' if w < 'k' else 'B'}\n" for w in words) + "\n")
    (folder / "words.conll").write_text(text)
    ostinato.train_tagger(folder / "words.conll", out=folder / "run", character_units=0, **SMALL)


def a_forecaster(folder):
    wave = [f"2024-01-{1 + k // 24:02d} {k % 24:02d}:00,{np.sin(k / 4):.4f}\n" for k in range(240)]
    (folder / "wave.csv").write_text("when,warm\n" + "".join(wave))
    known = {"time": "when", "target": "warm", "context": 24, "horizon": 6, "samples": 4}
    ostinato.train_forecaster(folder / "wave.csv", out=folder / "run", **known, **SMALL)


def a_translator(folder):
    (folder / "pairs.tsv").write_text(lines(lambda words: f"{' '.join(words)}\t{' '.join(words[::-1])}\n"))
    ostinato.train_translator(folder / "pairs.tsv", out=folder / "run", validation="0.2", **SMALL)


def a_captioner(folder):
    draw = np.random.default_rng(0)
    rows = [f"#{draw.integers(200, 256):02x}2020,red\n#2020{draw.integers(200, 256):02x},blue\n" for _ in range(20)]
    (folder / "names.csv").write_text("hex,name\n" + "".join(rows))
    ostinato.train_captioner(folder / "names.csv", out=folder / "run", tokens="char", **SMALL)


def a_transcriber(folder):
    ostinato.train_transcriber(write_manifest(folder, 20), out=folder / "run", stack=2, bands=12, **SMALL)


def a_task(folder):
    train_task("adding", out=folder / "run", length=20, test_sequences=8, **SMALL)


def a_reservoir(folder):
    fit_reservoir(
        ReservoirRun(Series("memory-capacity", 200, 50), Reservoir(hidden_size=20), out=folder / "run"), Silent()
    )


MAKERS = {
    "classifier": a_classifier, "tagger": a_tagger, "forecaster": a_forecaster, "translator": a_translator,
    "captioner": a_captioner, "transcriber": a_transcriber, "task": a_task,
    "reservoir": a_reservoir,
}  # fmt: skip


def test_no_kind_is_missing():
    assert set(MAKERS) | {"language-model"} == set(OPENERS) | set(DRAWN)


READ = (
    "it is validated with",
    "3 sequences of 20 steps of the task adding",
    "3 series of 30 steps, memory-capacity, that its readout was not fitted on",
)


@pytest.fixture(scope="module", params=MAKERS)
def inspected(request, tmp_path_factory):
    """Return the folder of a run of each kind, whose page stands in it."""
    folder = tmp_path_factory.mktemp(request.param)
    MAKERS[request.param](folder)
    assert main(["inspect", str(folder / "run"), "--rows", "3", "--steps", "30"]) == 0
    return folder / "run"


def test_a_run_of_each_kind_has_a_page_with_every_section(inspected):
    page = (inspected / "inspect" / "index.html").read_text()
    assert any(words in page for words in READ)
    for title in ("gradient-flow", "spectra", "state-response", "gates-and-saturation", "state-in-motion", "unfolding"):
        assert "<svg" in page.partition(f'<section id="{title}"')[2].partition("</section>")[0], title


def test_every_layer_and_direction_of_each_kind_is_measured(inspected):
    layers = {
        (name, depth, backwards)
        for name, module in open_subject(inspected, rows=3, steps=30).model.named_modules()
        if isinstance(module, ostinato.Recurrent)
        for depth in range(module.num_layers)
        for backwards in range(1 + module.bidirectional)
    }
    written = {file.stem: json.loads(file.read_text()) for file in (inspected / "inspect").glob("*.json")}
    for name in ("spectra", "state-in-motion", "state-response", "gates-and-saturation"):
        numbers = written[name]["layers"]
        assert {(each["network"], each["layer"], each["backwards"]) for each in numbers} == layers
    assert all(each["resting_points"] is not None for each in written["state-in-motion"]["layers"])
    bounded = [each for each in written["gradient-flow"]["after"] if "bound" in each]
    assert len(bounded) == len({(name, backwards) for name, _, backwards in layers})
    assert all(np.isfinite(each["bound"]).all() for each in bounded)


def test_what_takes_long_reads_fewer_rows_with_all_their_steps(inspected):
    subject = open_subject(inspected, rows=3, steps=30)
    few = subject.few(1, steps=2)
    assert few.inputs.equal(subject.batch.inputs[:, :1])
    assert bool(subject.model.loss(few)[0].isfinite())


def test_captions_name_their_network_where_there_are_several(tmp_path):
    a_translator(tmp_path)
    captions = [each.caption for each in flow.section(open_subject(tmp_path / "run", rows=3, steps=30)).pictures]
    named = [caption.partition(": ")[0] for caption in captions]
    assert named == ["Decoder", "Encoder (forwards)", "Encoder (backwards)"]


def test_the_caption_of_one_network_names_none(tmp_path):
    a_captioner(tmp_path)
    (alone,) = flow.section(open_subject(tmp_path / "run", rows=3, steps=30)).pictures
    assert "decoder" not in alone.caption


def test_before_it_learned_a_model_is_as_its_seed_says(tmp_path):
    a_classifier(tmp_path)
    subject, again = (open_subject(tmp_path / "run", rows=4, steps=30) for _ in range(2))
    weights = [[p.detach().clone() for p in s.fresh.parameters()] for s in (subject, again)]
    assert all(a.equal(b) for a, b in zip(*weights, strict=True))
    assert not all(a.equal(b) for a, b in zip(weights[0], subject.model.parameters(), strict=True))


FILES = {
    "classifier": "texts.csv", "tagger": "words.conll", "forecaster": "wave.csv", "translator": "pairs.tsv",
    "captioner": "names.csv", "transcriber": "speech.csv",
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_read_where_it_is_given(kind, tmp_path):
    MAKERS[kind](tmp_path)
    run, file = tmp_path / "run", tmp_path / FILES[kind]
    subject = open_subject(run, data=file, rows=3, steps=30)
    assert subject.read.startswith("3 of the ")
    assert f"sequences read of {FILES[kind]}, of up to" in subject.read
    kept = open_subject(run, rows=3, steps=30)
    assert type(subject.batch) is type(kept.batch)
    assert subject.batch.inputs.shape[1] == 3
    assert [part.dtype for part in tensors(subject.batch)] == [part.dtype for part in tensors(kept.batch)]


@pytest.mark.parametrize("kind", ["classifier", "tagger", "captioner"])
def test_what_is_read_of_a_file_is_what_evaluate_scores(kind, tmp_path):
    MAKERS[kind](tmp_path)
    file = tmp_path / FILES[kind]
    subject = open_subject(tmp_path / "run", data=file, rows=999, steps=10_000)
    loss, count, _ = subject.model.loss(subject.batch)
    nats = ostinato.load(tmp_path / "run").evaluate(file)["nats"]
    assert loss.item() / count == pytest.approx(nats, rel=1e-5)


def tensors(batch):
    return [part for part in batch if part is not None]


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_another_kind_is_refused_as_by_evaluate(kind, tmp_path, capsys):
    MAKERS[kind](tmp_path)
    (tmp_path / "other.csv").write_text("colour;size\n;\n")
    (tmp_path / "empty.csv").write_text("")
    said = []
    for command in (["inspect", str(tmp_path / "run"), "--data"], ["evaluate", str(tmp_path / "run")]):
        for name in ("other.csv", "missing.csv", "empty.csv"):
            capsys.readouterr()
            assert main([*command, str(tmp_path / name)]) == 2
            said.append(capsys.readouterr().err.strip().splitlines()[-1])
    assert said[:3] == said[3:]


def test_items_of_a_file_are_those_that_are_scored(tmp_path):
    a_classifier(tmp_path)
    (tmp_path / "few.csv").write_text("text,label\nba do,short\n,long\nke,unknown\nba do ke lu,long\n")
    subject = open_subject(tmp_path / "run", data=tmp_path / "few.csv", rows=9, steps=30)
    assert subject.read == "2 of the 2 sequences read of few.csv, of up to 4 steps"
    assert subject.batch.lengths.tolist() == [2, 4]


def test_a_text_alone_is_refused_of_other_kinds(tmp_path, capsys):
    a_classifier(tmp_path)
    assert main(["inspect", str(tmp_path / "run"), "--text", "ba do"]) == 2
    said = capsys.readouterr().err
    assert "--text" in said
    assert "'classifier'" in said


def test_annotations_are_refused_where_no_symbols_are_read(tmp_path, capsys):
    a_forecaster(tmp_path)
    (tmp_path / "known.txt").write_text("1\n")
    assert main(["inspect", str(tmp_path / "run"), "--annotation", str(tmp_path / "known.txt")]) == 2
    said = capsys.readouterr().err
    assert "--annotation: of a forecaster" in said
    assert "language models" in said


@pytest.mark.parametrize("kind", DRAWN)
def test_what_is_drawn_for_a_run_is_read_from_no_file(kind, tmp_path, capsys):
    MAKERS[kind](tmp_path)
    assert main(["inspect", str(tmp_path / "run"), "--data", "texts.csv"]) == 2
    assert f"{DRAWN[kind]} are drawn for it" in capsys.readouterr().err


@pytest.mark.parametrize("series", ["mackey-glass", "memory-capacity"])
def test_the_loss_of_a_reservoir_is_the_error_of_its_readout(series, tmp_path):
    run = ReservoirRun(Series(series, 200, 50), Reservoir(hidden_size=20), out=tmp_path / "run")
    fit_reservoir(run, Silent())
    subject = open_subject(tmp_path / "run", rows=2, steps=40)
    model = build_model(run)
    load_best(RunFolder(tmp_path / "run", ReservoirRun()), model)
    said, _ = model(subject.batch.inputs)
    loss, count, _ = subject.model.loss(subject.batch)
    assert loss.item() / count == pytest.approx((said - subject.batch.targets).square().mean().item())
    assert subject.fresh is None
    assert "Nothing was learned by it" in flow.section(subject).pictures[0].caption


def test_a_model_without_recurrence_is_refused(tmp_path, capsys):
    (tmp_path / "texts.csv").write_text(
        "text,label\n" + lines(lambda w: f"{' '.join(w)},{'a' if w[0] > 'k' else 'b'}\n")
    )
    ostinato.train_classifier(tmp_path / "texts.csv", out=tmp_path / "run", baseline="bag", **SMALL)
    assert main(["inspect", str(tmp_path / "run")]) == 2
    assert "without recurrence" in capsys.readouterr().err


def test_a_run_of_another_version_is_said(tmp_path, capsys):
    a_task(tmp_path)
    written = tmp_path / "run" / "config.yaml"
    document = yaml.safe_load(written.read_text())
    written.write_text(yaml.safe_dump(document | {"format": 99, "ostinato": "9.9"}))
    assert main(["inspect", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "format 99" in said
    assert "Install the version that wrote it" in said


def test_items_are_spread_over_those_that_are_short_enough():
    lengths = np.array([5, 50, 6, 7, 8, 60, 9])
    assert spread(lengths, 10, 3).tolist() == [0, 3, 6]
    assert spread(lengths, 10, 99).tolist() == [0, 2, 3, 4, 6]
    assert spread(lengths, 4, 2).tolist() == [0, 2]
