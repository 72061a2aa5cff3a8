"""Training a translator on a person's own pairs: a whole run, its folder, going on, using it, and what is refused."""

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
from ostinato.decoding import search as decoding
from ostinato.decoding.settings import Search
from ostinato.models.translator import Translator
from ostinato.training import config
from ostinato.training.config import TranslatorRun
from ostinato.training.interrupts import StopRequest
from ostinato.training.progress import Silent
from ostinato.training.run_folder import RunFolder, read_tensors
from ostinato.training.translator import report, searching, train, train_translator
from ostinato.training.translator.encoding import texts_of
from ostinato.training.translator.shape import opened
from ostinato.training.written import hypotheses

SMALL = {"hidden_size": 16, "embedding_size": 12, "batch_size": 8, "dropout": 0.1, "threads": 1}
WORDS = {"eins": "one", "zwei": "two", "drei": "three", "vier": "four", "Äpfel": "apples"}


def pairs(count=80, seed=0):
    draw = random.Random(seed)
    found = [draw.choices(list(WORDS), k=draw.randrange(1, 5)) for _ in range(count)]
    return [(" ".join(words), " ".join(WORDS[word] for word in words)) for words in found]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "numbers.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A run that has learned its words."""
    folder = tmp_path_factory.mktemp("learned")
    path = folder / "numbers.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs(400)), encoding="utf-8")
    train_translator(
        path, out=folder / "run", progress=False, steps=400, test="0.1", source_tokens="word",
        target_tokens="word", **{**SMALL, "hidden_size": 32, "dropout": 0.0, "batch_size": 32, "learning_rate": 0.01},
    )  # fmt: skip
    return folder / "run"


def test_a_run_folder_explains_itself(file, tmp_path):
    outcome = train_translator(file, out=tmp_path / "run", progress=False, epochs=2, test="0.1", **SMALL)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.yaml", "model.safetensors", "tokenizer.json", "source-tokenizer.json", "schema.json"} <= names
    assert {"metrics.jsonl", "README.md", "report", "state"} <= names
    figures = json.loads((tmp_path / "run" / "report" / "figures.json").read_text())
    assert figures["test"]["bleu"] == outcome.tested["bleu"]
    assert "BLEU" in outcome.reached
    lines = (tmp_path / "run" / "report" / "test-written.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "source,reference,written,score"
    assert len(lines) > 1


def test_pictures_and_alignments_are_of_the_first_pairs(learned):
    drawn = {path.name for path in (learned / "report").iterdir() if "-attention." in path.name}
    assert drawn == {"validation-attention.png", "test-attention.png"}
    assert "<svg" in (learned / "report" / "test-alignments.svg").read_text(encoding="utf-8")
    source, *best = (learned / "report" / "test-alignments.txt").read_text(encoding="utf-8").splitlines()[:3]
    words, looked = best[0].split()[2:], best[1].split()
    assert " ".join(words) == f"{' '.join(WORDS[word] for word in source.split()[:-1])} $"
    assert len(looked) == len(words)


def test_what_is_learned_is_written(learned):
    model = ostinato.load(learned)
    found = list(model.predict(["eins zwei Äpfel", "vier vier"]))
    assert [answer.text for answer in found] == ["one two apples", "four four"]
    assert found[0].best[0].weights.shape == (4, 4)


def test_sequences_are_answered_in_their_order_and_as_alone(learned):
    model = ostinato.load(learned)
    sources = [source for source, _ in pairs(50, seed=3)]
    together = [answer.text for answer in model.predict(sources, beam=3)]
    assert together == [next(iter(model.predict([source], beam=3))).text for source in sources]


def test_n_best_are_ranked_and_begin_as_asked(learned):
    model = ostinato.load(learned)
    best = next(iter(model.predict(["eins zwei"], n_best=4))).best
    assert len(best) == 4
    assert [found.score for found in best] == sorted((found.score for found in best), reverse=True)
    forced = next(iter(model.predict(["eins zwei"], prefix="two", n_best=3))).best
    assert all(found.text.startswith("two") for found in forced)


def test_draws_repeat_with_their_seed(learned):
    model = ostinato.load(learned)
    draws = [
        [
            found.text
            for found in next(iter(model.predict(["eins drei vier"], temperature=3.0, n_best=5, seed=seed))).best
        ]
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_an_unknown_word_is_copied_from_where_the_model_looks(learned):
    found = next(iter(ostinato.load(learned).predict(["Quitten"], beam=1)))
    assert "<unk>" not in found.text


def test_a_file_is_scored_as_the_test_part_was(learned, tmp_path):
    model = ostinato.load(learned)
    store = Store(learned / "state" / "items" / "test")
    path = tmp_path / "test.tsv"
    texts = [texts_of(store, k) for k in range(len(store))]
    path.write_text("".join(f"{source}\t{references[0]}\n" for source, references in texts), encoding="utf-8")
    figures = json.loads((learned / "report" / "figures.json").read_text())["test"]
    found = model.evaluate(path)
    assert found["items"] == len(store)
    assert found["bleu"] == pytest.approx(figures["bleu"])
    assert found["exact"] == figures["exact"]


def test_all_pairs_of_a_source_are_in_one_part(tmp_path):
    path = tmp_path / "twice.tsv"
    path.write_text("".join(f"{source}\t{target} {k}\n" for k in range(4) for source, target in pairs(60)))
    train_translator(path, out=tmp_path / "run", progress=False, steps=1, validation="0.2", test="0.2", **SMALL)
    parts = []
    for part in ("train", "valid", "test"):
        store = Store(tmp_path / "run" / "state" / "items" / part)
        parts.append({texts_of(store, k)[0] for k in range(len(store))})
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_parallel_files_find_the_targets_of_the_others(tmp_path):
    for name, seed in (("train", 0), ("val", 1), ("test", 2)):
        rows = pairs(30, seed)
        (tmp_path / f"{name}.de").write_text("".join(f"{source}\n" for source, _ in rows), encoding="utf-8")
        (tmp_path / f"{name}.en").write_text("".join(f"{target}\n" for _, target in rows), encoding="utf-8")
    train_translator(
        tmp_path / "train.de", targets=str(tmp_path / "train.en"), validation=str(tmp_path / "val.de"),
        test=str(tmp_path / "test.de"), out=tmp_path / "run", progress=False, steps=2, **SMALL,
    )  # fmt: skip
    assert [len(Store(tmp_path / "run" / "state" / "items" / part)) for part in ("train", "valid", "test")] == [30] * 3
    model = ostinato.load(tmp_path / "run")
    assert model.evaluate(tmp_path / "test.de", targets=str(tmp_path / "test.en"))["items"] == 30


def test_sources_are_read_backwards_where_asked(file, tmp_path):
    train_translator(file, out=tmp_path / "run", progress=False, steps=1, reverse=True, source_tokens="word", **SMALL)
    encoder = opened(RunFolder(tmp_path / "run", TranslatorRun()))
    ids = encoder.read("eins zwei")
    assert encoder.source.decode(ids[1::-1]).split() == ["eins", "zwei"]
    assert ids[-1] == encoder.source.boundary


@pytest.mark.parametrize(
    "settings",
    [
        {"attention": "none", "context": "all"},
        {"attention": "additive", "attend": "before"},
        {"attention": "location", "context": "input"},
        {"attention": "additive", "coverage": True},
        {"attention": "general", "input_feeding": True, "decoder_cell": "lstm", "decoder_size": 20},
        {"attention": "general", "copy": True, "source_tokens": "word", "target_tokens": "word"},
        {"attention": "general", "context": "state+bias", "tied": True, "decoder_layers": 2},
        {"directions": 1, "hidden_size": 16, "decoder_size": 16, "attention": "dot", "label_smoothing": 0.1},
        {"select": "errors", "batch_size": 16},
    ],
    ids=str,
)
def test_every_network_trains_and_writes(file, tmp_path, settings):
    train_translator(file, out=tmp_path / "run", progress=False, steps=3, **{**SMALL, **settings})
    model = ostinato.load(tmp_path / "run")
    assert len(list(model.predict(["eins zwei", "drei"], beam=2, max_length=5))) == 2


def test_bfloat16_rounds_what_float32_computes(file, tmp_path):
    runs = [
        train_translator(file, out=tmp_path / name, progress=False, steps=6, precision=name, **SMALL)
        for name in ("fp32", "bf16")
    ]
    assert runs[0].best != runs[1].best
    assert runs[1].best == pytest.approx(runs[0].best, rel=1e-2)


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(file, tmp_path, monkeypatch):
    run = config.override(TranslatorRun(out=tmp_path / "whole"), "test", {"file": str(file), "steps": 12, **SMALL})
    whole = train(run, Silent())
    monkeypatch.setattr(StopRequest, "__enter__", lambda self: SimpleNamespace(signal=signal.SIGTERM))
    torn = replace(run, out=tmp_path / "torn")
    assert train(torn, Silent()).step == 1
    monkeypatch.undo()
    finished = train(replace(torn, resume=True), Silent())
    assert (finished.step, finished.best) == (whole.step, whole.best)
    first, second = (read_tensors(RunFolder(tmp_path / f).last, kind="translator")[0] for f in ("whole", "torn"))
    assert all(torch.equal(first[name], second[name]) for name in first if name.startswith("model/"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"gradient": "truncated"}, "reads its source whole"),
        ({"copy": True, "target_tokens": "bpe"}, "no symbol"),
        ({"label_smoothing": 1.5}, "label_smoothing"),
        ({"longest": 0}, "longest"),
        ({"least": 0}, "least"),
        ({"attention": "dot"}, "equal sizes"),
        ({"coverage": True}, "additive"),
        ({"context": "stat"}, "state, input, bias"),
        ({"beam": 0}, "beam"),
        ({"attention": "none", "coverage_penalty": 0.2}, "coverage_penalty"),
        ({"validation": "0.9", "test": "0.5"}, "less than 1"),
        ({"source_column": "nothing"}, "nothing"),
        ({"feedback": "always"}, "feedback"),
        ({"learning_rat": 1}, "learning_rate"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_a_folder_exists(file, tmp_path, settings, said):
    with pytest.raises((ConfigError, DataError), match=said):
        train_translator(file, out=tmp_path / "run", progress=False, steps=2, **{**SMALL, **settings})
    assert not (tmp_path / "run").exists()


def notes_of(file, out, **settings):
    said = []
    display = Silent()
    display.say = said.append
    train(
        config.override(TranslatorRun(out=out), "test", {"file": str(file), "steps": 1, **SMALL, **settings}), display
    )
    return [line for line in "\n".join(said).splitlines() if line.startswith("note")]


def test_pairs_with_a_side_missing_are_counted(file, tmp_path):
    with file.open("a", encoding="utf-8") as text:
        text.write("\ttwo\nzwei\t\n")
    notes = notes_of(file, tmp_path / "run")
    assert any("without a target" in line and "line 82" in line for line in notes)
    assert any("without a source" in line and "line 81" in line for line in notes)


def test_words_that_are_mostly_unknown_are_said(tmp_path):
    (tmp_path / "few.tsv").write_text("".join(f"tag {k}\tday number {k}\n" for k in range(20)))
    words = {"source_tokens": "word", "target_tokens": "word", "validation": "0"}
    assert notes_of(tmp_path / "few.tsv", tmp_path / "all", **words) == []
    assert notes_of(tmp_path / "few.tsv", tmp_path / "run", **words, least=2, target_vocabulary=3) == [
        "note    20 of 40 words of sources are unknown, 1 known (--least 2)",
        "note    40 of 60 words of targets are unknown, 1 known (--least 2, --target-vocabulary 3)",
    ]


def test_a_few_unknown_words_are_not_said(tmp_path):
    lines = [f"tag {k % 2}\tday {k % 2}\n" for k in range(40)]
    (tmp_path / "most.tsv").write_text("".join([*lines, "nacht\tnight\n"]))
    words = {"source_tokens": "word", "target_tokens": "word", "validation": "0"}
    assert notes_of(tmp_path / "most.tsv", tmp_path / "run", **words, least=2) == []


def test_pairs_that_are_all_too_long_are_refused(file, tmp_path):
    file.write_text("eins zwei\tone two\n" * 3 + "zwei drei\ttwo three\n" * 3)
    with pytest.raises(DataError, match="every pair"):
        train_translator(file, out=tmp_path / "run", progress=False, validation="0", longest=1, **SMALL)


def test_a_network_that_cannot_be_is_refused_before_a_file_is_read(tmp_path):
    with pytest.raises(ConfigError, match="a decoder of 32 units"):
        train_translator(tmp_path / "nowhere.tsv", out=tmp_path / "run", progress=False, attention="dot", **SMALL)


def test_settings_of_a_search_are_checked_by_name(learned):
    model = ostinato.load(learned)
    with pytest.raises(ConfigError, match="Did you mean 'beam'"):
        next(iter(model.predict(["eins"], beem=3)))
    with pytest.raises(ConfigError, match="beside `temperature`"):
        next(iter(model.predict(["eins"], temperature=1.0, beam=3)))


def test_groups_avoid_one_another_unless_told(learned):
    assert TranslatorRun().search.search(groups=5).diversity == 0.5
    assert TranslatorRun().search.search(groups=5, diversity=0.0).diversity == 0.0
    best = next(iter(ostinato.load(learned).predict(["eins zwei"], groups=3, beam=3, n_best=3, diversity=99.0))).best
    assert len({found.text for found in best}) > 1


def test_small_letters_are_said_in_the_signature(file, tmp_path):
    train_translator(file, out=tmp_path / "run", progress=False, steps=1, lowercase=True, **SMALL)
    texts, _ = ostinato.load(tmp_path / "run").judge(str(file))
    assert "case:lc" in texts.signature


def test_a_vocabulary_that_is_missing_is_said(file, tmp_path):
    train_translator(file, out=tmp_path / "run", progress=False, steps=1, **SMALL)
    (tmp_path / "run" / "source-tokenizer.json").unlink()
    with pytest.raises(RunError, match=r"source-tokenizer\.json"):
        ostinato.load(tmp_path / "run")


def test_an_empty_source_and_a_very_long_one_are_answered(learned):
    found = list(ostinato.load(learned).predict(["", "eins " * 300], max_length=8))
    assert len(found) == 2
    assert all(np.isfinite(answer.best[0].score) for answer in found)


def test_a_batch_of_long_sources_holds_few_of_them(learned, monkeypatch):
    seen, original = [], searching.together
    monkeypatch.setattr(searching, "together", lambda *args: seen.append(len(args[2])) or original(*args))
    monkeypatch.setattr(searching, "WEIGHTS", 4 * 30 * 8)  # four hypotheses of 30 places and 8 symbols
    list(ostinato.load(learned).predict(["eins " * 29, *["eins " * 5] * 9, "eins " * 29], beam=2, max_length=8))
    assert seen == [9, 2]
    seen.clear()
    list(ostinato.load(learned).predict(["eins " * 99] * 3, beam=2, max_length=8))
    assert seen == [1, 1, 1]


def test_a_sequence_may_be_as_much_longer_than_its_source_as_was_learned(tmp_path):
    path = tmp_path / "long.tsv"
    path.write_text("".join(f"{word}\t{word * 40}\n" for word in ("ab", "ac", "bc", "ba", "ca", "cb") * 3))
    settings = {**SMALL, "source_tokens": "word", "target_tokens": "char", "steps": 1, "validation": "0"}
    train_translator(path, out=tmp_path / "run", progress=False, **settings)
    model = ostinato.load(tmp_path / "run")
    assert model.encoder.schema.ratio == 40  # 80 characters of a word and the end
    most = searching.limits(torch.tensor([2, 3]), model.encoder.schema.ratio, Search(max_length=150))
    assert most.tolist() == [1.5 * 40 * 2 + 20, 150]
    model.model.decoder.scores.bias.data[model.encoder.target.boundary] = -1e4  # the end is never likely
    (found,) = model.predict(["ab"], max_length=150)
    assert len(found.best[0].symbols) == 140


def test_a_source_without_a_word_is_answered_by_nothing_and_counted(learned):
    said = []
    lines = list(ostinato.load(learned).lines(["eins", " ", "zwei", "Quitten"], say=said.append))
    assert lines[1] == ""
    assert said[0] == "note 1 source without a word, of which nothing is written (the first: the text, item 2)"
    assert said[1].startswith("note 1 source with symbols that were never learned (the first: the text, item 4")


def test_alignments_name_pieces_of_the_source_as_it_is_written(file, tmp_path):
    train_translator(file, out=tmp_path / "run", progress=False, steps=1, reverse=True, source_tokens="word", **SMALL)
    model = ostinato.load(tmp_path / "run")
    (line,) = model.lines(["eins zwei drei"], form="jsonl", search={"min_length": 4, "max_length": 4})
    assert [piece.strip() for piece in json.loads(line)["source"]] == ["eins", "zwei", "drei"]
    looked = next(iter(model.predict(["eins zwei drei"], min_length=4, max_length=4))).best[0].weights[:4].argmax(-1)
    assert json.loads(line)["best"][0]["alignment"] == [{0: 2, 1: 1, 2: 0, 3: None}[int(k)] for k in looked]


def test_sources_before_one_that_cannot_be_read_are_answered(learned, tmp_path):
    (tmp_path / "new.jsonl").write_text('{"source": "eins"}\n{"source": "zwei"}\n{"source"\n{"source": "drei"}\n')
    lines = ostinato.load(learned).lines(file=str(tmp_path / "new.jsonl"), source_column="source")
    assert [next(lines), next(lines)] == ["one", "two"]
    with pytest.raises(DataError, match="line 3"):
        next(lines)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_picture_names_the_source_in_the_order_it_was_read(file, tmp_path, monkeypatch, reverse):
    """The labels are compared with the symbols that reached the encoder, whose order the weights have."""
    drawn, read = [], []
    stepper = Translator.stepper

    def reading(model, inputs, lengths, copies=None):
        read.extend(inputs[:length, row].tolist() for row, length in enumerate(lengths))
        return stepper(model, inputs, lengths, copies)

    monkeypatch.setattr(report, "draw_attention", lambda path, examples: drawn.extend(examples))
    monkeypatch.setattr(Translator, "stepper", reading)
    words = {"source_tokens": "word", "target_tokens": "word"}
    train_translator(file, out=tmp_path / "run", progress=False, steps=1, reverse=reverse, **words, **SMALL)
    units = opened(RunFolder(tmp_path / "run", TranslatorRun())).source
    sentences = {source for source, _ in pairs()}
    assert drawn
    for example in drawn:
        *written, end = (symbol.strip() for symbol in example.source)
        assert end == "$"
        assert [*units.encode(" ".join(written)).tolist(), units.boundary] in read
        assert " ".join(reversed(written) if reverse else written) in sentences


@pytest.mark.parametrize(("form", "search", "kept"), [("text", {}, False), ("tsv", {}, False), ("jsonl", {}, True),
                                                      ("text", {"coverage_penalty": 0.2}, True)])  # fmt: skip
def test_where_was_looked_is_kept_where_somebody_asks(tmp_path, monkeypatch, form, search, kept):
    (tmp_path / "letters.tsv").write_text("".join(f"ab{k}\tba{k}\n" for k in range(40)))
    letters = {"source_tokens": "char", "target_tokens": "char", "steps": 2, "max_length": 6, "validation": "0.3"}
    train_translator(tmp_path / "letters.tsv", out=tmp_path / "run", progress=False, **letters, **SMALL)
    records = []

    def searched(*arguments, record=None, **settings):
        records.append(record is not None)
        return decoding.search(*arguments, record=record, **settings)

    monkeypatch.setattr(hypotheses, "search", searched)
    assert len(list(ostinato.load(tmp_path / "run").lines(["ab3", "ab7"], form=form, search=search))) >= 2
    assert set(records) == {kept}
    assert next(iter(ostinato.load(tmp_path / "run").predict(["ab3"]))).best[0].weights.shape[1] == 4
