"""Synthetic tasks with a published protocol: one file a task, each a generator of sequences."""

from ostinato.data.tasks.adding import Adding, Adding1997
from ostinato.data.tasks.copying import Copying, CopyingBits
from ostinato.data.tasks.noisy_copy import NoisyCopy
from ostinato.data.tasks.reber import EmbeddedReber
from ostinato.data.tasks.sequence_task import Sequences, SequenceTask
from ostinato.data.tasks.temporal_order import TemporalOrder, TemporalOrder3
from ostinato.data.tasks.time_lag import NoiseFreeLag, RandomFiller

__all__ = ["TASKS", "SequenceTask", "Sequences"]

TASKS: dict[str, type[SequenceTask]] = {
    "adding": Adding,
    "adding-1997": Adding1997,
    "copying": Copying,
    "copying-bits": CopyingBits,
    "embedded-reber": EmbeddedReber,
    "noise-free-lag": NoiseFreeLag,
    "noisy-copy": NoisyCopy,
    "random-filler": RandomFiller,
    "temporal-order": TemporalOrder,
    "temporal-order-3": TemporalOrder3,
}
