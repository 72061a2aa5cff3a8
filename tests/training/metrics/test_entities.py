"""Figures of entities: by hand, and beside seqeval's own functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score

from ostinato import DataError
from ostinato.training.metrics.entities import Entities
from ostinato.training.metrics.labels import table

TAGS = st.lists(st.sampled_from(["O", "B-a", "I-a", "B-creative-work", "I-creative-work"]), min_size=1, max_size=6)
PAIRS = st.lists(TAGS.flatmap(lambda t: st.tuples(st.just(t), st.permutations(t))), min_size=1, max_size=4)


def seen(*pairs, bioes: bool = False) -> Entities:
    found = Entities(bioes)
    for truth, predicted in pairs:
        found.add(truth, predicted)
    return found


def test_an_entity_is_right_as_a_whole():
    found = seen(
        (["B-a", "I-a", "O", "B-b"], ["B-a", "O", "O", "B-b"]),
        (["O", "B-b", "I-b"], ["O", "B-b", "I-b"]),
    )
    assert found.figures() == pytest.approx({"f1": 2 / 3, "precision": 2 / 3, "recall": 2 / 3})
    assert [(row.name, row.f1, row.support) for row in found.rows()] == [("a", 0.0, 1), ("b", 1.0, 2)]


@given(PAIRS)
def test_figures_are_those_of_seqeval(pairs):
    truth, predicted = [t for t, _ in pairs], [p for _, p in pairs]
    if all(tag == "O" for tags in truth for tag in tags):
        return
    wanted = {
        name: function(truth, predicted, zero_division=0)
        for name, function in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score))
    }
    assert seen(*pairs).figures() == pytest.approx(wanted)


def test_entities_of_bioes_are_spelled_to_their_end():
    truth = ["B-a", "I-a", "E-a", "O", "S-b"]
    assert seen((truth, truth), bioes=True).figures()["f1"] == 1
    assert seen((truth, ["I-a", "I-a", "I-a", "O", "S-b"]), bioes=True).figures() == pytest.approx(
        {"precision": 1, "recall": 0.5, "f1": 2 / 3}
    )


@pytest.mark.parametrize("truth", [["O", "O"], ["I-a", "O"]])
def test_tags_of_bioes_that_spell_nothing_are_no_entity(truth):
    found = seen((truth, ["I-a", "O"]), bioes=True)
    assert found.figures() == {"f1": 0.0, "precision": 0.0, "recall": 0.0}
    assert found.rows() == []


def test_no_entities_are_no_fault():
    found = seen((["O", "O"], ["O", "O"]))
    assert found.figures() == {"f1": 0.0, "precision": 0.0, "recall": 0.0}
    assert found.rows() == []


def test_entities_that_are_only_predicted_cost_precision():
    assert seen((["O"], ["B-a"])).figures() == {"f1": 0.0, "precision": 0.0, "recall": 0.0}


def test_a_type_has_its_whole_name():
    assert "creative-work" in table(seen((["B-creative-work"], ["B-creative-work"])).rows())


def test_nothing_to_measure_is_refused():
    with pytest.raises(DataError, match="there are none"):
        Entities().figures()
