"""Started by torchrun: prints how far the gradient of two processes is from that of one, for each method, as JSON."""

import json

import torch
from accelerate import Accelerator

from ostinato.data.lanes import Segment
from ostinato.models.language_model import LanguageModel
from ostinato.training.config import Training
from ostinato.training.gradient import method
from ostinato.training.gradient.method import whole
from ostinato.training.gradient.rows import count_rows, rows_of
from ostinato.training.processes import Processes, Shared

METHODS = {
    "truncated": Training(gradient="truncated", k1=6, k2=9),
    "full": Training(gradient="full"),
    "randomized": Training(gradient="randomized", k2=8, spacing=4),
    "checkpointed": Training(gradient="checkpointed"),
    "rtrl": Training(gradient="rtrl", k1=6),
    "snap": Training(gradient="snap", k1=6),
    "snap-2": Training(gradient="snap", k1=6, k2=2),
    "e-prop": Training(gradient="e-prop", k1=6),
}
STEPS = 24


def made() -> LanguageModel:
    """Return the same small model each time."""
    torch.manual_seed(3)
    return LanguageModel(7, "gru", hidden_size=5, num_layers=1, engine="eager").double()


def gradients(taken, rows: Segment) -> list[torch.Tensor]:
    """Return the gradient of each window over one reading, one after the other, with weights that stay."""
    model, state, found = made(), None, []
    for window in taken.windows(STEPS, 0):
        model.zero_grad()
        part = Segment(*(None if p is None else p[window.position : window.position + window.length] for p in rows))
        *_, state = taken.accumulate(model, part, window, state, torch.Tensor.backward)
        found += [p.grad.flatten() for p in model.parameters()]
    return found


def main() -> None:
    processes = Processes(Accelerator(cpu=True))
    symbols = torch.randint(0, 7, (STEPS + 1, 4), generator=torch.Generator().manual_seed(1))
    reset = torch.zeros(STEPS, 4, dtype=torch.bool)
    reset[10, 3] = True  # in a row of the second process alone
    rows = Segment(symbols[:-1], symbols[1:], reset)
    own = rows_of(rows, *processes.share(count_rows(rows)))
    far = {}
    for name, training in METHODS.items():
        one, two = gradients(method(training), rows), gradients(Shared(method(training), processes), own)
        far[name] = max(float((a - b).abs().max()) for a, b in zip(one, two, strict=True))
    uneven = Uneven()
    model = made()
    alone = made()
    (alone.scores.bias.sum() * (3 * 1.0 + 1 * 5.0) / 4).backward()
    Shared(uneven, processes).accumulate(model, rows_of(own, 0, 1), whole(STEPS), None, torch.Tensor.backward)
    far["uneven"] = float((model.scores.bias.grad - alone.scores.bias.grad).abs().max())
    if processes.is_first:
        print(json.dumps(far))


class Uneven:
    """A gradient of 1 over 3 symbols in the first process, of 5 over one symbol in the second."""

    def accumulate(self, model, segment, window, state, backward):
        """Add that gradient to the bias."""
        rank = torch.distributed.get_rank()
        loss = model.scores.bias.sum() * (5.0 if rank else 1.0)
        backward(loss)
        return loss.detach(), 1 if rank else 3, state


if __name__ == "__main__":
    main()
