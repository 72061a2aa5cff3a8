"""What is best possible is known of data drawn from a known process: recurrent networks come close to it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ostinato.data.lanes import Segment
from ostinato.models.baselines.hidden_markov import HiddenMarkov
from ostinato.models.forecaster import Forecaster, Stretch, unscaled
from ostinato.models.language_model import LanguageModel

SYMBOLS = 4
MOVES = torch.tensor([[0.9, 0.1, 0.0], [0.0, 0.85, 0.15], [0.2, 0.0, 0.8]], dtype=torch.float64)
SAYS = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.4, 0.4]], dtype=torch.float64)


@pytest.fixture
def one_thread():
    """Nets this small are slower on several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def learn(model: torch.nn.Module, draw: Callable[[], object], steps: int) -> None:
    """Learn from data that never repeats."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, steps)
    for _ in range(steps):
        loss, count, _ = model.loss(draw())  # type: ignore[operator]
        optimizer.zero_grad()
        (loss / count).backward()
        optimizer.step()
        schedule.step()


def symbols(rows: int, length: int, generator: torch.Generator) -> Tensor:
    """Return (length, rows) symbols of the hidden Markov model, which begins in any state."""
    hidden, said = torch.randint(3, (rows,), generator=generator), []
    for _ in range(length):
        said.append(torch.multinomial(SAYS[hidden], 1, generator=generator)[:, 0])
        hidden = torch.multinomial(MOVES[hidden], 1, generator=generator)[:, 0]
    return torch.stack(said)


def as_text(drawn: Tensor) -> Segment:
    """Return what a language model reads: a boundary, then the symbols."""
    read = torch.cat([torch.full_like(drawn[:1], SYMBOLS), drawn])
    return Segment(read[:-1], read[1:], None)


def test_of_a_hidden_markov_chain_an_lstm_comes_within_a_hundredth_of_the_forward_algorithm(one_thread):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    model = LanguageModel(SYMBOLS + 1, "lstm", hidden_size=24, num_layers=1)
    learn(model, lambda: as_text(symbols(64, 40, generator)), 250)
    test = symbols(500, 40, generator)
    known = HiddenMarkov(SYMBOLS, 3, outputs="symbol")
    known.moves.copy_(MOVES)
    known.on.copy_(SAYS)
    best = known.nats(list(torch.nn.functional.one_hot(test.T, SYMBOLS)))
    with torch.no_grad():
        nats, count, _ = model.eval().loss(as_text(test))
    assert best < nats.item() / count < 1.01 * best


A = 0.95 * torch.tensor([[0.8, -0.6], [0.6, 0.8]], dtype=torch.float64)
C = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
Q, R = 0.3 * torch.eye(2, dtype=torch.float64), torch.tensor([[0.5]], dtype=torch.float64)


def series(rows: int, length: int, generator: torch.Generator) -> Tensor:
    """Return (length, rows, 1): a turning state seen through noise, in its steady state from the first step on."""
    covariance = torch.linalg.solve(torch.eye(4) - torch.kron(A, A), Q.flatten()).view(2, 2)
    noise = lambda shape: torch.randn(*shape, dtype=torch.float64, generator=generator)  # noqa: E731
    state, seen = noise((rows, 2)) @ torch.linalg.cholesky(covariance).T, []
    for _ in range(length):
        seen.append(state @ C.T + noise((rows, 1)) * R.sqrt())
        state = state @ A.T + noise((rows, 2)) @ torch.linalg.cholesky(Q).T
    return torch.stack(seen)


def kalman(seen: Tensor) -> Tensor:
    """Return the best guess (T, B, 1) of each value from those before it (Kalman, 1960)."""
    covariance = torch.linalg.solve(torch.eye(4) - torch.kron(A, A), Q.flatten()).view(2, 2)
    state, guesses = torch.zeros(seen.shape[1], 2, dtype=torch.float64), []
    for value in seen:
        guesses.append(state @ C.T)
        gain = covariance @ C.T / (C @ covariance @ C.T + R)
        state = (state + (value - guesses[-1]) @ gain.T) @ A.T
        covariance = A @ (covariance - gain @ C @ covariance) @ A.T + Q
    return torch.stack(guesses)


def as_stretch(seen: Tensor) -> Stretch:
    rows = seen.shape[1]
    return Stretch(
        seen.float(), torch.zeros(len(seen) - 1, rows, 0), torch.full((rows,), len(seen) - 1), unscaled(rows, 1)
    )


def test_of_a_linear_system_an_lstm_comes_within_three_hundredths_of_the_kalman_filter(one_thread):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    model = Forecaster(1, "lstm", head="point", hidden_size=24)
    learn(model, lambda: as_stretch(series(64, 40, generator)), 300)
    test = series(500, 40, generator)
    best = (kalman(test)[1:] - test[1:]).square().mean().item()
    with torch.no_grad():
        found = model.eval().one_step(as_stretch(test))
    error = (found - test[1:]).square().mean().item()
    assert best < error < 1.03 * best
