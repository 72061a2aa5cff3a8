"""Figures as matplotlib holds them when they are saved."""

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def saved(monkeypatch):
    """Return the list of figures, the last one saved at its end."""
    figures = []
    save = Figure.savefig

    def keep(figure, *arguments, **keywords):
        figures.append(figure)
        return save(figure, *arguments, **keywords)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


@pytest.fixture(
    params=["مرحبا", "नमस्ते", "跑步", "\U0001f600", "a\x00b", "\ud800", "e\u0301\u200d", "$\\frac{", "<&>", "\u2028"],
    ids=["arabic", "devanagari", "chinese", "emoji", "nul", "surrogate", "joiner", "formula", "markup", "separator"],
)
def strange(request):
    """Text that a font may lack, or that means something else elsewhere."""
    return request.param
