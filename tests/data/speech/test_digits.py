"""Spoken digits of an archive: its official test part, a speaker held out, and strings of digits."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from ostinato._errors import ConfigError, DataError
from ostinato.data.speech import BadSound, Digits, open_speech, read_sound
from tones import write_digits

FSDD = Path(__file__).parents[4] / "shared" / "data" / "speech" / "fsdd.tar.gz"
needs_digits = pytest.mark.skipif(not FSDD.is_file(), reason="the spoken digits are not on this machine")


@pytest.fixture
def archive(tmp_path):
    """Three digits by two speakers, seven recordings of each, all of them different."""
    return write_digits(tmp_path / "digits.tar.gz", speakers=("ann", "bob"))


def of(speech, part):
    return [u for u in speech if u.part == part]


def test_the_first_five_recordings_are_to_test(archive):
    speech = open_speech(str(archive), digits=Digits(validation=0.5))
    test = of(speech, "test")
    assert len(test) == 3 * 2 * 5
    assert all(int(u.name.rpartition("_")[2][0]) < 5 for u in test)
    assert {part: len(of(speech, part)) for part in ("train", "valid")} == {"train": 6, "valid": 6}
    assert "42 spoken digits by 2 speakers, recordings 0 to 4 to test" in speech.format


def test_the_text_of_a_recording_is_its_digit(archive):
    assert all(Path(u.name).name[0] == u.text for u in open_speech(str(archive)))


def test_a_speaker_is_held_out(archive):
    speech = open_speech(str(archive), digits=Digits(speaker="bob"))
    assert {Path(u.name).name.split("_")[1] for u in of(speech, "test")} == {"bob"}
    assert {Path(u.name).name.split("_")[1] for u in of(speech, "train") + of(speech, "valid")} == {"ann"}


def test_an_unknown_speaker_is_refused(archive):
    with pytest.raises(DataError, match="Speakers: ann, bob"):
        open_speech(str(archive), digits=Digits(speaker="bop"))


def test_strings_are_of_their_part_only(archive):
    digits = Digits(strings=40, judged=20, silence=0.0, validation=0.5)
    samples = {u.name: u.hear().samples for u in open_speech(str(archive), digits=Digits(validation=0.5))}
    parts = {u.name: u.part for u in open_speech(str(archive), digits=Digits(validation=0.5))}
    known = {values.tobytes(): parts[name] for name, values in samples.items()}
    for u in open_speech(str(archive), digits=digits):
        pieces = np.split(u.hear().samples, len(u.text))
        assert {known[piece.tobytes()] for piece in pieces} == {u.part}


def test_a_string_is_its_recordings_with_silences_between(archive):
    speech = open_speech(str(archive), digits=Digits(strings=30, judged=1, shortest=2, longest=4, silence=0.2))
    for u in of(speech, "train"):
        assert 2 <= len(u.text) <= 4
        gaps = u.hear().seconds - 0.2 * len(u.text)
        assert 0 <= gaps <= 0.2 * (len(u.text) - 1)
    assert len({len(u.text) for u in of(speech, "train")}) == 3


def test_strings_follow_from_the_seed(archive):
    def texts(seed):
        speech = open_speech(str(archive), digits=Digits(strings=9, judged=3, seed=seed))
        return [(u.part, u.text, u.hear().samples.tobytes()) for u in speech]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)


def test_a_damaged_recording_is_known_where_it_is_heard_and_left_out_of_strings(tmp_path, archive):
    with tarfile.open(archive) as old, tarfile.open(tmp_path / "b.tar", "w") as new:
        for member in old:
            content = b"no sound" if member.name.endswith("0_ann_6.wav") else old.extractfile(member).read()
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    bad = next(u for u in open_speech(str(tmp_path / "b.tar")) if u.name.endswith("0_ann_6.wav"))
    with pytest.raises(BadSound, match=r"b.tar: x/0_ann_6.wav: it cannot be read"):
        bad.hear()
    strings = open_speech(str(tmp_path / "b.tar"), digits=Digits(strings=60, judged=1))
    assert "an archive of 41 spoken digits" in strings.format
    assert "1 more cannot be used (the first: " in strings.format
    assert all(u.hear().seconds > 0 for u in strings)


def test_an_archive_of_nothing_but_damaged_recordings_makes_no_strings(tmp_path):
    with tarfile.open(tmp_path / "b.tar", "w") as file:
        member = tarfile.TarInfo("7_x_0.wav")
        member.size = 4
        file.addfile(member, io.BytesIO(b"none"))
    with pytest.raises(DataError, match="none of its recordings can be used"):
        open_speech(str(tmp_path / "b.tar"), digits=Digits(strings=1))


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00damaged"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(DataError):
        open_speech(str(tmp_path / "a.tar.gz"))


def test_an_archive_that_is_cut_off_is_refused(archive):
    archive.write_bytes(archive.read_bytes()[:-2000])
    with pytest.raises(DataError, match="not an archive, or a damaged one"):
        open_speech(str(archive))


def test_an_archive_of_other_things_is_refused(tmp_path):
    (tmp_path / "note.txt").write_text("hello")
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        file.add(tmp_path / "note.txt", "note.txt")
    with pytest.raises(DataError, match="no spoken digit in it"):
        open_speech(str(tmp_path / "a.tar"))


@pytest.mark.parametrize(
    "settings", [{"strings": -1}, {"judged": 0}, {"shortest": 0}, {"shortest": 9}, {"silence": -1.0}, {"silence": 99.0}]
)
def test_impossible_strings_are_refused(settings):
    with pytest.raises(ConfigError):
        Digits(**settings)


@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({"judged": 0}, "--test-strings"),
        ({"longest": 2000}, "--longest-string"),
        ({"shortest": 0}, "--shortest-string"),
    ],
)
def test_the_setting_that_is_wrong_is_named(settings, flag):
    with pytest.raises(ConfigError, match=f"^{flag}: "):
        Digits(**settings)


def test_only_names_of_one_digit_are_recordings(tmp_path, archive):
    with tarfile.open(archive) as old, tarfile.open(tmp_path / "b.tar", "w") as new:
        content = old.extractfile("x/0_ann_0.wav").read()
        for name in ("17_x_0.wav", "._7_x_0.wav", "in/._7_x_0.wav", "7_x_0.wav", "in/6_x_0.wav"):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    assert [u.text for u in open_speech(str(tmp_path / "b.tar"))] == ["6", "7"]


@needs_digits
def test_the_free_spoken_digits_have_their_official_parts():
    speech = open_speech(str(FSDD))
    counts = {part: len(of(speech, part)) for part in ("train", "valid", "test")}
    assert counts == {"train": 2430, "valid": 270, "test": 300}
    first = of(speech, "test")[0]
    with tarfile.open(FSDD) as file:
        expected = read_sound(file.extractfile("recordings/0_george_0.wav").read())
    assert first.name.endswith("recordings/0_george_0.wav")
    np.testing.assert_array_equal(first.hear().samples, expected.samples)
    assert round(sum(u.hear().seconds for u in speech)) == 1312
