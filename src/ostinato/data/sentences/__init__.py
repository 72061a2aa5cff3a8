"""Sentences with a tag a word, from CoNLL columns, CoNLL-U or plain lines: read one by one, and written back."""

from ostinato.data.sentences.lexicon import Encoded, Lexicon
from ostinato.data.sentences.opening import FORMATS, Sentences, open_sentences
from ostinato.data.sentences.schemes import SCHEMES, Scheme, SchemeSniffer
from ostinato.data.sentences.sentence import Sentence

__all__ = [
    "FORMATS",
    "SCHEMES",
    "Encoded",
    "Lexicon",
    "Scheme",
    "SchemeSniffer",
    "Sentence",
    "Sentences",
    "open_sentences",
]
