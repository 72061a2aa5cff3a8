"""A translator on every layout of pairs: what it learns from, is asked and is judged by, by the public call."""

import gzip
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ostinato import DataError
from ostinato.training.translator import train_translator
from ostinato.training.translator.trained import open_translator

SMALL = {"hidden_size": 8, "embedding_size": 8, "batch_size": 8, "threads": 1, "steps": 4, "progress": False}
WORDS = [a + b + c for a in "bdfgk" for b in "aeiou" for c in "lmn"]
SPOKEN = "".join(f"{word}  {' '.join(word.upper())}\n{word}(2)  {' '.join(word.upper())} AH0\n" for word in WORDS)
INFLECTED = "".join(f"{word} ev\t{word} evler\tN;PL\n{word}\t{word}im\tN;PSS1S\n" for word in WORDS)


def spoken(folder):
    (folder / "words.dict").write_text(";;; notes\n" + SPOKEN)
    return {"file": folder / "words.dict", "stress": False}


def inflected(folder):
    (folder / "train").write_text(INFLECTED)
    (folder / "dev").write_text(INFLECTED[:400].rpartition("\n")[0])
    return {"file": folder / "train", "validation": str(folder / "dev")}


def parallel(folder):
    for name, lines in (("train", WORDS), ("val", WORDS[:9])):
        (folder / f"{name}.de.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
        (folder / f"{name}.en.gz").write_bytes(gzip.compress("\n".join(w.upper() for w in lines).encode()))
    validation = str(folder / "val.de.gz")
    return {"file": folder / "train.de.gz", "targets": str(folder / "train.en.gz"), "validation": validation}


def table(folder):
    pq.write_table(pa.table({"en": WORDS, "fr": [list(w) for w in WORDS]}), folder / "w.parquet")
    return {"file": folder / "w.parquet", "source_column": "en", "target_column": "fr"}


def several(folder):
    rows = [{"source": word, "references": [word.upper(), word]} for word in WORDS]
    (folder / "w.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return {"file": folder / "w.jsonl", "source_tokens": "char", "target_tokens": "char"}


def made_up(folder):
    return {"file": "generated:addition?digits=2&items=90", "reverse": True}


LAYOUTS = [
    (spoken, {"per", "exact"}, ("char", "symbols"), "bal"),
    (inflected, {"exact", "cer", "characters"}, ("symbols", "char"), "bal N;PL"),
    (parallel, {"bleu", "chrf", "exact"}, ("word", "word"), "bal dem"),
    (table, {"per", "exact"}, ("word", "symbols"), "bal"),
    (several, {"exact", "cer", "characters"}, ("char", "char"), "bal"),
    (made_up, {"exact", "cer", "characters"}, ("char", "char"), "12+3"),
]


@pytest.mark.parametrize(("layout", "figures", "kinds", "asked"), LAYOUTS, ids=[row[0].__name__ for row in LAYOUTS])
def test_a_layout_is_learned_judged_and_asked(tmp_path, layout, figures, kinds, asked):
    given = {"validation": "0.2", **layout(tmp_path)}
    outcome = train_translator(given.pop("file"), out=tmp_path / "run", **given, **SMALL)
    model = open_translator(tmp_path / "run")
    assert (model.encoder.source.kind, model.encoder.target.kind) == kinds
    assert figures <= outcome.tested.keys()
    (answer,) = model.predict([asked])
    assert isinstance(answer.text, str)


def test_questions_of_a_generated_task_are_asked_as_they_are_written_there(tmp_path):
    given = made_up(tmp_path)
    train_translator(given.pop("file"), out=tmp_path / "run", validation="0.2", **given, **SMALL)
    (tmp_path / "asked.txt").write_text("12+3\n\n7+7\n")
    model = open_translator(tmp_path / "run")
    typed = [answer.text for answer in model.predict(["12+3", "", "7+7"])]
    assert list(model.lines(file=str(tmp_path / "asked.txt"))) == typed


def test_other_pronunciations_are_references_of_the_word(tmp_path):
    given = spoken(tmp_path)
    train_translator(given.pop("file"), out=tmp_path / "run", validation="0.2", **given, **SMALL)
    seen = []
    model = open_translator(tmp_path / "run")
    model.judge(str(tmp_path / "words.dict"), lambda source, references, found: seen.append((source, references)))
    assert seen[0] == ("bal", ["B A L", "B A L AH"])
    assert len(seen) == len(WORDS)


def test_a_test_file_of_forms_is_read_as_such_and_one_without_forms_is_to_predict(tmp_path):
    given = inflected(tmp_path)
    train_translator(given.pop("file"), out=tmp_path / "run", **given, **SMALL)
    (tmp_path / "covered").write_text("bal\tN;PL\ndem\tN;PSS1S\n")
    model = open_translator(tmp_path / "run")
    assert len(list(model.lines(file=str(tmp_path / "covered")))) == 2
    with pytest.raises(DataError, match="no features in 'bal'"):
        list(model.lines(["bal"]))


def test_why_nothing_is_left_to_learn_from_is_said(tmp_path):
    (tmp_path / "w.tsv").write_text("a\t\n\tb\nc\t\n")
    found = re.escape("Left out 2 pairs without a target (the first: ") + ".*w.tsv, line 1"
    with pytest.raises(DataError, match=found):
        train_translator(tmp_path / "w.tsv", out=tmp_path / "run", **SMALL)
