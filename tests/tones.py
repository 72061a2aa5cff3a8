"""Speech that is quickly learned: a tone for each letter, in sounds that are made where they are needed."""

import io
import random
import tarfile
from pathlib import Path

import numpy as np
import soundfile

PITCHES = {"a": 300.0, "b": 600.0, "c": 1200.0, " ": 2400.0}


def said(text: str, rate: int = 8000, seed: int = 0) -> np.ndarray:
    """Return samples: 80 ms of a tone for each letter, 30 ms of noise before each."""
    draw, pieces = np.random.default_rng(seed), []
    for letter in text:
        time = np.arange(int(0.08 * rate)) / rate
        pieces += [np.zeros(int(0.03 * rate)), 0.3 * np.sin(2 * np.pi * PITCHES[letter] * time)]
    whole = np.concatenate(pieces)
    return whole + 0.001 * draw.standard_normal(len(whole))


def texts(count: int, seed: int = 0) -> list[str]:
    """Return texts of one to four letters."""
    draw = random.Random(seed)
    return ["".join(draw.choices("abc", k=draw.randrange(1, 5))) for _ in range(count)]


def write_manifest(folder: Path, count: int = 60, *, rate: int = 8000, name: str = "speech.csv", seed: int = 0) -> Path:
    """Write sounds and a manifest of them, and return its path."""
    (folder / "clips").mkdir(exist_ok=True)
    rows = ["audio,text"]
    for k, text in enumerate(texts(count, seed)):
        soundfile.write(folder / "clips" / f"{seed}-{k}.wav", said(text, rate, k), rate)
        rows.append(f"clips/{seed}-{k}.wav,{text}")
    (folder / name).write_text("\n".join(rows) + "\n")
    return folder / name


def write_digits(path: Path, digits: int = 3, speakers: tuple[str, ...] = ("ann", "theo"), recordings: int = 7) -> Path:
    """Write an archive of "spoken" digits, a tone for each whose pitch says which recording it is; return its path."""
    with tarfile.open(path, "w:gz") as archive:
        for digit in range(digits):
            for who, speaker in enumerate(speakers):
                for number in range(recordings):
                    time = np.arange(1600) / 8000
                    tone = 0.5 * np.sin(2 * np.pi * (100 * (1 + digit) + 50 * who + number) * time)
                    content = io.BytesIO()
                    soundfile.write(content, tone, 8000, format="WAV")
                    member = tarfile.TarInfo(f"x/{digit}_{speaker}_{number}.wav")
                    member.size = len(content.getvalue())
                    archive.addfile(member, io.BytesIO(content.getvalue()))
    return path
