"""Pairs from files of every format: what a file is taken for, what stands in it, and what is said of bad ones."""

import doctest
import gzip
import io
import json
import re
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ostinato._errors import ConfigError, DataError
from ostinato.data.pairs import Reading, open_pairs, open_sources, opening, pair, parallel, typed_pair, why_left_out
from ostinato.data.pairs import targets_beside as beside

REAL = Path(__file__).parents[4] / "shared" / "data" / "seq2seq"
needs_real_files = pytest.mark.skipif(not REAL.is_dir(), reason="the shared pairs are not on this machine")


@pytest.fixture
def write(tmp_path):
    def written(name, content):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return str(tmp_path / name)

    return written


def sides(pairs):
    return [(item.source, *item.targets) for item in pairs]


def said_of(error, *args, **settings):
    with pytest.raises(error) as raised:
        list(open_pairs(*args, **settings))
    return str(raised.value)


# Two files


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_line_n_of_one_file_becomes_line_n_of_the_other(write, suffix):
    pairs = open_pairs(write("a.de" + suffix, "eins\r\n zwei \n"), write("a.en" + suffix, "one\ntwo"))
    assert sides(pairs) == sides(pairs) == [("eins", "one"), ("zwei", "two")]
    assert pairs.kind == "parallel"
    assert pairs.format.startswith("lines beside those of ")
    assert str(next(iter(pairs)).place) == f"{pairs.name}, line 1"


def test_a_blank_line_keeps_its_place_and_is_left_out_by_name(write):
    pairs = open_pairs(write("a.de", "eins\n\n \ndrei\n"), write("a.en", "one\n\ntwo\n\n"))
    reasons = [why_left_out(item) for item in pairs]
    assert reasons == ["", "without a word on either side", "without a source", "without a target"]


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ("a\nb\nc\n", "x\n", "a.de: 3 lines, where {} has 1. Line n of one"),
        ("a\n", "x\ny\nz\nw", "a.de: 1 lines, where {} has 4. Line n of one"),
    ],
)
def test_files_of_different_lengths_are_refused_with_both_counts(write, ours, theirs, said):
    source, targets = write("a.de", ours), write("a.en", theirs)
    assert said.format(targets) in said_of(DataError, source, targets)


def test_bytes_that_are_no_text_are_refused_with_their_place(write):
    assert "a.en: not UTF-8: byte 0xe4 at offset 4" in said_of(
        DataError, write("a.de", "eins\n"), write("a.en", b"one \xe4\n")
    )
    assert "a.de: not UTF-8: byte 0xff at offset 3" in said_of(
        DataError, write("a.de", b"ab\n\xffc\n"), write("a.en", "one\ntwo\n")
    )


def test_another_encoding_is_read_when_it_is_named(write):
    files = write("a.de", "läuft\n".encode("latin-1")), write("a.en", "rüns\n".encode("latin-1"))
    assert sides(open_pairs(*files, reading=Reading(encoding="latin-1"))) == [("läuft", "rüns")]


def test_a_missing_file_of_targets_is_refused(write, tmp_path):
    assert "there is no such file" in said_of(DataError, write("a.de", "eins\n"), tmp_path / "a.en")


def test_lines_without_targets_are_refused_to_learn_from_and_are_sources_to_predict(write):
    path = write("a.de", "eins, zwei\n\ndrei\n")
    assert "lines of text, without what they become. Possible: a second file of targets" in said_of(DataError, path)
    assert sides(open_pairs(path, paired=False)) == [("eins, zwei",), ("",), ("drei",)]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("train.de.gz", "train.en.gz", "val.de.gz"), "val.en.gz"),
        (("d/src-train.txt", "d/tgt-train.txt", "d/src-val.txt"), "d/tgt-val.txt"),
        (("de/train", "en/train", "de/test"), "en/test"),
        (("a.de", "a.en", "b.x.de"), "b.x.en"),
    ],
)
def test_targets_of_another_file_are_named_likewise(names, found):
    assert beside(*names) == found


@pytest.mark.parametrize(
    "names", [("a.de", "b.en", "c.de"), ("a.de", "a.en", "c.fr"), ("a", "a", "b"), ("x", "y.z", "x")]
)
def test_a_name_that_does_not_follow_is_refused(names):
    with pytest.raises(ConfigError, match="its targets stand in no file whose name follows"):
        beside(*names)


# Tables


def test_a_tsv_without_header_has_sources_first_and_targets_second(write):
    pairs = open_pairs(write("fra.txt", 'go\tva !\tCC-BY\n"run\tcours !\tCC-BY\n'))
    assert sides(pairs) == [("go", "va !"), ('"run', "cours !")]
    assert pairs.format == "TSV of 3 columns, no header; 'column 1' becomes 'column 2'"


def test_a_first_line_of_two_words_is_a_pair_unless_a_header_is_asked_for(write):
    path = write("words.tsv", "hello\tbonjour\ncat\tchat\n")
    assert sides(open_pairs(path))[0] == ("hello", "bonjour")
    assert sides(open_pairs(path, reading=Reading(header=True))) == [("cat", "chat")]
    assert sides(open_pairs(path, reading=Reading(target_column="hello"))) == [("chat", "cat")]


def test_a_header_names_the_columns(write):
    pairs = open_pairs(write("words.tsv", "target\tid\tsource\nchat\t1\tcat\n"))
    assert sides(pairs) == [("cat", "chat")]


def test_columns_are_those_asked_for(write):
    path = write("words.csv", "id,en,fr,de\n1,cat,chat,Katze\n2,dog,chien,Hund\n")
    asked = Reading(source_column="de", target_column="fr")
    assert sides(open_pairs(path, reading=asked)) == [("Katze", "chat"), ("Hund", "chien")]


def test_a_csv_of_two_columns_with_a_header_needs_no_names(write):
    assert sides(open_pairs(write("w.csv", "english,french\ncat,chat\ndog,chien\n")))[0] == ("cat", "chat")


def test_jsonl_holds_texts_symbols_and_several_references(write):
    rows = [
        {"source": "cat", "references": ["K AE T", ["K", "A"]]},
        {"source": ["d", "o", "g"], "references": []},
        {"source": 7, "references": None},
    ]
    pairs = open_pairs(write("w.jsonl", "\n".join(map(json.dumps, rows))))
    assert sides(pairs) == [("cat", "K AE T", ("K", "A")), (("d", "o", "g"),), ("7",)]
    assert [why_left_out(item) for item in pairs] == ["", "without a target", "without a target"]


def test_a_list_is_a_side_that_is_cut_already(write):
    pairs = open_pairs(write("w.jsonl", '{"source": "cat", "target": ["K", "AE", "T"]}'))
    assert sides(pairs) == [("cat", ("K", "AE", "T"))]
    assert pairs.units == ("word", "symbols")


@pytest.mark.parametrize("late", [False, True])
def test_keys_of_an_object_are_columns(write, late):
    rows = [{"id": k, "translation": {"en": "cat", "fr": "chat"}} for k in range(150)]
    rows[120 if late else 0]["translation"] = None
    path = write("w.jsonl", "\n".join(map(json.dumps, rows)))
    assert "Columns: 'id', 'translation.en', 'translation.fr'" in said_of(DataError, path)
    asked = Reading(source_column="translation.fr", target_column="translation.en")
    pairs = open_pairs(path, reading=asked)
    assert Counter(sides(pairs)) == {("chat", "cat"): 149, ("",): 1}
    assert Counter(map(why_left_out, pairs)) == {"": 149, "without a word on either side": 1}


def test_text_where_an_object_was_is_refused(write):
    path = write("w.jsonl", '{"t": {"a": "x", "b": "y"}}\n{"t": "z"}\n')
    assert "w.jsonl, line 2: no column 't.a'" in said_of(DataError, path)


def test_parquet_is_read(tmp_path):
    table = pa.table({"source": ["cat", None], "target": [["K", "AE", "T"], ["D"]]})
    pq.write_table(table, tmp_path / "w.parquet")
    assert sides(open_pairs(tmp_path / "w.parquet")) == [("cat", ("K", "AE", "T")), ("", ("D",))]


def test_a_data_set_of_the_hub_is_read(tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "train.jsonl").write_text('{"source": "cat", "target": "chat"}\n' * 2)
    pairs = open_pairs(f"hf://{tmp_path}")
    assert (pairs.kind, sides(pairs)[0]) == ("hub", ("cat", "chat"))


def test_a_zip_with_one_text_in_it_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "fra-eng.zip", "w") as archive:
        archive.writestr("_about.txt", "about")
        archive.writestr("fra.txt", "Go.\tVa !\nRun!\tCours !\n")
    assert sides(open_pairs(tmp_path / "fra-eng.zip")) == [("Go.", "Va !"), ("Run!", "Cours !")]


def test_a_table_without_targets_is_enough_to_predict(write):
    path = write("w.csv", "source,id\ncat,1\n")
    assert sides(open_pairs(path, paired=False)) == [("cat",)]


@pytest.mark.parametrize(
    ("name", "content", "asked", "said"),
    [
        ("w.csv", "a,b,c\n1,2,3\n", {}, "no column is known to be the source. Columns: 'a', 'b', 'c'. Name one with"),
        ("w.csv", "source\ncat\n", {}, "no column is known to be the target"),
        ("w.csv", "en,fr\na,b\n", {"source_column": "eng"}, "no column 'eng'. Columns: 'en', 'fr'. Did you mean 'en'?"),
        ("w.csv", "source,target\n", {}, "no rows in it"),
        ("w.tsv", "a\tb\nc\n", {}, "w.tsv, line 2: 1 field, where the first row has 2"),
        ("w.jsonl", '{"source": "a", "target": [["b"], {}]}', {}, "'target' holds [['b'], {}]. A list holds texts"),
        ("w.jsonl", '{"source": ["a", 1], "target": "b"}', {}, "'source' holds ['a', 1]. A list holds texts"),
        ("w.jsonl", '{"source": "a"}\n', {"target_column": "b"}, "no column 'b'"),
        ("w.jsonl", "[1]\n", {}, "w.jsonl, line 1: "),
        ("w.txt", "", {}, "the file is empty"),
        ("w.txt", " \n\n", {}, "lines of text, without what they become"),
        ("w.txt", "a\0b\tc\n", {"format": "tsv"}, "a NUL character"),
    ],
)
def test_a_bad_table_is_refused(write, name, content, asked, said):
    assert said in said_of(DataError, write(name, content), reading=Reading(**asked))


# Dictionaries


DICTIONARY = """;;; notes
a AH0
a(2) EY1

aalborg AO1 L B AO0 R G # place, danish
a(3) AH1
close(paren K L OW1 Z
"""


def test_other_pronunciations_are_references(write):
    pairs = open_pairs(write("words.dict", DICTIONARY))
    assert [(item.source, item.targets) for item in pairs] == [
        ("a", (("AH0",), ("EY1",))),
        ("aalborg", (("AO1", "L", "B", "AO0", "R", "G"),)),
        ("a", (("AH1",),)),
        ("close(paren", (("K", "L", "OW1", "Z"),)),
    ]
    assert pairs.units == ("char", "symbols")
    assert [item.place.number for item in pairs] == [2, 5, 6, 7]


def test_stress_is_left_out_and_what_becomes_equal_is_one(write):
    pairs = open_pairs(write("d.txt", "read R EH1 D\nread(2) R EH0 D\n"), reading=Reading(stress=False))
    assert sides(pairs) == [("read", ("R", "EH", "D"))]
    assert pairs.format == "a dictionary of words and phones (CMUdict), without stress"


def test_a_line_that_holds_a_note_alone_is_no_entry(write):
    pairs = open_pairs(write("words.dict", "cat K AE1 T # a cat\n  # a note\ndog D AO1 G\n"))
    assert sides(pairs) == [("cat", ("K", "AE1", "T")), ("dog", ("D", "AO1", "G"))]


def test_a_note_among_other_lines_is_a_line_as_any(write):
    text = "hello\tbonjour\n  # a note\nb\tc\n"
    assert open_pairs(write("words.txt", text)).kind == "tsv"
    assert open_pairs(write("alone.txt", "eins\n  # a note\n"), paired=False).kind == "parallel"


def test_a_word_without_phones_has_no_target(write):
    pairs = list(open_pairs(write("words.dict", "cat K AE1 T\ndog\n")))
    assert [why_left_out(item) for item in pairs] == ["", "without a target"]


# Inflections


INFLECTIONS = "otuz birci\totuz bircimiz\tN;NOM;SG;PSS1P\nN\tN'ler\tN;PL\n"


def test_features_come_before_the_letters_of_the_lemma(write):
    pairs = open_pairs(write("turkish-train", INFLECTIONS))
    assert pairs.kind == "sigmorphon"
    assert sides(pairs) == [
        (("<N>", "<NOM>", "<SG>", "<PSS1P>", *"otuz␣birci"), "otuz bircimiz"),
        (("<N>", "<PL>", "N"), "N'ler"),
    ]


def test_a_lemma_without_a_form_is_asked_for(write):
    path = write("covered", "ev\tN;PL\nev \t\tN;SG\n\n")
    pairs = list(open_pairs(path, reading=Reading(format="sigmorphon"), paired=False))
    assert [item.targets for item in pairs] == [(), ()]
    assert pairs[1].source == ("<N>", "<SG>", "e", "v")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a\tb\tN;PL\tc", "4 fields: 'a\\tb\\tN;PL\\tc'. A line holds lemma, form and features"),
        ("evler", "no features in 'evler'. A line holds lemma, form and features"),
        ("ev\tler", "no features in 'ev\\tler'"),
    ],
)
def test_a_line_that_is_no_inflection_is_refused_with_its_number(write, line, said):
    text = said_of(DataError, write("t", INFLECTIONS + line), reading=Reading(format="sigmorphon"))
    assert ", line 3: " + said in text


# Standard input, what is typed, and what is like what was learned from


def test_standard_input_is_read_once(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"cat\tchat\ndog\tchien\n")))
    assert sides(open_pairs("-")) == [("cat", "chat"), ("dog", "chien")]


@pytest.mark.parametrize(
    ("content", "kind", "found"),
    [
        ("cat\n\ndog, a\n", "tsv", ["cat", "", "dog, a"]),
        ("cat\tchat\ndog\tchien\n", "parallel", ["cat\tchat", "dog\tchien"]),
        ("cat\ndog D AO1 G\n", "cmudict", ["cat", "dog"]),
        ("ev\tN;PL\n", "sigmorphon", [("<N>", "<PL>", "e", "v")]),
        ("1+2\n", "generated", ["    2+1"]),
    ],
)
def test_a_file_to_predict_from_is_read_as_the_one_learned_from(write, content, kind, found):
    pairs = open_sources(write("asked.txt", content), kind=kind, learned_from="generated:addition?reversed=true")
    assert [item.source for item in pairs] == found


def test_a_table_to_predict_from_is_known_by_itself(write):
    path = write("asked.csv", "id,source\n1,cat\n")
    assert [item.source for item in open_sources(path, kind="parallel")] == ["cat"]


@pytest.mark.parametrize(
    ("text", "kind", "source"),
    [
        (" cat ", "cmudict", "cat"),
        ("ev N;PL", "sigmorphon", ("<N>", "<PL>", "e", "v")),
        ("duş almak\tV;PST", "sigmorphon", ("<V>", "<PST>", *"duş␣almak")),
        ("12+3", "generated", "12+3 "),
        ("Go.", "parallel", "Go."),
    ],
)
def test_what_is_typed_is_read_as_the_file_learned_from(text, kind, source):
    assert typed_pair(text, 1, kind, "generated:addition?digits=2&items=9").source == source


def test_a_lemma_typed_without_features_is_refused():
    with pytest.raises(DataError, match="the text, item 3: no features in 'ev'"):
        typed_pair("ev", 3, "sigmorphon")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"format": "cmudct"}, "format: 'cmudct' is none that is known. Possible: auto, parallel, csv"),
        ({"encoding": "utf8x"}, "encoding: 'utf8x' is no text encoding"),
        ({"format": "csv"}, "targets: a file of targets beside a file of format csv"),
    ],
)
def test_a_setting_that_is_none_is_refused(write, asked, said):
    assert said in said_of(ConfigError, write("a.de", "x\n"), write("a.en", "y\n"), reading=Reading(**asked))


@pytest.mark.parametrize("module", [opening, pair, parallel])
def test_the_examples_in_docstrings_are_true(module):
    assert doctest.testmod(module).failed == 0


# Real files


@needs_real_files
@pytest.mark.parametrize(
    ("name", "kind", "count", "number", "found"),
    [
        ("tatoeba_eng_fra/fra-eng.zip", "tsv", 142_787, 0, ("Go.", ("Va !",))),
        ("tatoeba_eng_fra/fra.head20000.tsv", "tsv", 20_000, 1, ("Run!", ("Cours\u202f!",))),
        ("cmudict/cmudict.dict", "cmudict", 126_052, 0, ("'bout", (("B", "AW", "T"),))),
        ("sigmorphon2018/turkish-train-high", "sigmorphon", 10_000, 1, ("<N>", ("heyetlerinin",))),
        ("sigmorphon2018/finnish-test", "sigmorphon", 1_000, None, None),
        ("sigmorphon2018/german-dev", "sigmorphon", 1_000, None, None),
    ],
)
def test_a_real_file_is_known_and_read_whole(name, kind, count, number, found):
    pairs = open_pairs(REAL / name, reading=Reading(stress=False))
    read = list(pairs)
    assert (pairs.kind, len(read)) == (kind, count)
    assert {why_left_out(item) for item in read} == {""}
    if number is not None:
        source = read[number].source
        assert (source if isinstance(source, str) else source[0], read[number].targets) == found


@needs_real_files
def test_the_real_dictionary_has_as_many_pronunciations_as_lines():
    lines = (REAL / "cmudict" / "cmudict.dict").read_text().splitlines()
    variants = {re.sub(r"\(\d\)| #.*", "", line) for line in lines}
    read = list(open_pairs(REAL / "cmudict" / "cmudict.dict"))
    assert sum(len(item.targets) for item in read) == len(variants)
    phones = {phone.rstrip("012") for item in read for target in item.targets for phone in target}
    known = (REAL / "cmudict" / "cmudict.phones").read_text().split()[::2]
    assert phones == set(known)


@needs_real_files
@pytest.mark.parametrize(("part", "count"), [("val", 1014), ("test_2016_flickr", 1000)])
def test_real_files_beside_each_other_are_read(part, count):
    folder = REAL / "multi30k_en_de"
    source = folder / f"{part}.de.gz"
    targets = beside(str(folder / "train.de.gz"), str(folder / "train.en.gz"), str(source))
    read = list(open_pairs(source, targets))
    assert len(read) == count
    assert Counter(map(why_left_out, read)) == {"": count}


@needs_real_files
def test_real_files_that_do_not_belong_together_are_refused():
    folder = REAL / "multi30k_en_de"
    text = said_of(DataError, folder / "val.de.gz", folder / "test_2016_flickr.en.gz")
    assert "val.de.gz: 1,014 lines, where " in text
    assert "has 1,000" in text
