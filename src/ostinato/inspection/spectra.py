"""What a step does to small changes: recurrent weights, step Jacobians and Lyapunov exponents of a trained model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.diagnostics.jacobians import Spectrum, jacobian_spectrum
from ostinato.diagnostics.lyapunov import Exponents, lyapunov
from ostinato.inspection.drawing import COLOURS, picture, stem
from ostinato.inspection.section import Picture, Section, all_known
from ostinato.inspection.subject import Subject
from ostinato.inspection.words import begun, listed, number, place, steps

LOOKED_AT, JACOBIANS = 2, 4
"""Rows of the data, and steps of each, whose Jacobians are computed."""
ROWS, STEPS, EXPONENTS = 8, 128, 4
"""Rows and steps that differences are followed over, and how many exponents."""
TITLE = "Spectra"
QUESTION = (
    "Each step stretches or shrinks small changes of the state. Directions with a factor above 1 grow, those below "
    "1 fade."
)
WIDE, HEIGHTS, ROOM = 7.2, (2.4, 4.6), (4.6, 0.9)
"""Inches of a plane: how wide it is with its legend, how high at least and at most; what its axes have of the width,
and what stands above and below them."""
LOWEST = 1e-4
"""Singular values below it are not drawn."""


def section(subject: Subject) -> Section:
    """Measure and draw the spectra of each layer."""
    spectra = jacobian_spectrum(subject.model, subject.few(LOOKED_AT), steps=JACOBIANS)
    exponents = lyapunov(subject.model, subject.few(ROWS, STEPS), count=EXPONENTS)
    drawn = [draw(each, place(each, spectra), subject.rows) for each in spectra for draw in (_plane, _singular)]
    pairs = list(zip(spectra, exponents, strict=True))
    return Section(
        TITLE,
        QUESTION,
        (*drawn, _exponents(exponents, subject.rows)),
        summary=_summary(exponents, subject.rows),
        data={"layers": [_numbers(spectrum, found) for spectrum, found in pairs]},
    )


def _plane(spectrum: Spectrum, where: str, rows: str) -> Picture:
    shown = {f"weights {name}": values for name, values in spectrum.weights.items()}
    if spectrum.eigenvalues is not None:
        shown["step Jacobians"] = spectrum.eigenvalues.ravel()

    def fill(figure: Any) -> None:
        axes = figure.subplots()
        turn = np.linspace(0, 2 * math.pi, 200)
        axes.plot(np.cos(turn), np.sin(turn), lw=0.8, color=COLOURS[-1], label="factor 1")
        for name, values in shown.items():
            axes.plot(values.real, values.imag, ".", ms=3, alpha=0.6, label=name, rasterized=len(values) > 1000)
        axes.set(xlabel="real part", ylabel="imaginary part", aspect="equal")
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))

    radii = {name: float(abs(values).max()) for name, values in shown.items()}
    alt = f"Eigenvalues in the complex plane, {where}, with the unit circle."
    said = listed(f"{number(radius)} of {name}" for name, radius in radii.items())
    caption = (
        f"{begun(where)} has no square matrix that multiplies its state, and too many numbers for whole Jacobians."
    )
    if radii:
        caption = f"{begun(where)}: the largest eigenvalues have sizes of {said}."
    if spectrum.eigenvalues is not None:
        caption += (
            " Of the Jacobians, those near the circle are directions that a state keeps over a step, those near 0 are "
            "forgotten at once."
        )
    size = _fitted(np.concatenate([np.exp(1j * np.linspace(0, 2 * math.pi, 9)), *shown.values()]))
    return picture(stem("spectra", spectrum, "eigenvalues"), fill, alt=alt, caption=caption, size=size)


def _fitted(values: NDArray[np.complexfloating]) -> tuple[float, float]:
    """Return the size of a picture that leaves little beside these, both axes being of one scale, in inches."""
    wide, high = np.ptp(values.real), np.ptp(values.imag)
    return WIDE, float(np.clip(ROOM[0] * high / wide + ROOM[1], *HEIGHTS))


def _singular(spectrum: Spectrum, where: str, rows: str) -> Picture:
    low, middle, high = np.quantile(spectrum.singular, [0.1, 0.5, 0.9], axis=0)

    def fill(figure: Any) -> None:
        axes = figure.subplots()
        rank = np.arange(1, len(middle) + 1)
        axes.fill_between(rank, low, high, alpha=0.2, lw=0, label="80 % of steps")
        axes.plot(rank, middle, lw=1.5, marker="." if len(rank) < 20 else None, label="median")
        axes.axhline(1.0, lw=0.8, color=COLOURS[-1])
        axes.set(yscale="log", xlabel="rank", ylabel="singular value of ∂s'/∂s")
        axes.set_ylim(bottom=max(LOWEST, 0.5 * float(low.min())), top=2 * max(1.0, float(high.max())))
        axes.legend(fontsize=8)

    growing = float((spectrum.singular > 1).sum(1).mean())
    whole = spectrum.singular.shape[1] == spectrum.size
    of = f"of {spectrum.size} directions" if whole else f"of the {len(middle)} leading directions"
    plain = ""
    if spectrum.growth_of_weights is not None:
        plain = (
            f" The spectral norm of its recurrent matrix says at most {spectrum.growth_of_weights:.3g}, on any data."
        )
    caption = (
        f"{begun(where)}: at {len(spectrum.singular)} steps of these {rows}, a step stretches "
        f"{growing:.3g} {of} on average, and none by more than {spectrum.growth:.3g}.{plain}"
    )
    alt = f"Singular values of step Jacobians by rank, {where}: {middle[0]:.3g} down to {middle[-1]:.3g}."
    return picture(stem("spectra", spectrum, "singular-values"), fill, alt=alt, caption=caption)


def _exponents(exponents: list[Exponents], rows: str) -> Picture:
    def fill(figure: Any) -> None:
        axes = figure.subplots()
        for found in exponents:
            seen = np.isfinite(found.values)
            rank = np.arange(1, len(found.values) + 1)[seen]
            error = np.nan_to_num(found.error[seen])
            axes.errorbar(
                rank, found.values[seen], error, marker="o", ms=4, lw=1, capsize=3, label=place(found, exponents)
            )
        axes.axhline(0.0, lw=0.8, color=COLOURS[-1])
        axes.set(xlabel="rank", ylabel="Lyapunov exponent, nats a step", xticks=range(1, EXPONENTS + 1))
        axes.legend(fontsize=8)

    caption = " ".join(in_words(found, place(found, exponents), rows) for found in exponents)
    alt = f"The leading Lyapunov exponents of each layer. {caption}"
    return picture("spectra-lyapunov-exponents", fill, alt=alt, caption=caption)


def in_words(found: Exponents, where: str, rows: str, briefly: bool = False) -> str:
    """Return what the leading exponent means, in a sentence; `briefly`, without its value.

    where  the layer; rows: what differences are followed along.
    """
    leading, error = float(found.values[0]), float(found.error[0])
    layer = begun(where)
    if not math.isfinite(leading):
        return f"{layer} keeps no difference between two states for long."
    sure = f" ± {number(error, 2)}" if math.isfinite(error) else ""
    value = "" if briefly else f" (leading exponent {number(leading)}{sure} nats a step)"
    if leading == 0 or (math.isfinite(error) and abs(leading) <= 2 * error):
        return f"{layer} neither parts nor joins states that differ a little, as far as can be told{value}."
    if leading > 0:
        apart = f"drives states that differ a little apart along these {rows}{value}"
        return f"{layer} {apart}: chaos, where states stay within bounds, and an explosion where not."
    return f"{layer} forgets: a small difference between two states halves every {steps(_halves(found))}{value}."


def _summary(exponents: list[Exponents], rows: str) -> str:
    """Return how fast differences fade, layer by layer; where not all fade, what each layer does."""
    if all(_fades(found) for found in exponents):
        each = [f"{steps(_halves(found))} in {place(found, exponents)}" for found in exponents]
        return f"A small difference between two states halves every {listed(each)}."
    return " ".join(in_words(found, place(found, exponents), rows, briefly=True) for found in exponents)


def _fades(found: Exponents) -> bool:
    leading, error = float(found.values[0]), float(np.nan_to_num(found.error[0]))
    return math.isfinite(leading) and leading < -2 * error


def _halves(found: Exponents) -> float:
    return math.log(2) / -float(found.values[0])


def _numbers(spectrum: Spectrum, found: Exponents) -> dict[str, Any]:
    quantiles = np.quantile(spectrum.singular, [0.1, 0.5, 0.9], axis=0)
    eigenvalues = spectrum.eigenvalues
    return {
        "network": spectrum.network,
        "layer": spectrum.layer,
        "backwards": spectrum.backwards,
        "state_size": spectrum.size,
        "growth": spectrum.growth,
        "growth_of_weights": spectrum.growth_of_weights,
        "singular_values": dict(zip(("low", "median", "high"), quantiles.tolist(), strict=True)),
        "jacobian_radius": None if eigenvalues is None else float(abs(eigenvalues).max()),
        "weights": {
            name: {"real": values.real.tolist(), "imaginary": values.imag.tolist()}
            for name, values in spectrum.weights.items()
        },
        "lyapunov": all_known(found.values),
        "lyapunov_error": all_known(found.error),
    }
