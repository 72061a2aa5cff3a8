"""Manifests of any format, folders of sounds, single sounds and features, with what is said in them."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ostinato._errors import ConfigError, DataError
from ostinato.data.speech import BadSound, open_speech, read_sound
from ostinato.data.speech.folders import piped_speech


def read(file, **options):
    speech = open_speech(str(file), **options)
    return [(u.text, round(u.hear().seconds, 3)) for u in speech]


@pytest.fixture
def sounds(sound):
    sound("clips/a.wav", 0.25)
    sound("clips/b.flac", 0.5)
    return ["clips/a.wav", "clips/b.flac"]


EXPECTED = [("hello", 0.25), ("good bye", 0.5)]


def table(path, sounds, header, separator=","):
    lines = [separator.join(header), *(separator.join(r) for r in zip(sounds, ["hello", "good bye"], strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(("name", "separator"), [("m.csv", ","), ("m.tsv", "\t"), ("m.txt", "\t")])
def test_a_table_names_sounds_beside_it(tmp_path, sounds, name, separator):
    path = table(tmp_path / name, sounds, ["path", "sentence"], separator)
    assert read(path) == EXPECTED
    assert "audio 'path' (by its name), text 'sentence' (by its name)" in open_speech(str(path)).format


def test_jsonl_names_sounds(tmp_path, sounds):
    rows = [{"audio_filepath": s, "text": t, "duration": 1} for s, (t, _) in zip(sounds, EXPECTED, strict=True)]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert read(tmp_path / "m.jsonl") == EXPECTED


def test_parquet_holds_sounds(tmp_path, sounds):
    bytes_ = [{"bytes": (tmp_path / name).read_bytes(), "path": name} for name in sounds]
    pq.write_table(pa.table({"audio": bytes_, "text": ["hello", "good bye"]}), tmp_path / "m.parquet")
    assert read(tmp_path / "m.parquet") == EXPECTED


def test_the_column_of_sounds_is_known_by_what_it_names(tmp_path, sounds):
    path = table(tmp_path / "m.csv", sounds, ["recorded", "transcript"])
    assert read(path) == EXPECTED
    assert "audio 'recorded' (it names sounds)" in open_speech(str(path)).format


def test_columns_can_be_named(tmp_path, sounds):
    path = table(tmp_path / "m.csv", sounds, ["one", "two"])
    assert read(path, audio="one", text="two") == EXPECTED


@pytest.mark.parametrize("names", [{"audio": "sonud"}, {"text": "txet"}, {"part": "prat"}])
def test_a_missing_column_is_said_with_those_there_are(tmp_path, sounds, names):
    path = table(tmp_path / "m.csv", sounds, ["sound", "text"])
    with pytest.raises(DataError, match="Columns: 'sound', 'text'"):
        open_speech(str(path), **names)


def test_a_table_without_sounds_is_refused(tmp_path):
    (tmp_path / "m.csv").write_text("review,label\nfine,good\nso so,bad\n")
    with pytest.raises(DataError, match="no column is known to be the audio"):
        open_speech(str(tmp_path / "m.csv"))


def test_rows_say_their_part(tmp_path, sounds):
    (tmp_path / "m.csv").write_text(f"audio,text,split\n{sounds[0]},a,train\n{sounds[1]},b,dev\n")
    speech = open_speech(str(tmp_path / "m.csv"), part="split")
    assert [u.part for u in speech] == ["train", "dev"]
    assert speech.parts


def test_a_missing_sound_is_known_only_where_it_is_heard(tmp_path):
    (tmp_path / "m.csv").write_text("audio,text\nnone.wav,hello\n,hello\n")
    missing, unnamed = open_speech(str(tmp_path / "m.csv"))
    with pytest.raises(BadSound, match=r"none\.wav: there is no such file"):
        missing.hear()
    with pytest.raises(BadSound, match="line 3: 'audio' names no sound"):
        unnamed.hear()


def test_transcripts_are_not_needed_to_predict(tmp_path, sounds):
    (tmp_path / "m.txt").write_text("\n".join(sounds))
    assert read(tmp_path / "m.txt", texts=False) == [(None, 0.25), (None, 0.5)]


def test_a_folder_has_texts_beside_sounds(tmp_path, sounds):
    (tmp_path / "clips/a.txt").write_text("\ufeffhello\n")
    (tmp_path / "clips/b.txt").write_text("good\nbye\n")
    assert read(tmp_path) == EXPECTED
    assert open_speech(str(tmp_path)).format == "a folder of 2 sounds, 2 with a text"


def test_a_folder_without_texts_is_refused_unless_none_are_needed(tmp_path, sounds):
    with pytest.raises(DataError, match="2 sounds, and no text beside any"):
        open_speech(str(tmp_path))
    assert read(tmp_path, texts=False) == [(None, 0.25), (None, 0.5)]


def test_a_folder_without_sounds_is_refused(tmp_path):
    with pytest.raises(DataError, match="no sounds in it"):
        open_speech(str(tmp_path))


def test_a_text_of_another_encoding_is_named(tmp_path, sounds):
    (tmp_path / "clips/a.txt").write_bytes("grüß".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.txt: byte 2 is not utf-8"):
        list(open_speech(str(tmp_path)))
    assert next(iter(open_speech(str(tmp_path), encoding="latin-1"))).text == "grüß"


def test_a_sound_is_one_utterance(tmp_path, sounds):
    assert read(tmp_path / sounds[0], texts=False) == [(None, 0.25)]


def test_features_have_texts(tmp_path):
    values = np.arange(12.0).reshape(6, 2)
    np.savez(tmp_path / "a.npz", values=values, offsets=[0, 2, 6], y=["hello", "grüß"])
    speech = open_speech(str(tmp_path / "a.npz"))
    assert [(u.text, u.hear().shape) for u in speech] == [("hello", (2, 2)), ("grüß", (4, 2))]
    assert speech.width == 2


def test_features_without_texts_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 3, 2)))
    with pytest.raises(DataError, match="no texts in it"):
        open_speech(str(tmp_path / "a.npz"))


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'folder'"):
        open_speech(str(tmp_path), format="foldr")


def test_a_column_of_what_has_none_is_refused(tmp_path, sounds):
    with pytest.raises(ConfigError, match="It has no columns"):
        open_speech(str(tmp_path), text="text", texts=False)


@pytest.mark.parametrize("content", ["text", 1e10, 10**10, [1, 2]])
def test_bytes_that_are_none_are_a_bad_sound(tmp_path, content):
    rows = [{"audio": {"bytes": content, "path": "a.wav"}, "text": "hello"}] * 2
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(BadSound, match="the bytes of 'audio' are of type"):
        next(iter(open_speech(str(tmp_path / "m.jsonl"), audio="audio"))).hear()


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.aiff", "a.mp3", "a.au", "a.caf"])
def test_standard_input_may_hold_a_sound_of_any_format(sound, name):
    content = sound(name, rate=16000).read_bytes()
    piped = piped_speech(io.BufferedReader(io.BytesIO(content)))
    assert piped is not None
    (utterance,) = piped
    np.testing.assert_array_equal(utterance.hear().samples, read_sound(content).samples)


@pytest.mark.parametrize("content", [b"", b"a", b"clips/0.wav\n", b"audio,text\n", b"\xff\xfea\x00", b"\xef\xbb\xbfa"])
def test_standard_input_that_is_no_sound_is_left_as_it_is(content):
    stream = io.BufferedReader(io.BytesIO(content))
    assert piped_speech(stream) is None
    assert stream.read() == content
