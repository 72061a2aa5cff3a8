"""Each command beside training, called in this process."""

import pytest
from command_line import SMALL

from ostinato import CATALOGUE, CellInfo
from ostinato.cells.catalogue import FAMILIES


def test_cells_lists_the_catalogue(main):
    code, out, _ = main("cells")
    assert code == 0
    assert [name for name in CATALOGUE if f"\n{name} " not in "\n" + out] == []


def test_cells_prints_equations_when_asked(main):
    assert "h' = o * tanh(c')" in main("cells", "--equations")[1]


def test_cells_says_what_each_family_is(main):
    out = main("cells")[1]
    assert [family.__doc__ for family in FAMILIES if family.CELLS and family.__doc__ not in " ".join(out.split())] == []


def test_cells_says_how_large_a_cell_is_and_how_its_states_meet(main):
    lstm = next(line for line in main("cells", "--hidden-size", "64")[1].splitlines() if line.startswith("lstm "))
    assert lstm.split()[:7] == ["lstm", "49,664", "h,", "c", "4", "+", "4"]


def test_cells_of_one_family_or_by_name(main):
    assert {info.family for info in listed(main("cells", "gated")[1])} == {"gated"}
    assert [info.name for info in listed(main("cells", "gru", "elman")[1])] == ["elman", "gru"]


def listed(out: str) -> list[CellInfo]:
    return [CATALOGUE[first] for first in (line.split(" ")[0] for line in out.splitlines()) if first in CATALOGUE]


@pytest.mark.parametrize(("typed", "meant"), [("gatd", "gated"), ("lstn", "lstm")])
def test_a_family_or_cell_that_does_not_exist_suggests_the_nearest(main, typed, meant):
    code, out, err = main("cells", typed)
    assert (code, out) == (2, "")
    assert f"Did you mean '{meant}'?" in err


def test_a_size_below_one_is_refused(main):
    code, _, err = main("cells", "--hidden-size", "0")
    assert code == 2
    assert "A size is at least 1" in err


@pytest.mark.parametrize("columns", [24, 40, 80, 132])
def test_cells_keeps_sentences_within_the_terminal(main, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    sentences = [line for line in main("cells")[1].splitlines() if line.startswith("    ") or columns == 132]
    assert [line for line in sentences if len(line) > columns] == []


def test_a_pipe_gets_each_cell_on_one_line(main, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    out = main("cells")[1]
    for info in listed(out):
        assert any(line.startswith(f"{info.name} ") and line.endswith(info.summary) for line in out.splitlines())


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


def test_explain_draws_a_cell_into_a_file(main, folder):
    assert main("explain", "gru", "--svg", "gru.svg", "--input-size", "3")[0] == 0
    picture = (folder / "gru.svg").read_text()
    assert picture.startswith("<svg")
    assert 'data-name="W_z"' in picture
    assert "D = 3, H = 128" in picture


def test_explain_says_where_a_drawing_cannot_be_written(main):
    code, _, err = main("explain", "gru", "--svg", "nowhere/gru.svg")
    assert code == 1
    assert "nowhere" in err


@pytest.mark.parametrize("folder_name", ["", ".", "/"])
def test_explain_draws_into_no_folder(main, folder_name):
    code, out, err = main("explain", "gru", "--svg", folder_name)
    assert (code, out) == (2, "")
    assert f"--svg: '{folder_name or '.'}' is a folder" in err


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
