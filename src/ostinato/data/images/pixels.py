"""Reads an image of any format that Pillow knows as square RGB of a stated size; what is no image is said so."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.readers import check_file

if TYPE_CHECKING:
    from PIL import Image

Fit = Literal["pad", "crop", "stretch"]
"""How an image that is not square becomes so: beside black bars, cut to its middle, or distorted."""
MOST_PIXELS = 178_956_970
"""Pixels above which an image is refused before it is unpacked: Pillow refuses more."""
_ROWS = 64  # of deep grey at once: a large image is not held in several copies
_POSSIBLE = "PNG, JPEG, GIF, BMP, WebP, TIFF and what else Pillow reads"


def read_image(source: Path | bytes, size: int, fit: Fit = "pad", *, where: str = "") -> NDArray[np.uint8]:
    """Return the image of a file, or of its bytes, as (size, size, 3).

    Grey becomes three equal channels, what is transparent white, of several frames the first is taken, and an
    image that its camera marks as turned is turned. `where` is what errors call it (default: the path). Raises
    DataError for what is missing, empty, no image, cut off or larger than MOST_PIXELS; ConfigError for a `fit` or
    a `size` that cannot be.
    """
    check_fit(size, fit)
    where = where or str(source if isinstance(source, Path) else "an image")
    if isinstance(source, Path):
        check_file(source)
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata, and of sizes that are checked here
            with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as opened:
                if (pixels := opened.width * opened.height) > MOST_PIXELS:
                    raise _too_large(where, opened.size, pixels)
                return np.array(_fitted(_upright_rgb(opened, size), size, fit))
    except UnidentifiedImageError:
        raise DataError(where, "not an image that is known", _POSSIBLE, "Check the file, or leave it out") from None
    except Image.DecompressionBombError:
        raise DataError(where, "an image of very many pixels", f"Up to {MOST_PIXELS:,}", "Make it smaller") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, OverflowError, MemoryError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]  # which of them differs by format
        raise DataError(where, f"a damaged image ({reason})", _POSSIBLE, "Fetch it again, or leave it out") from None


def check_fit(size: int, fit: str) -> None:
    """Raise ConfigError for a size below 1, and a way to fit that is none."""
    if not 1 <= size <= 4096:
        raise ConfigError("--image-size", f"{size}", "Possible: 1 to 4096 pixels", "Use 48, or 224 for photographs")
    if fit not in get_args(Fit):
        possible = f"Possible: {', '.join(get_args(Fit))}"
        raise ConfigError("--fit", f"'{fit}'", possible, did_you_mean(fit, get_args(Fit)))


def _upright_rgb(image: Image.Image, size: int) -> Any:
    """Return an image as RGB over white, turned as its camera says."""
    from PIL import ImageOps

    image.draft("RGB", (size, size))  # a large JPEG is unpacked no larger than is needed
    image.load()
    turned = ImageOps.exif_transpose(image)
    if turned.mode.startswith("I;16") or turned.mode in ("I", "F"):
        return _eight_bits(turned).convert("RGB")
    if "A" in turned.getbands() or "transparency" in turned.info:
        from PIL import Image

        seen = turned.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return turned.convert("RGB")


def _eight_bits(image: Any) -> Any:
    """Return an image of deep grey as 8 bits: of 16 bits the upper eight, of other numbers from least to most."""
    from PIL import Image

    values = np.asarray(image)
    low = min(float(part.min()) for _, part in _strips(values))
    high = max(float(part.max()) for _, part in _strips(values))
    if image.mode.startswith("I;16") or (image.mode == "I" and low >= 0 and 255 < high < 1 << 16):
        low, high = 0.0, float((1 << 16) - 1)
    found = np.empty(values.shape, np.uint8)
    for rows, part in _strips(values):
        found[rows] = ((part - low) / ((high - low) or 1.0) * 255).round()
    return Image.fromarray(found)


def _strips(values: NDArray) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield some rows after the other, finite and in float64, with where they stand."""
    for first in range(0, len(values), _ROWS):
        rows = slice(first, first + _ROWS)
        yield rows, np.nan_to_num(values[rows].astype(np.float64))


def _fitted(image: Any, size: int, fit: Fit) -> Any:
    from PIL import Image, ImageOps

    if fit == "stretch":
        return image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3)
    fitted = ImageOps.pad if fit == "pad" else ImageOps.fit
    return fitted(image, (size, size), Image.Resampling.BILINEAR)


def _too_large(where: str, size: tuple[int, int], pixels: int) -> DataError:
    got = f"an image of {size[0]} x {size[1]}, {pixels:,} pixels"
    return DataError(where, got, f"Up to {MOST_PIXELS:,}", "Make it smaller")
