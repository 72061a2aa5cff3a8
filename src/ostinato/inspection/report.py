"""`inspect`: looks inside the model of a run, and writes a page, pictures and numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

from ostinato import diagnostics
from ostinato._errors import ConfigError
from ostinato._files import alone_in, replace_file
from ostinato._version import __version__
from ostinato.diagnostics.tracks import Annotation
from ostinato.inspection import flow, gates, motion, response, spectra, unfolding, units
from ostinato.inspection.page import page
from ostinato.inspection.section import Section
from ostinato.inspection.subject import ROWS, STEPS, Subject, open_subject
from ostinato.training.task import engines

SECTIONS: dict[str, Callable[[Subject], Section]] = {
    "gradient flow": flow.section,
    "spectra": spectra.section,
    "state response": response.section,
    "gates and saturation": gates.section,
    "units": units.section,
    "state in motion": motion.section,
    "unfolding": unfolding.section,
}
"""What a report says, in order."""
LEFT_OUT = "Not measured of this model"


def inspect(
    run: str | Path,
    *,
    text: str | None = None,
    data: str | Path | None = None,
    annotations: Mapping[str, Annotation] | None = None,
    out: str | Path | None = None,
    steps: int = STEPS,
    rows: int = ROWS,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> Path:
    """Look inside the model of a run and return the page that says what was found.

    text, data   what the model reads: a text, or a file; what the run kept to validate where neither is given.
    annotations  what units of a language model may follow: by name, one number for each symbol that is read, or a
                 function of the text to one for each character.
    out          folder of the page, with each picture and the numbers as JSON (default: `inspect` in the run).
    steps, rows  the windows that are read.
    progress     is told how many sections are done, of how many, and which comes next.

    The page is written last. A section whose measurement cannot be taken of this model says so there. Raises RunError,
    DataError or ConfigError for what cannot be opened or read, and for weights that are not finite.
    """
    file = None if data is None else Path(data)
    subject = open_subject(Path(run), text=text, data=file, annotations=annotations, steps=steps, rows=rows)
    folder = _made(Path(run) / "inspect" if out is None else Path(out))
    sections = []
    for done, name in enumerate(SECTIONS):
        progress(done, len(SECTIONS), name)
        sections.append(_section(name, subject))
    progress(len(SECTIONS), len(SECTIONS), "")
    with alone_in(folder):
        return _written(folder, subject, sections)


def _made(folder: Path) -> Path:
    """Make the folder of the page before anything is measured: that takes long."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        possible = "A page and its pictures lie in a folder"
        raise ConfigError("out", f"'{folder}' is a file, or lies below one", possible, "Name another") from None
    return folder


def _section(name: str, subject: Subject) -> Section:
    """Return a section; where its measurement cannot be taken of this model, one that says why."""
    try:
        return SECTIONS[name](subject)
    except ConfigError as error:
        if error.where not in diagnostics.__all__:
            raise
        reason = f"{LEFT_OUT}: {error}"
        said = f"<p>{escape(reason)}</p>"
        return Section(name.capitalize(), "", markup=said, data={"left_out": str(error)}, summary=f"{LEFT_OUT}.")


def _written(folder: Path, subject: Subject, sections: list[Section]) -> Path:
    for section in sections:
        numbers = json.dumps(section.data, ensure_ascii=False, indent=1, allow_nan=False)
        replace_file(folder / f"{section.anchor}.json", numbers.encode())
        for picture in section.pictures:
            kind, content = ("svg", picture.svg.encode()) if picture.png is None else ("png", picture.png)
            replace_file(folder / f"{picture.name}.{kind}", content)
    measured = [
        f"In training and use the layers run on: {engines(subject.model)}. Such loops keep nothing of what happens "
        "inside, so everything here was measured step by step, on the eager engine, to the same numbers.",
        f"Beside this page lie each picture and, as JSON, all numbers. Made by Ostinato {__version__}.",
    ]
    about = f"{_kind(subject)}. Read here: {subject.read}."
    made = folder / "index.html"
    replace_file(made, page(f"Inside {subject.name}", about, sections, measured).encode())
    return made


def _kind(subject: Subject) -> str:
    kind = subject.kind.replace("-", " ")
    return f"{'An' if kind[0] in 'aeiou' else 'A'} {kind}"
