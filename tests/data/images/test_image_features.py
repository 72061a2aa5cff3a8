"""Features of NumPy archives: vectors and regions, with captions and questions; never pickles."""

import numpy as np
import pytest
from files_of_images import failure

from ostinato.data.images import Columns, open_captioned

GENERATOR = np.random.default_rng(0)
VECTORS, REGIONS = GENERATOR.standard_normal((3, 4)), GENERATOR.standard_normal((3, 5, 2)).astype(np.float16)


@pytest.fixture
def npz(tmp_path):
    def written(**arrays):
        np.savez(tmp_path / "a.npz", **arrays)
        return tmp_path / "a.npz"

    return written


@pytest.mark.parametrize(("features", "kind"), [(VECTORS, "vector"), (REGIONS, "regions")])
def test_features_and_captions(npz, features, kind):
    found = open_captioned(npz(features=features, captions=np.array(["one", "zwei", "trois"])))
    assert found.kind == kind
    assert [item.captions for item in found] == [("one",), ("zwei",), ("trois",)]
    np.testing.assert_array_equal([item.context for item in found], features.astype(np.float32))
    assert next(iter(found)).context.dtype == np.float32


def test_several_captions_and_a_question(npz):
    captions = np.array([["a", "b"], ["c", ""], ["", " "]])
    found = open_captioned(npz(x=VECTORS, captions=captions, questions=np.array(["why?", "when?", "who?"])))
    assert found.has_questions
    assert [(item.question, item.captions) for item in found] == [("why?", ("a", "b")), ("when?", ("c",)), ("who?", ())]


def test_questions_are_left_alone_or_asked_for(npz):
    path = npz(x=VECTORS, captions=np.array(list("abc")), questions=np.array(list("xyz")))
    found = open_captioned(path, asks=False)
    assert not found.has_questions
    assert [item.question for item in found] == [None] * 3
    assert "questions" not in found.format
    assert "no array of questions" in failure(npz(x=VECTORS, captions=np.array(list("abc"))), asks=True)


def test_arrays_can_be_named(npz):
    path = npz(x=VECTORS, said=np.array(list("abc")), asked=np.array(list("xyz")))
    found = list(open_captioned(path, columns=Columns(caption="said", question="asked")))
    assert [(item.captions, item.question) for item in found] == [(("a",), "x"), (("b",), "y"), (("c",), "z")]


def test_captions_are_left_alone_where_none_are_needed(npz):
    assert [item.captions for item in open_captioned(npz(features=VECTORS), captioned=False)] == [(), (), ()]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"features": VECTORS}, "no array of captions"),
        ({"captions": np.array(["a"])}, "no array of features"),
        ({"features": VECTORS, "captions": np.array(["a", "b"])}, "2 items, where 'features' has 3"),
        ({"features": VECTORS[0], "captions": np.array(["a"])}, "shape (4,)"),
        ({"features": VECTORS[:0], "captions": np.array([], dtype=str)}, "shape (0, 4)"),
        ({"features": np.array(["a"]), "captions": np.array(["a"])}, "of numbers"),
        ({"features": VECTORS, "captions": np.arange(3)}, "Texts are strings"),
        ({"features": np.where(VECTORS > 9, 1, np.nan), "captions": np.array(list("abc"))}, "not finite"),
        ({"features": VECTORS, "captions": np.array([["a"], ["b", "c"], []], dtype=object)}, "a pickle can run code"),
    ],
)
def test_bad_archives_are_refused(npz, arrays, said):
    assert said in failure(npz(**arrays))


def test_a_missing_array_has_a_near_name(npz):
    path = npz(features=VECTORS, captions=np.array(list("abc")))
    assert "Did you mean 'captions'" in failure(path, columns=Columns(caption="captoins"))


def test_a_damaged_archive(npz):
    path = npz(features=VECTORS, captions=np.array(list("abc")))
    path.write_bytes(path.read_bytes()[:-40])
    assert "damaged" in failure(path)
