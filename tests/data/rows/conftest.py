"""Good files, to be damaged."""

import gzip
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

_IDX = struct.pack(">HBB3I", 0, 8, 3, 4, 3, 2) + bytes(range(24))
_TS = b"@univariate false\n@classLabel true a b\n@data\n1,2,3:4,5,6:a\n1,2:3,?:b\n"


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """Give the bytes of a good file by its name."""
    folder = tmp_path_factory.mktemp("whole")
    np.savez(folder / "a.npz", x=np.arange(24.0).reshape(4, 3, 2), y=np.arange(4))
    np.savez_compressed(folder / "packed.npz", values=np.arange(5.0), offsets=[0, 2, 5], y=["a", "b"])
    pq.write_table(pa.table({"text": ["a", "b"], "label": [1, 2]}), folder / "a.parquet")
    (folder / "a.idx").write_bytes(_IDX)
    (folder / "a.idx.gz").write_bytes(gzip.compress(_IDX))
    (folder / "a.csv.gz").write_bytes(gzip.compress(b"text,label\na,1\nb,2\n"))
    (folder / "a.ts").write_bytes(_TS)
    return lambda name: (folder / name).read_bytes()
