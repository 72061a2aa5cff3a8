"""The page: one HTML file that needs no network, readable in light and dark, by keyboard and on paper."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ostinato.equations.unfolding import ink
from ostinato.inspection import drawing
from ostinato.inspection.section import Picture, Section

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1d2127; --quiet: #5b626c; --line: #d8dce2; --mark: #1f6fb2; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 54rem; padding: 1.5rem 1rem 4rem; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.25rem; margin: 2.6rem 0 .4rem; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
nav h2 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
nav ul { padding: 0; margin: 0; list-style: none; border-top: 1px solid var(--line); }
nav li { display: grid; grid-template-columns: 12rem 1fr; column-gap: 1rem; padding: .4rem 0;
  border-bottom: 1px solid var(--line); }
p { margin: .4rem 0 .8rem; } .quiet, figcaption, .question { color: var(--quiet); }
footer { margin-top: 3rem; padding-top: .5rem; border-top: 1px solid var(--line); font-size: .92rem; }
a { color: var(--mark); }
:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
figure { margin: 1rem 0 1.6rem; overflow-x: auto; } figure svg { width: 100%; height: auto; color: var(--ink); }
.wide, .table { overflow-x: auto; } table { border-collapse: collapse; font-size: .92rem; margin-bottom: .8rem; }
th, td { text-align: left; padding: .2rem 1rem .2rem 0; }
tbody tr { border-top: 1px solid var(--line); } tbody th { font-weight: normal; }
select, .name { font: inherit; max-width: 100%; }
.read { white-space: pre-wrap; overflow-wrap: anywhere; font: 14px/1.7 ui-monospace, monospace; max-height: 26rem;
  overflow-y: auto; border: 1px solid var(--line); padding: .5rem; } .read .at { outline: 2px solid var(--ink); }
.read:focus-visible { outline-offset: -2px; } .read b { color: var(--quiet); }
.read div:not(:only-child) { padding-left: 1.5em; text-indent: -1.5em; }
.next { min-height: 3.2em; white-space: pre-wrap; }
.controls:not([hidden]) { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; } .controls label { max-width: 100%; }
figcaption { border-left: 3px solid var(--line); padding-left: .8rem; position: sticky; left: 0; }
@media (max-width: 40rem) { nav li, nav a { display: block; } figure > svg { width: auto; min-width: 35rem; } }
@media print {
  body { max-width: none; padding: 0; } h2, .question { break-after: avoid; }
  figure { break-inside: avoid; overflow: visible; }
  .read { max-height: none; } .read span { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .controls, .next { display: none !important; }
}
"""

MOVED = """
const moved = () => document.querySelectorAll("figure, .wide, .table").forEach((each) =>
  each.scrollWidth > each.clientWidth + 1 ? (each.tabIndex = 0) : each.removeAttribute("tabindex"));
addEventListener("resize", moved);
moved();
"""
"""What is wider than the screen takes the focus, so that the arrow keys move it."""
SMALLEST = 0.8
"""Of its own size, how small a wide picture becomes."""


DARK = drawing.DARK | ink.DARK
"""Each colour of a picture, and what it becomes on dark ground."""
GROUND = "--ground: #14171b; --ink: #e6e9ed; --quiet: #a0a8b2; --line: #333a43; --mark: #7db8ee;"


def page(title: str, about: str, sections: Sequence[Section], measured: Sequence[str]) -> str:
    """Return the HTML of a report.

    about      says what was inspected, and on what.
    sections   each stands in the list at the top, with its summary.
    measured   stands at the end, line by line: how it was done.
    """
    found = "".join(map(_entry, sections))
    how = "".join(f"<p>{escape(line)}</p>" for line in measured)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f'<link rel="icon" href="data:,">\n<style>{STYLE}{_colours()}</style>\n</head>\n<body>\n'
        f'<header>\n<h1>{escape(title)}</h1>\n<p class="quiet">{escape(about)}</p>\n'
        f'<nav aria-labelledby="in-short"><h2 id="in-short">In short</h2>\n<ul>{found}</ul></nav>\n</header>\n<main>\n'
        + "\n".join(map(_section, sections))
        + f'\n</main>\n<footer class="quiet"><h2>How this was measured</h2>\n{how}</footer>\n'
        f"<script>{MOVED}</script>\n</body>\n</html>\n"
    )


def _colours() -> str:
    """Return the colours of pictures as properties of the page, in light and, on a screen that wants it, in dark."""
    light = " ".join(f"{_name(colour)}: {colour};" for colour in DARK)
    dark = " ".join(f"{_name(colour)}: {twin};" for colour, twin in DARK.items())
    return f":root {{ {light}}}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {GROUND} {dark}}} }}\n"


def _name(colour: str) -> str:
    return f"--{colour.removeprefix('#')}"


def _entry(section: Section) -> str:
    link = f'<a href="#{section.anchor}">{escape(section.title)}</a>'
    return f"<li>{link}<span>{escape(section.summary)}</span></li>\n"


def _section(section: Section) -> str:
    return (
        f'<section id="{section.anchor}" aria-labelledby="{section.anchor}-title">\n'
        f'<h2 id="{section.anchor}-title">{escape(section.title)}</h2>\n'
        f'<p class="question">{escape(section.question)}</p>\n'
        + "\n".join(map(_figure, section.pictures))
        + section.markup
        + "\n</section>"
    )


def _figure(picture: Picture) -> str:
    alt = escape(picture.alt)
    svg = picture.svg.replace("<svg", f'<svg role="img" aria-label="{alt}"', 1)
    for colour in DARK:
        svg = svg.replace(colour, f"var({_name(colour)})")
    if picture.is_wide:
        width = int(svg.partition(' width="')[2].partition('"')[0])
        svg = svg.replace("<svg", f'<svg style="max-width: {width}px; min-width: {SMALLEST * width:.0f}px"', 1)
        svg = f'<div class="wide">\n{svg}\n</div>'
    return f"<figure>\n{svg}\n<figcaption>{escape(picture.caption)}</figcaption>\n</figure>"
