"""Connections that skip steps of time (Lin, Horne, Tiňo and Giles, 1996, doi:10.1109/72.548162)."""

from itertools import pairwise

from ostinato.cells.equation_cell import EquationCell


class SkipConnections(EquationCell):
    """Reads the state of `delay` steps ago beside the last one; `delay`=1 is the vanilla network.

    A gradient crosses `delay` steps at once (El Hihi and Bengio, 1995). The states between are kept as h_1, h_2, …

    Use it where something returns after a known number of steps, as in seasons, rhythms and lagged effects.
    """

    @staticmethod
    def equations(delay: int = 3) -> str:
        """Return the text for a connection that spans this many steps."""
        kept = ["h", *(f"h_{k}" for k in range(1, delay))]
        far = f" + V @ {kept[-1]}" if delay > 1 else ""
        moves = [f"{later}' = {sooner}" for sooner, later in pairwise(kept)]
        return "\n".join([f"h' = tanh(W @ x + U @ h{far} + b)", *moves])


class NARX(EquationCell):
    """A network with one hidden layer that reads its own last `delay` outputs, and the last `inputs` inputs.

    `output_size` (default: `hidden_size`) is the length of the output, which is all that comes back. The state is the
    last output y and those before it, y_1, y_2, …; inputs before the present one are kept as x_1, x_2, …

    Use it to identify systems and to forecast, where past outputs are known or are fed back.
    """

    @staticmethod
    def equations(delay: int = 3, inputs: int = 1) -> str:
        """Return the text for this many outputs that come back, and inputs, the present one among them."""
        y = ["", *(f"_{k}" for k in range(1, delay))]
        x = ["", *(f"_{k}" for k in range(1, inputs))]
        read = " + ".join([*(f"W{k} @ x{k}" for k in x), *(f"U{k} @ y{k}" for k in y)])
        moves = [f"{name}{b}' = {name}{a}" for name, line in (("y", y), ("x", x)) for a, b in pairwise(line)]
        return "\n".join(["z : H", "y : O", f"z = tanh({read} + b_z)", "y' = V @ z + b_y", *moves])
