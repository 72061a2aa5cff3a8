"""The clockwork network (Koutník, Greff, Gomez and Schmidhuber, 2014, arXiv:1402.3511, eq. 1 and 2)."""

from ostinato.cells.equation_cell import EquationCell


class Clockwork(EquationCell):
    """Modules of `hidden_size` units each, the k-th of which moves at every 2**(k-1)-th step and else stands still.

    A module hears itself and the slower ones, so that the recurrent matrix is block upper triangular: only its blocks
    are stored, and nothing needs a mask. The clock t_k of a module counts the steps since it moved; all move at the
    first. The output layer, of `output_size` numbers (default: `hidden_size`), is linear. No work is saved by standing
    still: every module is computed at every step.

    Use it for long, smooth signals with several time scales, such as audio, where few updates a step save time.
    """

    @staticmethod
    def equations(modules: int = 4) -> str:
        """Return the text for this many modules."""
        numbers = range(1, modules + 1)
        lines = ["y : O", *(f"h_{k} : H" for k in numbers), *(f"t_{k} : 1" for k in numbers[1:])]
        for k in numbers:
            heard = " + ".join(f"U_{k}_{j} @ h_{j}" for j in numbers[k - 1 :])
            moved = f"tanh(W_{k} @ x + {heard} + b_{k})"
            lines += [f"h_{k}' = {moved if k == 1 else f'where(sum(t_{k}) > 0, h_{k}, {moved})'}"]
        lines += [f"t_{k}' = where(t_{k} + 1 < {2 ** (k - 1)}, t_{k} + 1, 0)" for k in numbers[1:]]
        return "\n".join([*lines, f"y = {' + '.join(f'''V_{k} @ h_{k}' ''' for k in numbers)}+ b_y"])
