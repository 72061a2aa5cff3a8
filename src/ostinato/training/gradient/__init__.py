"""How a gradient is taken over time. Each method is an object with a name; the loop knows only `Method`."""

from __future__ import annotations

from ostinato.training.gradient.backpropagation import Full, Truncated
from ostinato.training.gradient.by_hand import Gradients, Update, backward_over_time, gradients
from ostinato.training.gradient.checkpointed import Checkpointed
from ostinato.training.gradient.influence import Exact, RankOne, Sparse
from ostinato.training.gradient.kronecker import Kronecker
from ostinato.training.gradient.method import Backward, Learns, Method, State, Window, detach, leaves_of, map_state
from ostinato.training.gradient.names import DRAWN_TOGETHER, METHODS, check_followed, in_groups, method
from ostinato.training.gradient.online import Online
from ostinato.training.gradient.randomized import Randomized
from ostinato.training.gradient.traces import EProp, RealTime, SnAp

__all__ = [
    "DRAWN_TOGETHER", "METHODS", "Backward", "Checkpointed", "EProp", "Exact", "Full", "Gradients", "Kronecker",
    "Learns", "Method", "Online", "Randomized", "RankOne", "RealTime", "SnAp", "Sparse", "State", "Truncated",
    "Update", "Window", "backward_over_time", "check_followed", "detach", "gradients", "in_groups",
    "leaves_of", "map_state", "method",
]  # fmt: skip
