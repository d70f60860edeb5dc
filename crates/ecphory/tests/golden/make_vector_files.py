"""Writes the goldens of vector files, and reads back what the program wrote.

Made with numpy 2.4.6, safetensors 0.8.0, pyarrow 26.0.1.
Usage, in this folder:
  python make_vector_files.py              writes headers.json and ../../src/export/arrow_schema.bin
  python make_vector_files.py read FILE    reads a .npy, .safetensors or .parquet, prints ids, shape, type and values
"""

import base64
import io
import json
import sys
from pathlib import Path

import numpy
import pyarrow
import pyarrow.parquet
import safetensors.numpy

LIST_SIZE_AT = 116


def arrow_schema(dimensions):
    element = pyarrow.field("element", pyarrow.float32(), nullable=False)
    embedding = pyarrow.list_(element, dimensions)
    fields = [pyarrow.field("id", pyarrow.string(), nullable=False), pyarrow.field("embedding", embedding, nullable=False)]
    schema = pyarrow.schema(fields)
    out = io.BytesIO()
    empty = {"id": pyarrow.array([], pyarrow.string()), "embedding": pyarrow.array([], embedding)}
    pyarrow.parquet.write_table(pyarrow.table(empty, schema=schema), out)
    return base64.b64decode(pyarrow.parquet.read_metadata(out).metadata[b"ARROW:schema"])


def npy_header(rows, dimensions, dtype):
    out = io.BytesIO()
    header = {"descr": numpy.dtype(dtype).str, "fortran_order": False, "shape": (rows, dimensions)}
    numpy.lib.format.write_array_header_1_0(out, header)
    return out.getvalue()


def write():
    template = bytearray(arrow_schema(3))
    for dimensions in (1, 384, 0x01020304):
        template[LIST_SIZE_AT : LIST_SIZE_AT + 4] = dimensions.to_bytes(4, "little")
        assert bytes(template) == arrow_schema(dimensions)
    Path("../../src/export/arrow_schema.bin").write_bytes(arrow_schema(1))
    shapes = [(0, 6, "f4"), (7, 6, "f4"), (1_000_000, 384, "f2"), (2**40, 4096, "f4")]
    headers = [
        {"rows": rows, "dimensions": dimensions, "values": {"f4": "f32", "f2": "f16"}[dtype],
         "npy": npy_header(rows, dimensions, dtype).decode("latin-1")}
        for rows, dimensions, dtype in shapes
    ]
    values = [0.0, -0.0, 1.0, 1 / 3, -2.0005, 65504.0, 65519.0, 6e-8, 2e-8, 1.0009765625, 1.00048828125, 1.00146484375]
    halves = numpy.array(values, "f4").astype("f2").view("u2").tolist()
    Path("headers.json").write_text(json.dumps({"headers": headers, "values": values, "halves": halves}, indent=1) + "\n")


def ids(path):
    lines = Path(path + ".ids").read_bytes().decode().split("\n")[:-1]
    return [json.loads(line) if line.startswith('"') else line for line in lines]


def read(path):
    if path.endswith(".npy"):
        names, values = ids(path), numpy.load(path)
    elif path.endswith(".safetensors"):
        names, values = ids(path), safetensors.numpy.load_file(path)["embeddings"]
    else:
        table = pyarrow.parquet.read_table(path)
        table.validate(full=True)
        print(table.schema.to_string(show_schema_metadata=False))
        print(pyarrow.parquet.ParquetFile(path).metadata)
        names = table["id"].to_pylist()
        column = table["embedding"].combine_chunks()
        values = column.values.to_numpy().reshape(len(names), column.type.list_size)
    print(names[:5], values.shape, values.dtype)
    print(values[:2])
    return names, values


if __name__ == "__main__":
    if len(sys.argv) > 2:
        files = [read(path) for path in sys.argv[2:]]
        for names, values in files[1:]:
            assert names == files[0][0] and numpy.array_equal(values, files[0][1].astype(values.dtype))
    else:
        write()
