"""Speech: sounds with their transcripts from manifests, folders and archives, and the features that models read."""

from ostinato.data.speech.digits import Digits
from ostinato.data.speech.features import LogMel
from ostinato.data.speech.listening import Listener
from ostinato.data.speech.opening import SpeechFormat, open_speech
from ostinato.data.speech.sound import BadSound, Sound, read_sound
from ostinato.data.speech.utterance import Speech, Utterance

__all__ = [
    "BadSound",
    "Digits",
    "Listener",
    "LogMel",
    "Sound",
    "Speech",
    "SpeechFormat",
    "Utterance",
    "open_speech",
    "read_sound",
]
