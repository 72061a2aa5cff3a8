"""Settings: defaults, YAML files, recipes, flags, and what is said of a wrong one."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from ostinato import ConfigError, DataError
from ostinato.training import config
from ostinato.training.config import (
    BalancingRun,
    CaptionerRun,
    ClassifierRun,
    ForecasterRun,
    ReservoirRun,
    Run,
    TaggerRun,
    TaskRun,
    Training,
    TranscriberRun,
    TranslatorRun,
    learning,
    overlay,
    override,
    parse_yaml,
    sections,
    to_yaml,
)

LABELLED = (ClassifierRun, TaggerRun, ForecasterRun, TranscriberRun, TranslatorRun, CaptionerRun)
KINDS = {kind.kind: kind for kind in (Run, TaskRun, ReservoirRun, BalancingRun, *LABELLED)}


def read(text: str) -> Run:
    return overlay(Run(), "lm.yaml", parse_yaml("lm.yaml", text))


def message(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


def test_an_unknown_key_is_named_with_its_place_and_the_nearest_one():
    assert message("training: {clip_nrom: 3}") == (
        "lm.yaml [training]: unknown key 'clip_nrom'. Did you mean 'clip_norm'?"
    )


def test_an_unknown_section_is_named_with_the_nearest_one():
    assert message("trainin: {clip_norm: 3}") == "lm.yaml: unknown section 'trainin'. Did you mean 'training'?"


def test_a_choice_that_is_none_is_answered_with_the_choices():
    assert "It is one of cosine, constant, linear, inverse-sqrt, step, plateau. Did you mean 'linear'?" in message(
        "training: {schedule: lineer}"
    )


def test_text_where_a_number_is_needed_is_refused():
    assert message("training: {k1: many}") == "lm.yaml [training]: k1 is 'many'. It is a whole number."


def test_a_pair_and_names_with_numbers_are_described_where_something_else_was_given():
    assert "betas is 0.9. It is two numbers or null" in message("training: {betas: 0.9}")
    assert "rates is 3. It is names and numbers" in message("training: {rates: 3}")


def test_a_pair_of_numbers_is_written_and_read_back():
    run = read("training: {betas: [0.8, 0.9]}")
    assert read(to_yaml(run, "1")).training.betas == (0.8, 0.9)


def test_a_section_that_is_no_mapping_is_refused():
    assert "lm.yaml [training]: holds 4" in message("training: 4")


def test_a_document_that_is_no_mapping_is_refused():
    assert "lm.yaml: holds list" in message("- 3")


def test_broken_yaml_is_refused_with_its_line():
    assert message("training:\n  k1: [3\n").startswith("lm.yaml, line 3")


def test_yaml_cannot_make_python_objects():
    assert "lm.yaml, line 1" in message("training: !!python/object/apply:os.getcwd []")


def test_a_number_in_scientific_notation_is_a_number():
    assert read("training: {learning_rate: 1e-3}").training.learning_rate == 1e-3


def test_a_fraction_for_validation_may_be_written_as_a_number():
    assert read("data: {validation: 0.2}").data.validation == "0.2"


def test_null_gives_the_default_back():
    assert read("training: {clip_norm: null}").training.clip_norm is None


def test_an_empty_file_changes_nothing():
    assert read("") == Run()


def test_flat_settings_find_their_section():
    run = override(Run(), "here", {"hidden_size": 8, "epochs": 3, "tokens": "byte"})
    assert (run.model.hidden_size, run.training.epochs, run.data.tokens) == (8, 3.0, "byte")


def test_an_unknown_flat_setting_suggests_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown setting 'hiden_size'. Did you mean 'hidden_size'"):
        override(Run(), "here", {"hiden_size": 8})


@pytest.mark.parametrize("kind", KINDS.values())
def test_every_setting_has_a_name_of_its_own(kind):
    inside = [f.name for section in sections(kind).values() for f in fields(section)]
    names = inside + [f.name for f in fields(kind) if f.name not in sections(kind)]
    assert len(names) == len(set(names))


def test_what_is_written_is_read_back_the_same():
    run = replace(read("model: {cell: gru, dropout: 0.3}\ntraining: {steps: 7}"), out=Path("runs/x"))
    run = replace(run, data=replace(run.data, file=Path("a/b.txt")))
    again = overlay(Run(out=Path("runs/x")), "config.yaml", parse_yaml("config.yaml", to_yaml(run, "0")))
    assert again == run


def test_equations_of_several_lines_are_written_as_lines_and_read_back():
    text = "f = sigmoid(W @ x + U @ h)\nh' = f * h + (1 - f) * tanh(V @ x)\n"
    run = override(Run(), "here", {"cell": text})
    written = to_yaml(run, "0")
    assert "cell: |" in written
    assert overlay(Run(), "config.yaml", parse_yaml("config.yaml", written)).model.cell == text


def test_a_file_of_equations_is_replaced_by_its_text(tmp_path):
    (tmp_path / "my.eq").write_text("h' = tanh(W @ x + U @ h + b)\n")
    run = config.with_cell_text(override(Run(), "here", {"cell": str(tmp_path / "my.eq")}))
    assert run.model.cell == "h' = tanh(W @ x + U @ h + b)\n"


def test_a_missing_file_of_equations_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.eq: there is no such file"):
        config.cell_text(str(tmp_path / "none.eq"))


def test_an_unknown_recipe_suggests_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'tinyshakespeare'"):
        config.starting_point("tinyshakespear", None)


def test_a_file_goes_over_a_recipe(tmp_path):
    (tmp_path / "my.yaml").write_text("training: {epochs: 1}\n")
    run = config.starting_point("tinyshakespeare", tmp_path / "my.yaml")
    assert (run.training.epochs, run.model.hidden_size) == (1.0, 256)


def test_a_missing_settings_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: there is no such file"):
        config.starting_point(None, tmp_path / "none.yaml")


@pytest.mark.parametrize("recipe", config.recipes())
def test_every_recipe_is_read_and_begins_with_a_line_that_says_what_it_is(recipe):
    config.starting_point(recipe, None, KINDS[config.recipe_document(recipe)["kind"]]())
    assert config.recipe_text(recipe).startswith("# ")


def test_the_defaults_are_settings_a_run_may_have():
    assert Training().gradient == "truncated"


def test_the_help_names_the_defaults_that_are_worked_out_later():
    source = Path(learning.__file__).read_text()
    assert f"(default: {config.DEFAULT_EPOCHS}, but at most {config.DEFAULT_SYMBOLS:,} symbols)" in source


def test_a_control_goes_over_its_recipe():
    recipe = config.starting_point("irnn-adding", None, TaskRun())
    control = config.starting_point("irnn-adding", None, TaskRun(), control=True)
    assert (recipe.model.cell, control.model.cell) == ("irnn", "elman")
    assert control.training == recipe.training


def test_a_recipe_without_a_control_says_so():
    with pytest.raises(ConfigError, match="recipe tinyshakespeare has none"):
        config.starting_point("tinyshakespeare", None, control=True)
