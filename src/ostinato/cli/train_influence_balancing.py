"""`ostinato train influence-balancing`: calls `ostinato.training.influence_balancing.train`."""

from __future__ import annotations

from ostinato.cli.results import print_beside_published
from ostinato.cli.settings import read_settings
from ostinato.training.config import BalancingRun


def run(arguments: list[str], program: str) -> int:
    """Learn, draw, and print what was reached."""
    description = "Learn one number whose near and far effects oppose each other."
    settings = read_settings(BalancingRun(), arguments, program, description)

    from ostinato.training.influence_balancing import draw, train  # imports torch, which --help does without
    from ostinato.training.progress import make_display

    found = train(settings, make_display())
    reached = f"θ = {found.theta:.5f}"
    if found.diverged:
        reached = f"diverged: |θ| is {abs(found.theta):.3g} at step {found.path[-1][0]:,}"
    picture = draw(found, settings)
    print(f"Done in {found.seconds:,.1f} s, {len(found.path) - 1:,} updates: {reached}.")
    print(f"picture    {picture}")
    print_beside_published(settings, reached)
    return 0
