"""Equations beside their papers, whatever engine runs them: nothing is compiled here."""

import pytest


@pytest.fixture(autouse=True)
def _uncompiled(without_compiler):
    return without_compiler
