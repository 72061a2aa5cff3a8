"""A small program around a printed source: it reads recorded arguments, runs the pass on threads of its own, and writes
every array back. Each array is a piece of memory of its own and exactly as large, so that a step beyond it shows."""

import struct
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ostinato.unroll.native import kernel
from ostinato.unroll.native.printer import Source

MAIN = r"""
#include <cstdio>
#include <pthread.h>
#include <vector>

static thread_local int my_id = 0, my_count = 1;
struct Hired { void (*work)(void *); void *data; int id, count; };
static void *begin(void *given) {
  Hired *self = static_cast<Hired *>(given);
  my_id = self->id; my_count = self->count;
  self->work(self->data);
  my_id = 0; my_count = 1;
  return nullptr;
}
static void in_parallel(void (*work)(void *), void *data, unsigned count, unsigned) {
  std::vector<Hired> team(count);
  std::vector<pthread_t> threads(count);
  for (unsigned k = 0; k < count; ++k) team[k] = {work, data, int(k), int(count)};
  for (unsigned k = 1; k < count; ++k) pthread_create(&threads[k], nullptr, begin, &team[k]);
  begin(&team[0]);
  for (unsigned k = 1; k < count; ++k) pthread_join(threads[k], nullptr);
}
static int thread_id() { return my_id; }
static int thread_count() { return my_count; }

struct Array { char kind; int64_t bytes; void *at; };

int main(int, char **argv) {
  FILE *in = std::fopen(argv[1], "rb"), *out = std::fopen(argv[2], "wb");
  const long threads = std::atol(argv[3]);
  int64_t count = 0;
  if (!in || !out || std::fread(&count, 8, 1, in) != 1) return 3;
  std::vector<Array> arrays(count);
  std::vector<int64_t> words(count);
  for (int64_t k = 0; k < count; ++k) {
    Array &a = arrays[k];
    if (std::fread(&a.kind, 1, 1, in) != 1 || std::fread(&a.bytes, 8, 1, in) != 1) return 3;
    if (a.kind == 'w') { words[k] = a.bytes; continue; }
    a.at = a.kind == '0' ? nullptr : std::malloc(a.bytes);
    if (a.kind == 'a' && a.bytes && std::fread(a.at, a.bytes, 1, in) != 1) return 3;
    words[k] = reinterpret_cast<int64_t>(a.at);
  }
  real *const memory = static_cast<real *>(std::malloc(numbers_needed(words[1], threads) * sizeof(real)));
  real *const packed = static_cast<real *>(std::malloc(packed_needed() * sizeof(real)));
  words[5] = reinterpret_cast<int64_t>(memory);
  words[6] = reinterpret_cast<int64_t>(packed);
  const Pool pool{in_parallel, thread_id, thread_count};
  PASS(reinterpret_cast<const Arguments *>(words.data()), &pool, threads);
  for (Array &a : arrays) {
    if (a.at && a.bytes) std::fwrite(a.at, a.bytes, 1, out);
    std::free(a.kind == 'w' ? nullptr : a.at);
  }
  std::free(memory);
  std::free(packed);
  std::fclose(in);
  return std::fclose(out);
}
"""


@dataclass
class Recorded:
    """One call of a compiled pass: its source, what it was given, and what stood in each array afterwards."""

    source: Source
    direction: str
    words: list[bytes] = field(default_factory=list)
    results: list[np.ndarray] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)

    def check(self, program: Path, threads: int, *prefix: str, tolerance: float = 1e-4) -> None:
        """Run the program on the recorded arguments; it must end without complaint and with the recorded numbers."""
        given, made = program.with_suffix(".in"), program.with_suffix(".out")
        given.write_bytes(struct.pack("=q", len(self.words)) + b"".join(self.words))
        done = subprocess.run(
            [*prefix, program, given, made, str(threads)], capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, f"{done.returncode}: {done.stderr[-4000:]}"
        content, at = made.read_bytes(), 0
        for expected in self.results:
            found = np.frombuffer(content, expected.dtype, expected.size, at)
            at += expected.nbytes
            with np.errstate(invalid="ignore"):  # what a pass leaves alone may hold anything, signaling NaN included
                found, expected = found.astype(np.float64), expected.astype(np.float64)
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
        assert at == len(content)


def record(monkeypatch, run, *, by_rows: bool) -> list[Recorded]:
    """Return the calls of compiled passes that a function makes, as if its threads shared out rows, or units."""
    calls: list[Recorded] = []
    original = kernel.Kernel.__call__

    def noted(self, rows, batch, tensors, constants, *, reset=None):
        call = Recorded(self.source, self.direction)
        every = torch.tensor(rows, dtype=torch.int64)
        for word in (len(rows), batch, int(by_rows)):
            call.words.append(_word(word))
        _note(call, every)
        _note(call, reset)
        call.words += [_word(0), _word(0), _word(1)]
        for name, is_constant in self.fields:
            if is_constant:
                call.words.append(b"w" + struct.pack("=d", constants[name]))
            else:
                _note(call, tensors[name])
        original(self, rows, batch, tensors, constants, reset=reset)
        call.results = [t.detach().clone().reshape(-1).view(_plain(t)).numpy() for t in call.tensors]
        calls.append(call)

    monkeypatch.setattr(kernel.Kernel, "__call__", noted)
    run()
    monkeypatch.setattr(kernel.Kernel, "__call__", original)
    return calls


def _word(value: int) -> bytes:
    return b"w" + struct.pack("=q", value)


def _note(call: Recorded, tensor: Tensor | None) -> None:
    if tensor is None:
        call.words.append(b"0" + struct.pack("=q", 0))
        return
    assert tensor.is_contiguous()
    tensor = tensor.detach()
    content = tensor.clone().reshape(-1).view(_plain(tensor)).numpy().tobytes()
    call.words.append(b"a" + struct.pack("=q", len(content)) + content)
    call.tensors.append(tensor)


def _plain(tensor: Tensor) -> torch.dtype:
    return torch.uint8 if tensor.dtype == torch.bool else tensor.dtype


def build(compiler: str, source: Source, direction: str, folder: Path, *flags: str) -> Path:
    """Return the program around a source, built with these flags and without a warning."""
    program = folder / direction
    text = source.text + MAIN.replace("PASS", direction)
    command = [compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", *flags, "-x", "c++", "-", "-o", program]
    done = subprocess.run([*command, "-lpthread"], input=text, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[:4000]
    return program


def builds_with(compiler: str, *flags: str, prefix: tuple[str, ...] = ()) -> bool:
    """Return whether a program built with these flags runs here; sanitizers are packages of their own."""
    with tempfile.TemporaryDirectory() as place:
        program = Path(place) / "probe"
        command = [compiler, *flags, "-x", "c++", "-", "-o", program, "-lpthread"]
        built = subprocess.run(command, input="int main() { return 0; }", capture_output=True, text=True)
        return built.returncode == 0 and subprocess.run([*prefix, program], capture_output=True).returncode == 0
