"""Cells written by hand, as users have them: no equations, only a step in PyTorch."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from ostinato import GRU, Cell

D, H = 3, 4


class Memory(NamedTuple):
    """A state of two vectors of different sizes."""

    fast: Tensor
    slow: Tensor


class HandCell(Cell):
    """Sizes and a state of zeros; `states` says how many vectors of H."""

    states = 1

    def __init__(self, input_size=D, hidden_size=H):
        super().__init__()
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size

    def initial_state(self, batch_size, *, device=None, dtype=None):
        zeros = torch.zeros(batch_size, self.hidden_size, device=device, dtype=dtype)
        return zeros if self.states == 1 else (zeros,) * self.states


class ChunkedLSTM(HandCell):
    states = 2

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.read = nn.Linear(self.input_size, 4 * self.hidden_size)
        self.recur = nn.Linear(self.hidden_size, 4 * self.hidden_size, bias=False)

    def step(self, x, state):
        h, c = state
        i, f, g, o = (self.read(x) + self.recur(h)).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class ThreeLinearGRU(HandCell):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        size = self.input_size + self.hidden_size
        self.reset, self.update, self.new = (nn.Linear(size, self.hidden_size) for _ in range(3))

    def step(self, x, h):
        both = torch.cat((x, h), 1)
        r, z = self.reset(both).sigmoid(), self.update(both).sigmoid()
        n = self.new(torch.cat((x, r * h), 1)).tanh()
        h = (1 - z) * n + z * h
        return h, h


class JoinedLSTM(HandCell):
    """One weight for x and h together, gates taken by slices."""

    states = 2

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.weight = nn.Parameter(0.3 * torch.randn(4 * self.hidden_size, self.input_size + self.hidden_size))
        self.bias = nn.Parameter(torch.randn(4 * self.hidden_size))

    def step(self, x, state):
        h, c = state
        n = self.hidden_size
        gates = F.linear(torch.cat([x, h], -1), self.weight, self.bias)
        i, f, o = torch.sigmoid(gates[:, : 3 * n]).split(n, 1)
        c = f * c + i * torch.tanh(gates[:, 3 * n :])
        h = o * torch.tanh(c)
        return h, (h, c)


class LayerNormLSTM(HandCell):
    """Norms over all gates at once, which are cut apart afterwards."""

    states = 2

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.read = nn.Linear(self.input_size, 4 * self.hidden_size, bias=False)
        self.recur = nn.Linear(self.hidden_size, 4 * self.hidden_size, bias=False)
        self.read_norm, self.recur_norm = nn.LayerNorm(4 * self.hidden_size), nn.LayerNorm(4 * self.hidden_size)
        self.cell_norm = nn.LayerNorm(self.hidden_size)
        for norm in (self.read_norm, self.recur_norm, self.cell_norm):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)

    def step(self, x, state):
        h, c = state
        i, f, g, o = (self.read_norm(self.read(x)) + self.recur_norm(self.recur(h))).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * self.cell_norm(c).tanh()
        return h, (h, c)


class TwoSpeeds(HandCell):
    """A named state of two sizes, and an output of a third."""

    def __init__(self):
        super().__init__()
        self.output_size = 5
        self.fast, self.slow = nn.Linear(D + H, H), nn.Linear(H, 2)
        self.write = nn.Linear(H + 2, 5)

    def initial_state(self, batch_size, *, device=None, dtype=None):
        return Memory(*(torch.zeros(batch_size, n, device=device, dtype=dtype) for n in (H, 2)))

    def step(self, x, state):
        fast = torch.tanh(self.fast(torch.cat([x, state.fast], -1)))
        slow = 0.9 * state.slow + 0.1 * self.slow(fast)
        return self.write(torch.cat([fast, slow], -1)), Memory(fast, slow)


class DeepTransition(HandCell):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.net = nn.Sequential(
            nn.Linear(self.input_size + self.hidden_size, 7), nn.ReLU(), nn.Dropout(0.3), nn.Linear(7, self.hidden_size)
        )

    def step(self, x, h):
        h = h + torch.tanh(self.net(torch.cat([x, h], -1)))
        return h, h


class Decaying(HandCell):
    """Forgets with time; the step takes dt."""

    uses_dt = True

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.read = nn.Linear(self.input_size, self.hidden_size)
        self.rate = nn.Parameter(torch.randn(self.hidden_size))

    def step(self, x, h, dt):
        h = torch.exp(-F.softplus(self.rate) * dt.unsqueeze(-1)) * h + dt[:, None] * torch.tanh(self.read(x))
        return h, h


class Leaky(HandCell):
    """One time constant for all, one slope for each."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.tau, self.slope = nn.Parameter(torch.tensor(0.3)), nn.Parameter(torch.ones(1))
        self.read, self.recur = nn.Linear(self.input_size, self.hidden_size), nn.Linear(*2 * (self.hidden_size,))

    def step(self, x, h):
        h = h + (torch.tanh(self.slope * (self.read(x) + self.recur(h))) - h) / F.softplus(self.tau)
        return h, h


class Peephole(HandCell):
    states = 2

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.read = nn.Linear(self.input_size, 3 * self.hidden_size)
        self.recur = nn.Linear(self.hidden_size, 3 * self.hidden_size)
        self.peep = nn.Parameter(torch.randn(2, self.hidden_size))

    def step(self, x, state):
        h, c = state
        f, g, o = (self.read(x) + self.recur(h)).chunk(3, -1)
        f = torch.sigmoid(f + self.peep[0] * c)
        c = f * c + (1 - f) * torch.tanh(g)
        h = torch.sigmoid(o + self.peep[1] * c) * torch.tanh(c)
        return h, (h, c)


class Wrapped(HandCell):
    """One of torch's own cells."""

    def __init__(self, kind, **options):
        super().__init__()
        self.states = 2 if kind is nn.LSTMCell else 1
        self.inner = kind(D, H, **options)

    def step(self, x, state):
        after = self.inner(x, state)
        return (after[0] if self.states == 2 else after), after


class PackedState(HandCell):
    """h and c side by side in one tensor."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.net = nn.Linear(self.input_size + self.hidden_size, 3 * self.hidden_size)

    def initial_state(self, batch_size, *, device=None, dtype=None):
        return torch.zeros(batch_size, 2 * self.hidden_size, device=device, dtype=dtype)

    def step(self, x, state):
        h, c = state.chunk(2, -1)
        f, g, o = self.net(torch.cat([x, h], -1)).chunk(3, -1)
        c = f.sigmoid() * c + g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, torch.cat([h, c], -1)


class OtherSideProducts(HandCell):
    """Weights that stand on the right, turned, under a mask, or as a term of einsum."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(D, H)), nn.Parameter(torch.randn(H, H))
        self.bias = nn.Parameter(torch.randn(H))
        self.register_buffer("mask", torch.tril(torch.ones(H, H)))
        self.normal = weight_norm(nn.Linear(H, H))

    def step(self, x, h):
        reads = torch.addmm(self.bias, x, self.a) + torch.einsum("bi,oi->bo", h, self.b)
        h = torch.tanh(reads + h @ (self.b * self.mask).t() + h.matmul(self.b.T) + self.normal(h))
        return h, h


class StackedGates(HandCell):
    """Gates as an axis of their own."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.net = nn.Linear(self.input_size + self.hidden_size, 2 * self.hidden_size)

    def step(self, x, h):
        f, g = self.net(torch.cat([x, h], -1)).view(-1, 2, self.hidden_size).unbind(1)
        h = f.sigmoid() * h + g.tanh()
        return h, h


class Attending(HandCell):
    """Softmax, sums and means over a row, and one number that scales it."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.net = nn.Linear(self.input_size + self.hidden_size, self.hidden_size)
        self.score = nn.Linear(self.hidden_size, 1)

    def step(self, x, h):
        mix = torch.softmax(self.net(torch.cat([x, h], -1)), -1)
        level = (mix * h).sum(-1, keepdim=True) + h.mean(1, keepdim=True) + h.var(-1, keepdim=True)
        h = torch.tanh(self.score(h)) * mix + 0.5 * h - 0.1 * level
        return h, h


class AroundEquations(HandCell):
    """A cell whose step calls a cell of equations."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.inner = GRU(self.input_size, self.hidden_size)

    def step(self, x, h):
        output, h = self.inner.step(x, h)
        return 2 * output, h


class Written(HandCell):
    """Any expression over x and h, both of H numbers, a vector `v` and a matrix `w`."""

    def __init__(self, expression, size=H):
        super().__init__(size, size)
        self.expression = expression
        self.v, self.w = nn.Parameter(torch.randn(size)), nn.Parameter(torch.randn(size, size))

    def step(self, x, h):
        h = self.expression(self, x, h)
        return h, h


READ = {
    "chunked LSTM": ChunkedLSTM,
    "GRU of three Linears": ThreeLinearGRU,
    "LSTM over cat": JoinedLSTM,
    "layer-norm LSTM": LayerNormLSTM,
    "two speeds": TwoSpeeds,
    "deep transition": lambda: DeepTransition().eval(),
    "decaying": Decaying,
    "leaky": Leaky,
    "peephole": Peephole,
    "nn.GRUCell": lambda: Wrapped(nn.GRUCell),
    "nn.GRUCell without bias": lambda: Wrapped(nn.GRUCell, bias=False),
    "nn.LSTMCell": lambda: Wrapped(nn.LSTMCell),
    "nn.RNNCell": lambda: Wrapped(nn.RNNCell, nonlinearity="relu"),
    "packed state": PackedState,
    "other-side products": OtherSideProducts,
    "stacked gates": StackedGates,
    "attending": Attending,
    "around equations": AroundEquations,
    "of one number": lambda: JoinedLSTM(1, 1),
    "one number, three Linears": lambda: ThreeLinearGRU(1, 1),
    "one number, stacked gates": lambda: StackedGates(2, 1),
    "as many numbers as rows": lambda: ChunkedLSTM(5, 5),
    "as many numbers as traced rows": lambda: JoinedLSTM(7, 7),
}

EXPRESSIONS = {
    "arithmetic": lambda s, x, h: x + 2 - h * s.v / 3 + (1 - x) * -h,
    "factors": lambda s, x, h: torch.add(x, h, alpha=0.3) - torch.sub(x, h, alpha=2) + torch.rsub(x, h, alpha=3),
    "gates": lambda s, x, h: x.sigmoid() + torch.tanh(h) + F.relu(x) + F.silu(h) + F.softplus(x) + F.logsigmoid(h),
    "hard gates": lambda s, x, h: F.hardsigmoid(x) + F.hardtanh(h) + F.relu6(3 * x) + F.hardswish(h) + F.softsign(h),
    "bent lines": lambda s, x, h: F.elu(x) + F.selu(h) + F.leaky_relu(x) + F.leaky_relu(h, 0.2) + F.mish(x),
    "options": lambda s, x, h: F.softplus(x, beta=2.0) + F.elu(h, 0.7) + F.hardtanh(x, -0.2, 0.3),
    "powers": lambda s, x, h: torch.sqrt(x.square()) + torch.rsqrt(1 + h**2) + 1 / (3 + x) + h.pow(3) + h.reciprocal(),
    "waves": lambda s, x, h: torch.sin(x) * torch.cos(h) + x.sign() * h + x.abs() + torch.exp(x) + torch.log(h.abs()),
    "bounds": lambda s, x, h: torch.maximum(x, h) * torch.minimum(x, s.v) + x.clamp(-0.5, 0.5) + h.clamp(min=0),
    "choices": lambda s, x, h: torch.where(x > h, x, 0.5 * h) + torch.where(s.v >= 0, x, h) + h.masked_fill(x < 1, 0.3),
    "masks": lambda s, x, h: (x < 0).to(x.dtype) * h + (h >= 0) * x + (x <= h) * s.v + torch.lerp(x, h, s.v.sigmoid()),
    "norms": lambda s, x, h: F.layer_norm(x, (H,)) + F.layer_norm(h, (H,), s.v, s.v, 1e-3) + F.rms_norm(x, (H,), s.v),
    "constants": lambda s, x, h: torch.zeros_like(h) + x + h.new_ones(h.shape[0], H) * h + torch.full((2, 1), 2.0)[0],
    "cat of gates": lambda s, x, h: F.glu(torch.cat([x, h], -1)) + torch.cat([x, h], -1).tanh()[:, 2:6] @ s.w,
    "one of a row": lambda s, x, h: h[:, :1] * s.v + h[:, 3, None] * (x @ s.v)[:, None] + h.mv(s.v).unsqueeze(-1) * x,
    "same numbers": lambda s, x, h: x.unsqueeze(1).squeeze(1).contiguous().clone() + h.view(-1, 2, 2).flatten(1),
    "spread": lambda s, x, h: x + s.v.unsqueeze(0).expand(x.shape[0], -1) * h + s.v.repeat(x.shape[0], 1) + h * s.v[0],
    "own tensors": lambda s, x, h: x * torch.ones(H) * s.v.detach() + h * torch.cumsum(s.v, 0) + F.dropout(h, 0.0),
    "blocks": lambda s, x, h: torch.cat([x, torch.ones_like(h[:, :1]), h], -1) @ torch.cat([s.w, s.v[None], s.w.exp()]),
}
"""Over x and h, both of H numbers, a vector v and a matrix w."""
