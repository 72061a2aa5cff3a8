"""Every recipe that ships trains for two steps."""

import pytest

from ostinato.training.config import recipes


@pytest.mark.parametrize("recipe", recipes())
def test_a_recipe_runs_for_two_steps(main, recipe):
    code, out, err = main(
        "train", "language-model", "book.txt", "--recipe", recipe, "--steps", "2", "--sample-length", "5"
    )
    assert (code, err) == (0, "")
    assert "Done: 2 steps" in out
