"""What is captioned: images, regions of images and vectors, with captions, or with questions and their answers."""

from ostinato.data.images.captioned import Captioned, CaptionedSet, ContextKind
from ostinato.data.images.opening import open_captioned
from ostinato.data.images.pixels import Fit, read_image
from ostinato.data.images.tables import Columns, Images
from ostinato.data.images.vectors import vector_of_text

__all__ = [
    "Captioned",
    "CaptionedSet",
    "Columns",
    "ContextKind",
    "Fit",
    "Images",
    "open_captioned",
    "read_image",
    "vector_of_text",
]
