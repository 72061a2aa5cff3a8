"""What was found of the units of one network: in a table, in words, and as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from ostinato.diagnostics.tracking import Units
from ostinato.inspection.coloured import Coloured, coloured
from ostinato.inspection.rows import Rows
from ostinato.inspection.section import Picture
from ostinato.inspection.words import called, listed, number, signed

FOLLOWS = 0.5
"""|r| from which on a unit is said to follow a track."""
HEAD = ("What", "Unit", "r", "r of all units together")
TOGETHER = "What all units say together, by a ridge regression, shows what is known without a unit of its own."


@dataclass(frozen=True)
class Look:
    """What was found of one network."""

    rows: Rows | None
    """What it reads; None of a text in one piece."""
    found: Units
    shown: Coloured
    picture: Picture | None = None

    def markup(self) -> str:
        """Return the HTML: a table, what it means, and sequences coloured by any unit."""
        rows, heading = self.rows, ""
        if rows is not None:
            reader = "" if rows.network == "recurrent" else f": units of the {called(rows.network)}"
            heading = f"<h3>{escape(rows.what.capitalize() + reader)}</h3>\n"
        return heading + self._table() + coloured(self.shown, self.found)

    def numbers(self) -> dict[str, Any]:
        """Return the numbers, for a JSON file."""
        found = self.found
        return {
            "network": found.units[0].network,
            "reads": "the text" if self.rows is None else self.rows.what,
            "symbols": found.symbols,
            "sequences": found.sequences,
            "units": len(found.units),
            "not_in_both_halves": list(found.constant),
            "tracks": {
                track: {
                    "best": [{**unit._asdict(), "r": round(r, 6)} for unit, r in found.best(track, 5)],
                    "readout": None if np.isnan(found.readout[k]) else round(float(found.readout[k]), 6),
                }
                for k, track in enumerate(found.tracks)
            },
        }

    def _table(self) -> str:
        """Return the tracks with the unit that follows each best, and what that means."""
        found, body = self.found, []
        for k, track in sorted(enumerate(found.tracks), key=lambda each: -abs(found.best(each[1])[0][1])):
            unit, r = found.best(track)[0]
            body.append(
                f'<tr><th scope="row">{escape(track)}</th><td>{escape(str(unit))}</td><td>{signed(r)}</td>'
                f"<td>{signed(float(found.readout[k]))}</td></tr>"
            )
        head = "".join(f'<th scope="col">{name}</th>' for name in HEAD)
        return (
            f'<figure><div class="table"><table><thead><tr>{head}</tr></thead>\n<tbody>{"".join(body)}</tbody>'
            f"</table></div>\n<figcaption>{escape(self.in_words())}</figcaption></figure>\n"
        )

    def clearest(self) -> str:
        """Return the unit that follows something most, in a sentence."""
        what = "the text" if self.rows is None else self.rows.what
        best = {track: self.found.best(track)[0] for track in self.found.tracks}
        clear = [(track, unit, r) for track, (unit, r) in best.items() if abs(r) >= FOLLOWS]
        if not clear:
            return f"No unit follows {what} by itself: no |r| reaches {FOLLOWS} on the half that chose nothing."
        track, unit, r = max(clear, key=lambda each: abs(each[2]))
        many = "1 other feature has" if len(clear) == 2 else f"{len(clear) - 1} other features have"
        others = f"; {many} a unit with |r| of {FOLLOWS} or more"
        whose = "Clearest of all" if self.rows is None else f"Clearest in {what}"
        return f"{whose}, {unit} follows '{track}' with r = {signed(r)}{others * (len(clear) > 1)}."

    def summary(self) -> str:
        """Return what was found in a sentence or two."""
        return " ".join(filter(None, (self.clearest(), self._of_whole())))

    def _of_whole(self) -> str:
        """Return the unit that follows best what is known of whole sequences; "" where nothing is."""
        if not (whole := self._whole()):
            return ""
        best = {track: self.found.best(track)[0] for track in whole}
        track, (unit, r) = max(best.items(), key=lambda each: abs(each[1][1]))
        names = listed(f"'{name}'" for name in whole)
        if abs(r) < self._chance():
            return f"Once a whole sequence is read, no unit follows {names} clearly."
        return f"Once a whole sequence is read, {unit} follows '{track}' best, with r = {signed(r)}."

    def _chance(self) -> float:
        """Return the |r| that a unit in twenty reaches by chance, by the sequences of the half that judges."""
        return 0.0 if self.rows is None else float(2 / np.sqrt(np.count_nonzero(self.rows.lengths) / 2))

    def _whole(self) -> list[str]:
        return [] if self.rows is None else [track for track in self.rows.whole if track in self.found.tracks]

    def in_words(self) -> str:
        """Return what was found, in a few sentences."""
        found, said = self.found, [self._searched(), self.clearest(), TOGETHER]
        if whole := self._whole():
            chance = number(self._chance(), 2)
            names = listed(f"'{name}'" for name in whole)
            said.append(self._of_whole())
            said.append(f"Each sequence counts once for {names}; |r| below {chance} may be chance.")
        if found.constant:
            what = "this text" if self.rows is None else self.rows.what
            said.append(f"Not in both halves of {what}: {', '.join(found.constant)}.")
        return " ".join(said)

    def _searched(self) -> str:
        found, rows = self.found, self.rows
        if rows is None:
            return f"{len(found.units):,} units were searched on {found.symbols:,} symbols."
        many = f"{len(found.units):,} units were searched on {found.symbols:,} {rows.unit}s"
        if found.sequences == 1:
            return f"{many} of one sequence: its first half chooses units, the second judges them."
        halves = "the first half of them chooses units, the second judges them"
        if not rows.neighbours:
            halves = "every other one chooses units, the rest judge them"
        return f"{many} of {found.sequences:,} sequences: {halves}."
