"""Writes blocks.json: random blocks of every supported GGUF type and their values by the gguf package.

Made with gguf 0.19.0, numpy 2.4.6.
Usage: python make_blocks.py > blocks.json   (in this folder)

Bytes are random; the f16 scales in them are drawn as numbers, so that all values are finite. Bytes and the bits of the f32 values are
written as hexadecimal digits, little-endian.
"""

import json

import numpy
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

BLOCKS = 3
# Where a block of each type has f16 numbers.
SCALES = {
    "F32": [], "F16": [0], "BF16": [], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}

random = numpy.random.default_rng(20)
made = []
for name, scales in SCALES.items():
    kind = GGMLQuantizationType[name]
    values, size = GGML_QUANT_SIZES[kind]
    count = BLOCKS if values > 1 else 40
    blocks = random.integers(0, 256, (count, size), dtype=numpy.uint8)
    if name == "F32":
        blocks = random.normal(size=count).astype("<f4").view(numpy.uint8).reshape(count, 4)
    if name == "BF16":
        numbers = random.normal(size=count).astype("<f4").view("<u4") >> 16
        blocks = numbers.astype("<u2").view(numpy.uint8).reshape(count, 2)
    for at in scales:
        numbers = (random.normal(size=count) * 10.0 ** random.integers(-6, 3, count)).astype("<f2")
        blocks[:, at:at + 2] = numbers.view(numpy.uint8).reshape(count, 2)
    decoded = dequantize(numpy.ascontiguousarray(blocks).reshape(1, -1), kind).reshape(-1)
    assert decoded.size == count * values and numpy.isfinite(decoded).all(), name
    made.append({
        "number": int(kind), "name": name, "bytes": blocks.tobytes().hex(), "values": decoded.astype("<f4").tobytes().hex(),
    })
print("[\n" + ",\n".join(json.dumps(one) for one in made) + "\n]")
