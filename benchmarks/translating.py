"""1,000 sentences of Multi30k translated: in batches by `ostinato.decoding`, and one by one by plain PyTorch.

The model is random and each sentence is written to the length of its reference, so that a run does the work of a
trained one; `TRANSLATOR_RUN` names the folder of a trained one instead, which ends its sentences itself.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from benchmarks import table
from benchmarks.machine import Budget, take_turns
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from ostinato.data.units import Units
from ostinato.decoding.search import Rows, Search, search
from ostinato.models.decoder import Decoder
from ostinato.models.encoder import Encoder
from ostinato.models.translator import Translator
from ostinato.training.translator.trained import open_translator

DATA = Path(__file__).parents[2] / "shared" / "data" / "seq2seq" / "multi30k_en_de"
SENTENCES, QUICK = 1000, 100
HYPOTHESES = 320
"""Hypotheses that are lengthened in one batch, as `ostinato predict` does."""
BEAM_S, GREEDY_TIMES = 30.0, 5.0
"""A beam of 5 takes at most so long; greedy is so many times faster than the loop."""


@dataclass(frozen=True)
class Task:
    """What is translated: a model, sources with their ends, and how many symbols each may become."""

    name: str
    model: Translator
    sources: list[Tensor]
    limits: list[int]
    boundary: int


def measure(settings: Settings) -> list[Row]:
    """Print and return the table."""
    return table.show(TABLE, _rows(settings))


def _rows(settings: Settings) -> Iterator[Row]:
    if not DATA.is_dir():
        settings.skip("translating", f"{DATA} is not there")
        return
    folder = os.environ.get("TRANSLATOR_RUN")
    task = _trained(Path(folder)) if folder else _random()
    count = QUICK if settings.quick else SENTENCES
    task = Task(task.name, task.model, task.sources[:count], task.limits[:count], task.boundary)
    plain = Plain(task.model).eval()
    contenders = {
        "beam": lambda: in_batches(task, 5),
        "greedy": lambda: in_batches(task, 1),
        "loop": lambda: one_by_one(plain, task),
    }
    taken = take_turns(contenders, Budget(seconds=0.0, least=2 if settings.quick else 3, most=3))
    row = table.times(taken)
    times = row["seconds"]["loop"] / row["seconds"]["greedy"]
    ours, theirs = in_batches(task, 1), one_by_one(plain, task)
    same = sum(one == other for one, other in zip(ours, theirs, strict=True)) / count
    targets = [table.at_most("beam s", row["seconds"]["beam"], BEAM_S), table.at_least("greedy", times, GREEDY_TIMES)]
    yield {"model": task.name, "sentences": count, **row, "ratios": {"loop": times}, "same": same, "targets": targets}


def lines(name: str) -> list[str]:
    """Return the lines of a file of the data set."""
    return gzip.decompress((DATA / name).read_bytes()).decode().splitlines()


def _random() -> Task:
    source, target = (
        Units.learn("word", lines(f"train.{language}.gz"), size, lowercase=True)
        for language, size in (("de", 8000), ("en", 6000))
    )
    edge = torch.tensor([source.boundary])
    sources = [torch.cat([torch.as_tensor(source.encode(one).astype("int64")), edge]) for one in lines(TEST["de"])]
    return random_task(source.size, target.size, sources, [len(target.encode(one)) for one in lines(TEST["en"])])


TEST = {language: f"test_2016_flickr.{language}.gz" for language in ("de", "en")}


def random_task(size: int, written: int, sources: list[Tensor], limits: list[int], boundary: int = 0) -> Task:
    """Return a task of a model that learned nothing, with the sizes that `train translator` takes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = Encoder("gru", vocabulary_size=size)
        width = encoder.output_size
        decoder = Decoder(written, "gru", context_size=width, memory_size=width, attention="general")
    return Task("random", Translator(encoder, decoder).eval(), sources, limits, boundary)


def _trained(folder: Path) -> Task:
    trained = open_translator(folder)
    encoder = trained.encoder
    sources = [torch.as_tensor(encoder.read(one), dtype=torch.int64) for one in lines(TEST["de"])]
    return Task(folder.name, trained.model, sources, [3 * len(one) + 20 for one in sources], encoder.target.boundary)


@torch.no_grad()
def in_batches(task: Task, beam: int) -> list[list[int]]:
    """Return the symbols of each sentence, written in batches of equally long sources."""
    order = sorted(range(len(task.sources)), key=lambda k: len(task.sources[k]))
    size, found = HYPOTHESES // beam, {}
    for start in range(0, len(order), size):
        part = order[start : start + size]
        lengths = torch.tensor([len(task.sources[k]) for k in part])
        step, state = task.model.stepper(pad_sequence([task.sources[k] for k in part]), lengths)
        rows = Rows(limits=torch.tensor([task.limits[k] for k in part]))
        begin = torch.full((len(part),), task.boundary)
        best = search(step, state, begin, task.boundary, Search(beam=beam, max_length=1000), rows)
        tokens, sizes = best.tokens[:, 0].tolist(), best.lengths[:, 0].tolist()
        found |= {k: one[:size] for k, one, size in zip(part, tokens, sizes, strict=True)}
    return [found[k] for k in range(len(order))]


def one_by_one(plain: Plain, task: Task) -> list[list[int]]:
    """Return the symbols of each sentence, written by plain PyTorch."""
    return [plain(one, task.boundary, limit) for one, limit in zip(task.sources, task.limits, strict=True)]


class Plain(nn.Module):
    """A translator's weights in modules of `torch.nn`, for one sentence at a time."""

    def __init__(self, model: Translator):
        super().__init__()
        encoder, decoder = model.encoder, model.decoder
        assert decoder.attention is not None
        assert encoder.embedding is not None
        size, hidden = encoder.embedding.embedding_dim, encoder.recurrent.hidden_sizes[0]
        self.read, self.write = encoder.embedding, decoder.embedding
        self.encoder = nn.GRU(size, hidden, bidirectional=True)
        self.decoder = nn.GRUCell(self.write.embedding_dim, decoder.recurrent.hidden_sizes[0])
        forward, backward = (cell.state_dict() for cell in encoder.recurrent.layers[0])  # type: ignore[union-attr]
        both = {f"{key}_l0": value for key, value in forward.items()}
        self.encoder.load_state_dict(both | {f"{key}_l0_reverse": value for key, value in backward.items()})
        self.decoder.load_state_dict(decoder.recurrent.layers[0][0].state_dict())  # type: ignore[index]
        self.begin, self.key = decoder.begin, decoder.attention.key
        self.features, self.scores = decoder.features, decoder.scores

    @torch.no_grad()
    def forward(self, source: Tensor, boundary: int, limit: int) -> list[int]:
        """Return the best symbol of each step until the end, or `limit` of them."""
        values, last = self.encoder(self.read(source))
        keys = self.key(values)
        state = torch.tanh(self.begin(last.flatten()))
        symbol, found = torch.tensor(boundary), []
        while len(found) < limit:
            state = self.decoder(self.write(symbol), state)
            seen = (keys @ state / len(state) ** 0.5).softmax(0) @ values
            symbol = self.scores(torch.tanh(self.features(torch.cat([state, seen])))).argmax()
            if symbol == boundary:
                break
            found.append(int(symbol))
        return found


def _seconds(name: str) -> table.Column:
    return table.Column(f"{name} s", 8, lambda row: f"{row['seconds'][name]:.2f}")


TABLE = Table(
    "Translating",
    f"{SENTENCES:,} sentences of Multi30k (test 2016, German to English) by a GRU of 256 in both directions and one of"
    " 256 with attention that writes 6,000 words: seconds of a beam of 5 and of greedy in batches, and of greedy one by"
    f" one in plain PyTorch. Targets: {BEAM_S:g} seconds for the beam, {GREEDY_TIMES:g} times the loop for greedy."
    " `same` is the share of sentences for which both write the same.",
    (
        table.plain("model", -10, "model"),
        table.plain("sentences", 9, "sentences"),
        _seconds("beam"),
        _seconds("greedy"),
        _seconds("loop"),
        table.ratio("× loop", "loop"),
        table.Column("same", 6, lambda row: f"{row['same']:.1%}"),
        table.VERDICT,
    ),
)
