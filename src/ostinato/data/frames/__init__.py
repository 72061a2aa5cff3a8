"""Sequences of numbers with labels, read item by item: `.ts`, NumPy archives, idx images."""

from ostinato.data.frames.gaps import Missing
from ostinato.data.frames.opening import FramesFormat, frames_format, open_frames
from ostinato.data.frames.recordings import Frames, Recordings

__all__ = ["Frames", "FramesFormat", "Missing", "Recordings", "frames_format", "open_frames"]
