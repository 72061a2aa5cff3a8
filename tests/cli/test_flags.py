"""Errors name flags where flags were typed: which there are is compared with what --help says."""

import re
from dataclasses import replace
from importlib import import_module

import pytest

from ostinato import ConfigError, train_translator
from ostinato.cli.flags import as_typed, flags_of
from ostinato.cli.main import COMMANDS
from ostinato.cli.settings import read_settings
from ostinato.training.config import Run

TYPED = {name: module for name, (module, _) in COMMANDS.items() if name not in ("doctor", "recipes", "explain")}


@pytest.mark.parametrize("name", TYPED)
def test_flags_are_those_that_help_shows(main, name):
    alike = [other for other in TYPED if TYPED[other] == TYPED[name]]  # both kinds of studies are one module
    out = "".join(main(*other.split(), "--help")[1] for other in alike)
    shown = {shown for flag in re.findall(r"--[a-z][a-z0-9-]*", out) for shown in (flag, flag.replace("--no-", "--"))}
    flags = set(flags_of(import_module(f"ostinato.cli.{TYPED[name]}")).values())
    assert flags
    assert flags <= shown


@pytest.fixture
def translating():
    return import_module("ostinato.cli.train_translator")


def test_settings_between_backticks_are_flags_and_other_words_stay(translating):
    error = ConfigError("max_length", "`min_length` is 3, `coverage=True`", "`record(state)`", "Use `attention='dot'`")
    assert str(as_typed(error, translating)) == (
        "--max-length: --min-length is 3, --coverage True. `record(state)`. Use --attention dot."
    )


@pytest.mark.parametrize("where", ["file", "train.tsv, line 3", "input_size"])
def test_what_is_no_flag_keeps_its_name(translating, where):
    assert as_typed(ConfigError(where, "it"), translating).where == where


@pytest.mark.parametrize(
    ("flags", "typed", "called"),
    [
        (["--max-length", "0", "--min-length", "3"], "--max-length: 0. Possible: a whole number from 3. --min-length",
         "max_length: 0. Possible: a whole number from 3. `min_length`"),
        (["--embedding-size", "0"], "--embedding-size: 0 was given", "embedding_size: 0 was given"),
        (["--embedding-size", "-1"], "--embedding-size: -1 was given", "embedding_size: -1 was given"),
        (["--decoder-size", "0"], "--decoder-size", "decoder_size"),
        (["--attention", "none", "--input-feeding"], "--input-feeding: without attention. It needs attention. Use "
         "--attention general", "input_feeding: without attention. It needs attention. Use `attention='general'`"),
        (["--attend", "before", "--input-feeding"], "--input-feeding: with --attend before",
         "input_feeding: with `attend='before'`"),
        (["--attention", "none", "--coverage-penalty", "0.5"], "--coverage-penalty: 0.5 with --attention none",
         "coverage_penalty: 0.5 with `attention='none'`"),
        (["--groups", "3", "--beam", "5"], "--groups: 3", "groups: 3"),
        (["--least", "0"], "--least", "least"),
    ],
)  # fmt: skip
def test_the_command_line_names_flags_and_python_parameters(main, folder, flags, typed, called):
    code, _, err = main("train", "translator", "generated:addition", *flags)
    assert (code, err.startswith("ostinato: --")) == (2, True)
    assert typed in err
    names = {flag[2:].replace("-", "_") for flag in flags if flag.startswith("--")}
    values = dict(zip(flags, [*flags[1:], ""], strict=True))
    given = {name: _value(values[f"--{name.replace('_', '-')}"]) for name in names}
    with pytest.raises(ConfigError, match=re.escape(called)):
        train_translator("generated:addition", out=folder / "run", progress=False, **given)


def _value(text):
    if not text or text.startswith("--"):
        return True
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("base", [Run(), replace(Run(), training=replace(Run().training, gradient_horizon=False))])
def test_a_switch_is_turned_on_and_off_wherever_it_stands_before(base, is_on):
    flag = "--gradient-horizon" if is_on else "--no-gradient-horizon"
    assert read_settings(base, ["book.txt", flag], "ostinato", "").training.gradient_horizon is is_on
