"""Which format a file of frames has; settings that are not for it."""

import numpy as np
import pytest

from ostinato._errors import ConfigError, DataError
from ostinato.data.frames import frames_format, open_frames


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.ts", "ts"),
        ("A_TRAIN.TS", "ts"),
        ("a.npz", "npz"),
        ("train-images-idx3-ubyte.gz", "idx"),
        ("train-images.idx3-ubyte", "idx"),
        ("a.idx", "idx"),
        ("a.csv", None),
        ("idx.txt", None),
    ],
)
def test_the_name_tells_the_format(name, format):
    assert frames_format(name) == format


def test_a_format_may_be_given(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 3)))
    (tmp_path / "a.npz").rename(tmp_path / "a.bin")
    assert len(list(open_frames(tmp_path / "a.bin", format="npz"))) == 2


def test_a_name_that_tells_nothing_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("1,2\n")
    with pytest.raises(DataError, match="no format of frames has such a name"):
        open_frames(tmp_path / "a.csv")


def test_a_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        open_frames(tmp_path / "a.npz")


@pytest.mark.parametrize(("options", "where"), [({"pixels": True}, "pixels"), ({"downsample": 14}, "downsample")])
def test_settings_of_images_are_for_images(tmp_path, options, where):
    (tmp_path / "a.ts").write_text("@univariate true\n@data\n1,2\n")
    with pytest.raises(ConfigError) as caught:
        open_frames(tmp_path / "a.ts", **options)
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("option", "value", "near"), [("missing", "interpolat", "interpolate"), ("format", "tsx", "ts")]
)
def test_a_setting_that_is_none_is_refused_with_the_nearest(tmp_path, option, value, near):
    (tmp_path / "a.ts").write_text("@univariate true\n@data\n1,2\n")
    with pytest.raises(ConfigError, match=f"Did you mean '{near}'"):
        open_frames(tmp_path / "a.ts", **{option: value})
