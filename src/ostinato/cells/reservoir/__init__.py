"""Networks whose recurrent weights are drawn once and never trained."""

from ostinato.cells.reservoir.echo_state import EchoState, LinearEchoState

CELLS = {
    "echo-state": EchoState,
    "echo-state-linear": LinearEchoState,
}
