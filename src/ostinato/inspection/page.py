"""The page: one HTML file that needs no network, readable in light and dark, by keyboard and on paper."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ostinato.inspection.section import Picture, Section

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1d2127; --quiet: #5b626c; --line: #d8dce2; --mark: #1f6fb2; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171b; --ink: #e6e9ed; --quiet: #a0a8b2; --line: #333a43; --mark: #7db8ee; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 54rem; padding: 1.5rem 1rem 4rem; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.25rem; margin: 2.6rem 0 .4rem; }
p { margin: .4rem 0 .8rem; } .quiet, figcaption, .question { color: var(--quiet); }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; list-style: none; padding: 0; margin: 1rem 0; }
a { color: var(--mark); } a:focus-visible, button:focus-visible, summary:focus-visible, input:focus-visible
  { outline: 2px solid var(--mark); outline-offset: 2px; }
figure { margin: 1rem 0 1.6rem; } figure svg { width: 100%; height: auto; color: var(--ink); }
.wide { overflow-x: auto; }
.wide:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
.table { overflow-x: auto; } table { border-collapse: collapse; font-size: .92rem; }
th, td { text-align: left; padding: .2rem 1rem .2rem 0; }
tbody tr { border-top: 1px solid var(--line); } tbody th { font-weight: normal; }
select { font: inherit; max-width: 100%; }
.read { white-space: pre-wrap; overflow-wrap: anywhere; font: 14px/1.7 ui-monospace, monospace; max-height: 26rem;
  overflow-y: auto; border: 1px solid var(--line); padding: .5rem; } .read .at { outline: 2px solid var(--ink); }
.read:focus-visible, select:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
#read-next { min-height: 3.2em; white-space: pre-wrap; }
figcaption { border-left: 3px solid var(--line); padding-left: .8rem; }
@media print { nav { display: none; } body { max-width: none; } section { break-inside: avoid; } }
"""

SMALLEST = 0.8
"""Of its own size, how small a wide picture becomes."""


def page(title: str, lines: Sequence[str], sections: Sequence[Section]) -> str:
    """Return the HTML of a report: a title, what was inspected, line by line, and the sections."""
    links = "".join(f'<li><a href="#{each.anchor}">{escape(each.title)}</a></li>' for each in sections)
    about = "".join(f'<p class="quiet">{escape(line)}</p>' for line in lines)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f'<link rel="icon" href="data:,">\n<style>{STYLE}</style>\n</head>\n<body>\n'
        f"<header>\n<h1>{escape(title)}</h1>\n"
        f'{about}\n<nav aria-label="Sections"><ul>{links}</ul></nav>\n</header>\n<main>\n'
        + "\n".join(map(_section, sections))
        + "\n</main>\n</body>\n</html>\n"
    )


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
    if picture.is_wide:  # moved by the arrow keys once it has the focus
        width = int(svg.partition(' width="')[2].partition('"')[0])
        svg = svg.replace("<svg", f'<svg style="max-width: {width}px; min-width: {SMALLEST * width:.0f}px"', 1)
        svg = f'<div class="wide" tabindex="0" role="region" aria-label="{alt}">\n{svg}\n</div>'
    return f"<figure>\n{svg}\n<figcaption>{escape(picture.caption)}</figcaption>\n</figure>"
