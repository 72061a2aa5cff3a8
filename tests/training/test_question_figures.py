"""Figures by kind of question: which kinds there are, and that they add up to the figure of all."""

import numpy as np
import pytest

from ostinato.data.shapes import Shapes
from ostinato.training.captioner.questions import MOST, Questions


def counted(rows, **settings):
    questions = Questions(**settings)
    for question, written, right in rows:
        questions.add(question, written, [right])
    return questions


def test_the_kinds_of_the_made_up_world_are_told_apart():
    world = Shapes(items=600, questions=True)
    asked = [world.item(k) for k in range(600)]
    questions = counted((shown.question, "yes", shown.text) for shown in asked)
    assert {kind.name for kind in questions.kinds()} == {
        "what is there", "what is next", "what is the", "what colour", "is the", "is there", "how many", "where is",
    }  # fmt: skip
    right = sum(kind.exact * kind.items for kind in questions.kinds())
    assert right == pytest.approx(sum(shown.text == "yes" for shown in asked))
    assert sum(kind.items for kind in questions.kinds()) == 600


def test_many_kinds_are_told_of_the_largest_and_the_others():
    rows = [(f"word{kind} more", "a", "a" if k % 2 else "b") for kind in range(20) for k in range(40 - kind)]
    kinds = counted(rows).kinds()
    assert [kind.name for kind in kinds] == [*(f"word{kind} more" for kind in range(MOST - 1)), "others"]
    assert kinds[-1].items == sum(40 - kind for kind in range(MOST - 1, 20))
    assert sum(kind.items for kind in kinds) == len(rows)


def test_questions_that_are_all_different_are_no_kinds():
    assert counted((f"{k} a {k}", "a", "a") for k in np.arange(300)).lines() == []


def test_captions_have_no_kinds(tmp_path):
    questions = counted([(None, "a", "a")] * 5)
    questions.write(tmp_path / "questions.csv")
    assert questions.lines() == []
    assert not (tmp_path / "questions.csv").exists()


def test_case_and_marks_around_words_make_no_kinds():
    kinds = counted([("What colour?", "A", "a"), ("¿what colour is it?", "a", "a"), ("is", "a", "a")], lowercase=True)
    assert [(kind.name, kind.items, kind.exact) for kind in kinds.kinds()] == [
        ("what colour", 1, 1.0), ("what colour is", 1, 1.0), ("is", 1, 1.0),
    ]  # fmt: skip


def test_the_table_says_what_the_lines_say(tmp_path):
    questions = counted([("is it?", "no", "no"), ("why not?", "no", "so"), ("is it?", "no", "yes")])
    questions.write(tmp_path / "questions.csv")
    assert (tmp_path / "questions.csv").read_text() == "question,items,exact\nis it,2,0.5000\nwhy not,1,0.0000\n"
    assert questions.lines() == ["is it     50.00% of 2 exactly right", "why not    0.00% of 1 exactly right"]
