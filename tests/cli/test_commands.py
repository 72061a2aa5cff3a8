"""Each command beside training, called in this process."""

import pytest
from command_line import SMALL

from ostinato import CATALOGUE


def test_cells_lists_the_catalogue(main):
    code, out, _ = main("cells")
    assert code == 0
    assert [name for name in CATALOGUE if f"\n{name} " not in "\n" + out] == []


def test_cells_prints_equations_when_asked(main):
    assert "h' = o * tanh(c')" in main("cells", "--equations")[1]


def test_explain_reads_a_name_a_file_and_equations(main, folder):
    equations = "h' = tanh(W @ x + U @ h + b)"
    (folder / "my.eq").write_text(equations + "\n")
    assert "weight_ih" in main("explain", "lstm", "--hidden-size", "32")[1]
    inline, from_file = (main("explain", text) for text in (equations, "my.eq"))
    assert inline[0] == from_file[0] == 0
    assert inline[1] == from_file[1]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("lstn", "Did you mean 'lstm'?"),
        ("h' = tanh(W @ x", "line 1, column"),
        ("none.eq", "there is no such file"),
    ],
)
def test_explain_says_what_is_wrong_with_a_cell(main, typed, said):
    code, _, err = main("explain", typed)
    assert code == 2
    assert said in err


def test_explain_refuses_sizes_below_one(main):
    assert main("explain", "lstm", "--hidden-size", "0")[0] == 2


def test_doctor_finds_the_engines_in_agreement(main):
    code, out, _ = main("doctor")
    assert code == 0
    assert "All is well." in out


def test_recipes_are_listed_and_printed(main):
    assert "tinyshakespeare" in main("recipes")[1]
    assert "hidden_size:" in main("recipes", "tinyshakespeare")[1]
    assert "Did you mean 'tinyshakespeare'?" in main("recipes", "tinyshakespear")[2]


def test_the_folder_named_at_the_end_can_be_typed_as_it_is_printed(main):
    _, out, _ = main("train", "language-model", "book.txt", *SMALL, "--out", "runs/my book")
    assert out.endswith("ostinato generate 'runs/my book'\n")


def test_a_file_is_evaluated_by_the_column_that_is_named(main, folder):
    main("train", "language-model", "book.txt", *SMALL)
    (folder / "rows.jsonl").write_text('{"body": "the time traveller"}\n')
    assert "Name one with --column" in main("evaluate", "runs/book", "rows.jsonl")[2]
    assert "symbols           18" in main("evaluate", "runs/book", "rows.jsonl", "--column", "body")[1]


def test_sampling_flags_are_checked(main):
    main("train", "language-model", "book.txt", *SMALL)
    code, _, err = main("generate", "runs/book", "--temperature", "0")
    assert code == 2
    assert "temperature" in err


def test_a_stop_ends_the_text_and_a_seed_repeats_it(main):
    main("train", "language-model", "book.txt", *SMALL)
    _, whole, _ = main("generate", "runs/book", "--length", "80", "--seed", "1")
    _, again, _ = main("generate", "runs/book", "--length", "80", "--seed", "1")
    stop = whole[30:32]
    _, cut, _ = main("generate", "runs/book", "--length", "80", "--seed", "1", "--stop", stop)
    assert whole == again
    assert cut == whole[: whole.index(stop)] + "\n"


def test_greedy_text_needs_no_seed(main):
    main("train", "language-model", "book.txt", *SMALL)
    texts = [main("generate", "runs/book", "--length", "30", "--greedy")[1] for _ in range(2)]
    assert texts[0] == texts[1]
