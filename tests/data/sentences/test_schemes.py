"""Tags of entities: which scheme they are in, what is read otherwise than written, and what may follow what."""

import itertools
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from ostinato import ConfigError, DataError
from ostinato.data.sentences.schemes import SchemeSniffer, check_scheme, following, read_as

CHUNKED = st.lists(st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b"]), max_size=7)


def sniffed(*sentences: str) -> SchemeSniffer:
    sniffer = SchemeSniffer()
    for sentence in sentences:
        sniffer.see(sentence.split())
    return sniffer


@pytest.mark.parametrize(
    ("tags", "scheme", "said"),
    [
        ("B-a I-a O B-a B-a", "iob2", "IOB2"),
        ("I-a I-a O I-a B-a", "iob2", "IOB1, read as IOB2"),
        ("I-a O", "iob2", "IOB1, read as IOB2"),
        ("B-a O I-a", "iob2", "IOB2; entities that begin with I- (1 of 2) are read as if with B-"),
        ("B-a E-a O S-a", "bioes", "BIOES"),
        ("B-a L-a O U-a", "bioes", "BILOU, read as BIOES"),
        ("NOUN VERB O", "plain", "no entities"),
        ("O O", "plain", "no entities"),
        ("B-a X", "plain", "no entities"),
    ],
)
def test_the_scheme_follows_from_the_tags(tags, scheme, said):
    sniffer = sniffed(tags)
    assert (sniffer.scheme(), sniffer.said()) == (scheme, said)


@given(CHUNKED)
def test_reading_as_iob2_keeps_the_entities(tags):
    read = read_as("iob2", tags, "")
    assert get_entities(read) == get_entities(tags)
    table, names = following("iob2", ["O", "B-a", "I-a", "B-b", "I-b"]), ["O", "B-a", "I-a", "B-b", "I-b"]
    numbers = [names.index(tag) for tag in read]
    assert not numbers or table.starts[numbers[0]]
    assert all(table.transitions[pair] for pair in itertools.pairwise(numbers))


def test_bilou_is_read_as_bioes():
    assert read_as("bioes", ["U-a", "B-b", "I-b", "L-b", "O"], "") == ["S-a", "B-b", "I-b", "E-b", "O"]


def test_plain_tags_stay_as_they_are():
    assert read_as("plain", ["I-a", "L-x", "NOUN"], "") == ["I-a", "L-x", "NOUN"]


@pytest.mark.parametrize(
    ("scheme", "tags", "message"),
    [
        ("iob2", "O NOUN", "f, line 1: the tag 'NOUN' is none of IOB2. Its tags are O, B- and I-"),
        ("iob2", "S-a", "the tag 'S-a' is none of IOB2"),
        ("bioes", "B-a O", "B-a is followed by O at word 2"),
        ("bioes", "I-a E-a", "the beginning is followed by I-a at word 1"),
        ("bioes", "B-a", "B-a is followed by the end at word 2"),
        ("bioes", "B-a E-b", "B-a is followed by E-b at word 2"),
    ],
)
def test_tags_that_spell_no_entities_are_refused(scheme, tags, message):
    with pytest.raises(DataError, match=message):
        read_as(scheme, tags.split(), "f, line 1")


@pytest.mark.parametrize(("scheme", "prefixes"), [("iob2", "BI"), ("bioes", "BIES")])
def test_what_is_allowed_is_what_spells_whole_entities(scheme, prefixes):
    """All sequences of four tags, beside a reading of each entity by itself."""
    names = ["O", *(f"{prefix}-{kind}" for prefix in prefixes for kind in "ab")]
    table = following(scheme, names)

    def entity(kind: str) -> str:
        return f"B-{kind} (I-{kind} )*" if scheme == "iob2" else f"B-{kind} (I-{kind} )*E-{kind} |S-{kind} "

    whole = re.compile(f"(O |{entity('a')}|{entity('b')})*")
    for length in range(1, 5):
        for numbers in itertools.product(range(len(names)), repeat=length):
            allowed = table.starts[numbers[0]] and table.ends[numbers[-1]]
            allowed = allowed and all(table.transitions[pair] for pair in itertools.pairwise(numbers))
            assert bool(allowed) == bool(whole.fullmatch("".join(f"{names[k]} " for k in numbers)))


def test_plain_tags_follow_each_other_freely():
    assert all(torch.from_numpy(table).all() for table in following("plain", ["a", "b"]))


def test_a_scheme_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="Known are auto, iob2, bioes, plain"):
        check_scheme("iob1")
    check_scheme("auto")
