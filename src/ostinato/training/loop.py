"""The training loop: windows in, steps out, for every model. What a gradient is, it asks `gradient.Method`.

One step, without devices, reports and checkpoints:

    segment = lanes.segment(window.position, window.length)
    nats, count, state = method.accumulate(model, segment, window, state, backward)
    norm, clipped = clip(parameters)
    optimizer.step(); optimizer.zero_grad()
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from ostinato._errors import RunError
from ostinato.training import checkpoint
from ostinato.training.compiling import compile_layers
from ostinato.training.config import Learning
from ostinato.training.devices import move
from ostinato.training.finite import Attempt, found_by_any, late_origin, refusal, refuse_bad_weights, trace, unspoilt
from ostinato.training.gradient import Backward, State, Window
from ostinato.training.gradient.method import updates
from ostinato.training.gradient.rows import rows_of_state
from ostinato.training.horizon import Probe
from ostinato.training.interrupts import StopRequest
from ostinato.training.meter import Meter, Speed, refuse_non_finite
from ostinato.training.processes import Processes, Shared
from ostinato.training.progress import Display, Figures
from ostinato.training.run_folder import RunFolder, write_tensors
from ostinato.training.stepping import make_stepping
from ostinato.training.task import Counters, Outcome, Task

READ_EVERY_S = 0.5
SAVE_EVERY_S = 60.0
NOTHING, READ, SAVE = range(3)


class Loop:
    """One run of training. `fit` is the loop; the rest is what happens around a step."""

    def __init__(self, task: Task, training: Learning, folder: RunFolder, display: Display, accelerator: Accelerator):
        self.task, self.training, self.folder, self.display = task, training, folder, display
        self.accelerator, self.device = accelerator, accelerator.device
        self.processes = Processes(accelerator)
        self.rows, self.lanes, self.method = self.processes.share(training.batch_size), task.lanes, task.method
        if self.processes.count > 1:
            self.lanes, self.method = task.lanes.part(*self.rows), Shared(task.method, self.processes)
        self.updates = updates(self.method, self.lanes.length)
        self.total = training.steps or 0
        self.compiled = compile_layers(task.model, training)
        # torch's own wrapper for several processes knows one forward pass, and methods ask more of a model
        self.model: Any = accelerator.prepare_model(task.model, evaluation_mode=True)
        self.parameters = list(self.model.parameters())
        self.stepping = make_stepping(training, self._bare())
        self.clip, self.schedule = self.stepping.clip, self.stepping.schedule
        self.optimizer: Any = accelerator.prepare_optimizer(self.stepping.optimizer)
        self._backward: Backward = accelerator.backward
        if accelerator.scaler is None:
            # accelerate looks for optional packages on disk at each call: 0.2 ms a step that nothing needs here
            self.optimizer, self._backward = self.stepping.optimizer, torch.Tensor.backward
        self.counters = Counters()
        self.meter = Meter(check_norm=training.precision != "fp16")
        # waiting for a device at each step costs time, and only skipping needs it; a CPU waits for nothing
        self.reads_at_once = self.device.type == "cpu" or training.on_nan == "skip"
        self.state: State = None
        self.figures: dict[str, float] = {}
        self.solved = False
        self.probe = Probe(task.model, task.lanes, training, display.say)
        self._began = self._read_at = self._saved_at = time.monotonic()
        self._last_saved_step: int | None = None
        self._speed = Speed()

    def fit(self) -> Outcome:
        """Train to the last step, or until a signal asks to stop; the state is saved either way."""
        self._began = self._read_at = self._saved_at = time.monotonic()
        self.processes.begin_alike(self.model)
        self.probe.look(self._bare(), self.counters.step, self.device)
        self.model.train()
        asked = 0
        with StopRequest() as request:
            for window in self._windows():
                self._learn(window)
                asked, due = self.processes.most(request.signal or 0, self._due())
                self._attend(due)
                if asked or self.solved or self.counters.step >= self.total:
                    break
            if self.counters.step != self._last_saved_step:
                self.save()
        return self._outcome(signal.Signals(asked) if asked else None)

    def resume(self, initial: State) -> None:
        """Restore the last checkpoint; `initial` is a state of the model, for its structure."""
        initial = self.method.carried(initial, self._bare(), lambda: self.lanes.segment(0, 1))
        state, facts = checkpoint.load(
            self.folder.last, self._bare(), self.stepping, initial, self.device, self.folder.kind
        )
        self.state = rows_of_state(state, *self.rows)
        try:
            self.counters = Counters(**facts["counters"])
        except (KeyError, TypeError) as error:
            raise RunError(str(self.folder.last), f"damaged: {error}", "", "Begin anew with --overwrite") from None
        if self.accelerator.scaler is not None and facts.get("scaler"):
            self.accelerator.scaler.load_state_dict(facts["scaler"])
        self.meter.nats, self.meter.count = self.counters.nats, self.counters.count
        self.meter.clipped = self.counters.clipped
        self._last_saved_step = self.counters.step

    def save(self) -> None:
        """Write the last checkpoint."""
        self.meter.read()
        refuse_bad_weights(self.model, self.counters.step)
        self.counters.nats, self.counters.count = self.meter.nats, self.meter.count
        self.counters.clipped = self.meter.clipped
        self.counters.seconds = self._elapsed()
        self._began = time.monotonic()
        scaler = self.accelerator.scaler
        facts = {"counters": asdict(self.counters), "steps": self.total, "scaler": scaler and scaler.state_dict()}
        state = self.processes.gathered(self.state)
        if self.processes.is_first:
            checkpoint.save(self.folder.last, self._bare(), self.stepping, state, self.device, facts, self.folder.kind)
        self._last_saved_step, self._saved_at = self.counters.step, time.monotonic()

    def _windows(self) -> Iterator[Window]:
        """Yield windows from where the counters stand, reading after reading, each from no state."""
        counters = self.counters
        while counters.step < self.total:
            self.lanes.begin(counters.epoch)
            self.updates = updates(self.method, self.lanes.length)
            for update, window in enumerate(self.method.windows(self.lanes.length, counters.epoch)):
                if update < counters.update:
                    continue
                counters.update = update + 1
                yield window
            counters.epoch, counters.update, self.state = counters.epoch + 1, 0, None

    def _learn(self, window: Window) -> None:
        counters = self.counters
        self.schedule.set(self.optimizer, counters.step)
        segment = self.lanes.segment(window.position, window.length)
        if self.device.type != "cpu":
            segment = move(segment, self.device)
        with self.processes.stream(self.training.seed, counters.step):
            attempt = Attempt(segment, window, self.state, torch.get_rng_state())
            nats, count, self.state = self.method.accumulate(self.model, segment, window, self.state, self._backward)
        if self.accelerator.scaler is not None:
            self.accelerator.unscale_gradients(self.optimizer)
        late = str if self.reads_at_once else late_origin(self.model, window, self.task.row_name)
        norm, clipped = self.clip(self.parameters)
        counters.step += 1
        if self._is_good(nats, norm):
            self.stepping.step(self.optimizer)
            self.meter.add(counters.step, nats, count, norm, clipped, late)
        else:
            self._leave_out(attempt, nats, norm)
        self.optimizer.zero_grad()
        read = self._read_by(window, count)
        counters.symbols += read
        self._speed.add(read)

    def _is_good(self, nats: Tensor, norm: Tensor) -> bool:
        """Whether an update may be made; where a device is not waited for, the meter finds the fault later."""
        finite = not self.reads_at_once or math.isfinite(float(nats))
        return finite and (not (self.reads_at_once and self.meter.check_norm) or math.isfinite(float(norm)))

    def _leave_out(self, attempt: Attempt, nats: Tensor, norm: Tensor) -> None:
        """Count an update that is not made; or end the run with the fault named."""
        counters, stops = self.counters, self.training.on_nan == "stop"
        if stops or not counters.skipped:
            fault = trace(self.task.method, self.model, attempt, self._backward, nats, norm)
            fault = found_by_any(fault, self.rows[0], self.processes)
            error = refusal(fault, self.task.row_name, counters.step, self._last_saved_step)
            if stops:
                raise error
            self.display.say(f"{error.where}: {error.got}. Such updates are left out and counted")
        counters.skipped += 1
        state = unspoilt(self.state)
        (spoilt,) = self.processes.most(state is None)
        self.state = None if spoilt else state
        if self.accelerator.scaler is not None:
            self.optimizer.step()  # leaves it out by itself, and lowers the scale

    def _read_by(self, window: Window, count: int) -> int:
        """Return how many symbols a window read; of a task, how many sequences it ended."""
        if self.task.counts == "symbols":
            return count
        return self.lanes.rows * (window.position + window.length >= self.lanes.length)

    def _due(self) -> int:
        """Return what the clock of the first process asks for."""
        now = time.monotonic()
        if not self.processes.is_first:
            return NOTHING
        return SAVE if now - self._saved_at > SAVE_EVERY_S else READ if now - self._read_at > READ_EVERY_S else NOTHING

    def _attend(self, due: int) -> None:
        """Report, validate and save when they are due."""
        step = self.counters.step
        every = self.training.validate_every or self.total
        if step % every == 0 or step >= self.total:
            with self.stepping.average.shown():
                self._validate()
            self.save()
        elif due == SAVE:
            self.save()
        elif due == READ:
            self.meter.read()
            self.probe.look(self._bare(), step, self.device)
            self._read_at = time.monotonic()
            self.display.update(self._figures())

    def _validate(self) -> None:
        self.meter.read()
        figures, sample = self._figures(), ""
        if self.processes.is_first:
            self.probe.look(self._bare(), self.counters.step, self.device)
            self.model.eval()
            with torch.no_grad():
                self.figures = self.task.validate(self._bare())
                sample = self.task.sample(self._bare(), self.counters.step) if self.task.sample else ""
            self.model.train()
        self.figures = self.processes.told(self.figures)
        score, counters = self.figures[self.task.score], self.counters
        refuse_non_finite(counters.step, "validation loss", score)
        self.solved = self.task.is_solved(self.figures)
        best = counters.best is None or score <= counters.best or self.solved
        if best:
            counters.best, counters.best_step = score, counters.step
        if self.processes.is_first:
            self._record(figures, best)
        self.stepping.report(score)
        self.display.validated(figures, self.figures, self.task.in_words(self.figures), best, sample)
        self.meter.restart()
        self._speed.restart()

    def _record(self, figures: Figures, best: bool) -> None:
        """Write the measurements, and the weights where they are the best."""
        self.folder.append_metrics(line := self._line(figures))
        self.accelerator.log({k: v for k, v in line.items() if k != "step"}, step=figures.step)
        if best:
            facts = {"step": figures.step, **self.figures}
            write_tensors(self.folder.model, self._bare().state_dict(), facts, self.folder.kind)
            self.task.write_card({**facts, "steps": self.total, "read": self.counters.symbols})

    def _line(self, figures: Figures) -> dict[str, Any]:
        return {
            "step": figures.step,
            "epoch": round(figures.epoch, 4),
            self.task.counts: self.counters.symbols,
            f"train_{self.task.loss or self.task.score}": None if math.isnan(figures.loss) else figures.loss,
            "gradient_norm": figures.norm,
            "clipped_steps": self.meter.clipped,
            "skipped_steps": self.counters.skipped,
            "learning_rate": self.schedule.at(figures.step - 1),
            **self.stepping.average.figures(),
            **self.probe.figures(),
            **{f"valid_{name}": value for name, value in self.figures.items()},
            "seconds": round(self._elapsed(), 3),
        }

    def _figures(self) -> Figures:
        counters, mean = self.counters, self.meter.mean
        speed, per_symbol = self._speed.value(), self.task.characters_per_symbol
        per_step = counters.symbols / max(1, counters.step)
        return Figures(
            step=counters.step,
            steps=self.total,
            epoch=(counters.epoch + counters.update / self.updates) / (self.task.readings_an_epoch or 1),
            loss=mean,
            bits_per_character=mean / math.log(2) / per_symbol if per_symbol else None,
            unit=self.task.counts,
            read=counters.symbols,
            endless=self.task.readings_an_epoch is None,
            norm=self.meter.norm,
            read_per_s=speed,
            seconds_left=(self.total - counters.step) * per_step / speed if speed else math.nan,
            horizon=self.probe.shown(),
        )

    def _elapsed(self) -> float:
        return self.counters.seconds + time.monotonic() - self._began

    def _bare(self) -> Any:
        return self.accelerator.unwrap_model(self.model, keep_torch_compile=False)

    def _outcome(self, stopped: signal.Signals | None) -> Outcome:
        counters, early = self.counters, stopped if self.counters.step < self.total else None
        return Outcome(
            self.folder.path, counters.step, self.total, counters.best, counters.best_step, counters.seconds,
            early, self.solved, counters.clipped, self.figures, counters.skipped, counters.symbols,
            horizon=self.probe.last(self._bare(), counters.step, self.device),
        )  # fmt: skip
