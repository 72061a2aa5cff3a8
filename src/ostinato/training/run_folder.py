"""The folder of a run: what lies where, written so that a kill at any moment leaves it whole.

    config.yaml          every setting, resolved
    model.safetensors    the best weights so far
    tokenizer.json       the vocabulary; of two sides that of what is written, beside source-tokenizer.json
    metrics.jsonl        one line a measurement
    README.md            the model card
    state/               all that resuming needs: last.safetensors, tokens/, lock
    tensorboard/         the same measurements for TensorBoard, where it is installed
    schema.json          of labelled sequences: labels, channels, scaling
    report/              what the best weights reach: tables and pictures

A file is replaced whole or not at all; nothing is ever pickled.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ostinato._errors import RunError
from ostinato._files import replace_file, sync_folder
from ostinato._version import __version__
from ostinato.training.config import FORMAT, AnyRun, AnyRunT, Run, overlay, parse_yaml

METADATA_KEY = "ostinato"


class RunFolder:
    """Paths and files of one run. Nothing is read or written before a method is called.

    `base` says what kind of run it is, and what its settings are where `config.yaml` is silent.
    """

    def __init__(self, path: Path, base: AnyRun | None = None):
        self.path, self.base = Path(path), base or Run()
        self.kind = self.base.kind
        self.config = self.path / "config.yaml"
        self.model = self.path / "model.safetensors"
        self.tokenizer = self.path / "tokenizer.json"
        self.source_tokenizer = self.path / "source-tokenizer.json"
        self.metrics = self.path / "metrics.jsonl"
        self.card = self.path / "README.md"
        self.state = self.path / "state"
        self.last = self.state / "last.safetensors"
        self.tokens = self.state / "tokens"
        self.items = self.state / "items"
        self.tensorboard = self.path / "tensorboard"
        self.schema = self.path / "schema.json"
        self.report = self.path / "report"

    def is_run(self) -> bool:
        """Whether a run was begun here."""
        return self.config.is_file()

    def read_config(self) -> Any:
        """Return the settings of the run. Raises RunError when this is no run folder, or of another kind."""
        if not self.path.is_dir():
            raise RunError(
                str(self.path),
                "this is a file, and a run is a folder" if self.path.exists() else "there is no such run folder",
                "",
                f"`ostinato train {self.kind} …` makes one",
            )
        if not self.is_run():
            raise RunError(
                str(self.path),
                "this is no run folder, config.yaml is missing",
                "",
                "Name the folder a training made",
            )
        try:
            document = parse_yaml(str(self.config), self.config.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise RunError(
                str(self.config), f"damaged at byte {error.start}", "", "Restore the file or train anew"
            ) from None
        kind, written = document.get("kind"), document.get("format")
        if kind != self.kind:
            raise RunError(str(self.config), f"holds a run of kind {kind!r}", f"This command reads kind '{self.kind}'")
        if written != FORMAT:
            raise RunError(
                str(self.config),
                f"written in format {written!r} by ostinato {document.get('ostinato')}",
                f"This is ostinato {__version__}, which reads format {FORMAT}",
                "Install the version that wrote it",
            )
        return overlay(replace(self.base, out=self.path), str(self.config), document)

    def refuse_taken(self, overwrite: bool) -> None:
        """Raise RunError where a new run may not begin: a run is there, or something that is no run."""
        for place in (self.path, *self.path.parents):
            if place.exists() and not place.is_dir():
                raise RunError(str(place), "this is a file", "A run is a folder", "Name another with --out")
        if self.is_run() and not overwrite:
            raise RunError(
                str(self.path),
                "a run is already there",
                "",
                "Go on with it by --resume, begin anew by --overwrite, or name another folder with --out",
            )
        if self.path.is_dir() and not self.is_run() and any(self.path.iterdir()):
            raise RunError(str(self.path), "the folder holds files but no run", "", "Name another folder with --out")

    def is_busy(self) -> bool:
        """Whether a process trains into this folder now."""
        if not (self.state / "lock").is_file():
            return False
        with open(self.state / "lock", "rb") as file:
            return not _lock(file.fileno())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run so that no other process trains into it; a killed process lets go by itself."""
        self.state.mkdir(parents=True, exist_ok=True)
        with open(self.state / "lock", "ab") as file:
            if not _lock(file.fileno()):
                raise RunError(
                    str(self.path),
                    "another process trains into this folder",
                    "",
                    "Wait, or name another with --out",
                )
            yield

    @contextmanager
    def beginning(self, overwrite: bool) -> Iterator[RunFolder]:
        """Yield a hidden folder beside this one to prepare a run in; `settle` then makes it this run.

        Until then nothing of an earlier run is touched. On an error the hidden folder is removed.
        """
        self.refuse_taken(overwrite)
        staging = RunFolder(self.path.with_name(f".{self.path.name}.new"), self.base)
        with staging.locked():
            _clear(staging.path, keep=staging.state)
            _clear(staging.state, keep=staging.state / "lock")
            try:
                yield staging
            finally:
                if staging.path.exists():
                    shutil.rmtree(staging.path)

    def settle(self, staging: RunFolder, overwrite: bool) -> None:
        """Rename the prepared folder to this one; an earlier run gives way, foreign files in it stay."""
        self.refuse_taken(overwrite)
        if not self.is_run():
            os.replace(staging.path, self.path)
        else:
            old = RunFolder(self.path.with_name(f".{self.path.name}.old"), self.base)
            with self.locked():
                if old.path.exists():
                    shutil.rmtree(old.path)
                os.replace(self.path, old.path)
                os.replace(staging.path, self.path)
            parts = (old.config, old.model, old.tokenizer, old.metrics, old.card, old.state, old.tensorboard)
            own = {part.name for part in (*parts, old.schema, old.report, old.source_tokenizer)}
            for entry in old.path.iterdir():
                if entry.name not in own and not (self.path / entry.name).exists():
                    os.replace(entry, self.path / entry.name)
            shutil.rmtree(old.path)
        sync_folder(self.path.parent)

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Add one line to `metrics.jsonl`."""
        with open(self.metrics, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def cut_metrics(self, step: int) -> None:
        """Drop the lines of `metrics.jsonl` beyond `step`, and a line that a kill tore."""
        if not self.metrics.exists():
            return
        kept = []
        for line in self.metrics.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            if entry["step"] <= step:
                kept.append(line + "\n")
        write_text(self.metrics, "".join(kept))


def saved_settings(folder: Path, base: AnyRunT | None = None) -> AnyRunT | None:
    """Return the settings of the run in `folder`, read over `base`, or None where no run was begun."""
    parts = RunFolder(folder, base)
    return parts.read_config() if parts.is_run() else None


def write_text(path: Path, text: str) -> None:
    """Replace the file by `text`, whole or not at all."""
    replace_file(path, text.encode("utf-8"))


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], facts: dict[str, Any], kind: str = Run.kind) -> None:
    """Replace a safetensors file, whole or not at all; `facts` is kept as JSON in its header."""
    header = {"kind": kind, "format": FORMAT, "ostinato": __version__, **facts}
    # one metadata key: the order of several is not fixed, and equal runs should make equal files
    replace_file(path, save(_unshared(tensors), {METADATA_KEY: json.dumps(header)}))


def read_tensors(
    path: Path, device: str = "cpu", kind: str = Run.kind
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the tensors and facts that `write_tensors` wrote. Raises RunError naming what is wrong."""
    advice = "Restore the file from a copy, or train anew with --overwrite"
    if not path.is_file():
        raise RunError(str(path), "the file is missing", "", advice)
    try:
        with safe_open(path, framework="pt", device=device) as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise RunError(
            str(path), f"damaged, or not a safetensors file ({error})", "It is written by a training", advice
        ) from None
    try:
        facts = json.loads(metadata[METADATA_KEY])
    except (KeyError, json.JSONDecodeError):
        raise RunError(str(path), "these weights were not written by Ostinato", "", advice) from None
    if facts.get("kind") != kind:
        raise RunError(str(path), f"weights of kind {facts.get('kind')!r}", f"A '{kind}' is needed", advice)
    if facts.get("format") != FORMAT:
        raise RunError(
            str(path),
            f"written in format {facts.get('format')!r} by ostinato {facts.get('ostinato')}",
            f"This is ostinato {__version__}, which reads format {FORMAT}",
            "Install the version that wrote it",
        )
    return tensors, facts


def load_weights(path: Path, model: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    """Copy `tensors` into `model`. Raises RunError naming a tensor missing, extra or of another size."""
    expected = model.state_dict()
    advice = "The file and config.yaml belong to different runs; restore the one that was changed"
    for name, tensor in expected.items():
        if name not in tensors:
            raise RunError(str(path), f"tensor '{name}' is missing", "", advice)
        if tensors[name].shape != tensor.shape:
            sizes = f"{list(tensors[name].shape)}, the model's is {list(tensor.shape)}"
            raise RunError(str(path), f"tensor '{name}' is {sizes}", "", advice)
    extra = sorted(set(tensors) - set(expected))
    if extra:
        raise RunError(str(path), f"tensor '{extra[0]}' is not in the model", "", advice)
    model.load_state_dict(tensors)


def best_tensors(parts: RunFolder) -> dict[str, torch.Tensor]:
    """Return the best weights of a run. Raises RunError where there are none yet."""
    if not parts.model.exists():
        raise RunError(
            str(parts.path),
            "the run has no model yet, it is written at the first validation",
            "",
            f"Go on with it: ostinato train {parts.kind} --out {shlex.quote(str(parts.path))} --resume",
        )
    return read_tensors(parts.model, kind=parts.kind)[0]


def load_best(parts: RunFolder, model: torch.nn.Module) -> None:
    """Copy the best weights of a run into `model`. Raises RunError where there are none yet, or they do not fit."""
    load_weights(parts.model, model, best_tensors(parts))


def _unshared(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return plain copies where two names share memory (tied weights), which the format refuses."""
    seen: set[int] = set()
    plain = {}
    for name, tensor in tensors.items():
        address = tensor.untyped_storage().data_ptr()
        whole = tensor.is_contiguous() and tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes()
        plain[name] = tensor.detach() if whole and address not in seen else tensor.detach().clone().contiguous()
        seen.add(address)
    return plain


def _clear(folder: Path, keep: Path) -> None:
    for entry in folder.iterdir():
        if entry == keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _lock(handle: int) -> bool:
    """Take the operating system's own lock, which ends with the process however it ends."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # pyright: ignore[reportAttributeAccessIssue]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
