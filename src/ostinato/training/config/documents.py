"""Settings as documents: YAML and flat names into sections, checked by type, and back."""

from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml

from ostinato._errors import ConfigError, did_you_mean
from ostinato.training.config.runs import AnyRun, AnyRunT

FORMAT = 1
HEADER = ("kind", "format", "ostinato", "published", "control")
"""What a document holds beside settings; `recipes` says what the last two are."""


def sections(run: AnyRun | type[AnyRun]) -> dict[str, type]:
    """Return the sections of a run's settings: name → class."""
    kinds = get_type_hints(run if isinstance(run, type) else type(run))
    return {f.name: kinds[f.name] for f in fields(run) if is_dataclass(kinds[f.name])}


def override(run: AnyRunT, source: str, settings: dict[str, Any]) -> AnyRunT:
    """Return `run` with flat `settings` (name → value) over it; `source` is named in errors.

    >>> from ostinato.training.config import Run
    >>> override(Run(), "example", {"hidden_size": 8}).model.hidden_size
    8
    """
    homes = {f.name: section for section, kind in sections(run).items() for f in fields(kind)}
    nested: dict[str, dict] = {}
    for name, value in settings.items():
        if name not in homes:
            raise unknown(source, "setting", name, homes)
        nested.setdefault(homes[name], {})[name] = value
    return overlay(run, source, nested)


def overlay(run: AnyRunT, source: str, document: dict[str, Any]) -> AnyRunT:
    """Return `run` with the sections of a YAML document over it. Raises ConfigError."""
    known = sections(run)
    for name, values in document.items():
        if name in HEADER:
            continue
        if name not in known:
            raise unknown(source, "section", name, known)
        where = f"{source} [{name}]"
        if not isinstance(values, dict):
            raise ConfigError(where, f"holds {values!r}", "It is a list of `key: value` lines")
        converted = _convert(where, known[name], values)
        run = replace(run, **{name: replace(getattr(run, name), **converted)})
    return run


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings as a plain dictionary. Raises ConfigError naming line and column."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(str(path), "there is no such file", "It is a YAML file of settings") from None
    except IsADirectoryError:
        raise ConfigError(str(path), "this is a directory", "It is a YAML file of settings") from None
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), f"byte {error.start} is not UTF-8", "It is a YAML file of settings") from None
    return parse_yaml(str(path), text)


def parse_yaml(source: str, text: str) -> dict[str, Any]:
    """Parse YAML settings; `source` is named in errors. Raises ConfigError."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}, line {mark.line + 1}, column {mark.column + 1}" if mark else source
        problem = getattr(error, "problem", None) or "this is not YAML"
        raise ConfigError(where, str(problem), "It is YAML, as in `training:` and `  epochs: 3` below it") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(
            source,
            f"holds {type(document).__name__}",
            "It holds sections (model:, training:, …), each with settings",
        )
    return document


def to_yaml(run: AnyRun, version: str) -> str:
    """Return the whole of `run` as the text of `config.yaml`."""
    document: dict[str, Any] = {"kind": run.kind, "format": FORMAT, "ostinato": version}
    for section in sections(run):
        values = asdict(getattr(run, section))
        document[section] = {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines (equations) as blocks a person can read."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _convert(where: str, section: type, values: dict[str, Any]) -> dict[str, Any]:
    kinds = get_type_hints(section)
    converted = {}
    for name, value in values.items():
        if name not in kinds:
            raise unknown(where, "key", name, kinds)
        kind = kinds[name]
        if kind is str and isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        try:
            converted[name] = msgspec.convert(value, kind, strict=False, dec_hook=_read_path)
        except msgspec.ValidationError:
            choices = _choices(kind)
            near = did_you_mean(str(value), map(str, choices)) if choices else ""
            raise ConfigError(where, f"{name} is {value!r}", f"It is {_in_words(kind)}", near) from None
    return converted


def _read_path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, (str, Path)):
        return Path(value)
    raise msgspec.ValidationError("not a path")


def _choices(kind: Any) -> tuple[str, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _in_words(kind: Any) -> str:
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_in_words(part) for part in get_args(kind))
    names = {
        bool: "true or false",
        float: "a number",
        int: "a whole number",
        str: "text",
        Path: "a path",
        type(None): "null",
        tuple[str, ...]: "a list of texts",
        tuple[float, float]: "two numbers",
        dict[str, float]: "names and numbers",
    }
    return "one of " + ", ".join(map(str, _choices(kind))) if _choices(kind) else names[kind]


def unknown(where: str, what: str, name: Any, known: Iterable[str]) -> ConfigError:
    """Return the error for a name that is none of `known`, with the nearest of them."""
    near = did_you_mean(str(name), known)
    return ConfigError(where, f"unknown {what} '{name}'", near or f"Known: {', '.join(known)}")
