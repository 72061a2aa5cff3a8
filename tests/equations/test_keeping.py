"""What is left of a state, against equations whose answer is plain."""

import pytest

from ostinato.equations.keeping import keepings
from ostinato.equations.parse import parse


def told(text):
    """Return state -> (how many ways, the names that decide)."""
    return {k.state: (len(k.paths), set(k.names)) for k in keepings(parse(text))}


GATE = "z = sigmoid(W @ x + U @ h)\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GATE + "h' = z * h + (1 - z) * tanh(V @ x)", {"h": (1, {"z"})}),
        (GATE + "h' = (1 - z) * h + z * tanh(V @ x)", {"h": (1, {"z"})}),
        (GATE + "h' = h + z * (tanh(V @ x) - h)", {"h": (2, {"z"})}),
        (GATE + "h' = tanh(V @ x) - z * h", {"h": (1, {"z"})}),
        (GATE + "h' = 0.5 * h + 0.5 * (z * h + tanh(V @ x))", {"h": (2, {"z"})}),
        ("leak = 0.3\nh' = (1 - leak) * h + leak * tanh(W @ x + U @ h)", {"h": (1, {"leak"})}),
        ("a = exp(-d)\nh' = a * h + W @ x", {"h": (1, {"a"})}),
        ("s = W @ x\nh' = sigmoid(s) * h + V @ x", {"h": (1, {"s"})}),
        (GATE + "f = sigmoid(V @ x)\nk = z * h\nh' = f * k", {"h": (1, {"z", "f"})}),
    ],
)
def test_a_gate_that_multiplies_the_old_state_is_found(text, expected):
    assert told(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "h' = tanh(W @ x + U @ h)",
        "h' = h + W @ x",
        GATE + "h' = tanh(V @ x + R @ (z * h))",
        GATE + "h' = z * tanh(h) + V @ x",
        GATE + "h' = z * h * h",
        GATE + "h' = z * h + 0.1 * (R @ h)",
        GATE + "h' = h / (1 + z)",
        "r = exp(a)\nw = exp(b)\ns' = r * s - w * t + W @ x\nt' = w * s + r * t",
    ],
)
def test_what_keeps_no_share_of_its_own_is_left_out(text):
    assert told(text) == {}
