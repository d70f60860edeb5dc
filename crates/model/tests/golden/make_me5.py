"""Writes me5.json: embeddings of multilingual-e5-small by PyTorch, from the weights in four bits.

Made with torch 2.15.0 (CPU), transformers 5.24.0, tokenizers 0.23.3.
Usage: python make_me5.py FOUR_BIT_FILE TOKENIZER_JSON > me5.json

The weights are decoded here, in f32 throughout, and not by the engine: the golden covers the conversion as well. Each text
is encoded alone: no padding.
"""

import json
import struct
import sys

import numpy
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

QUERIES = ["", "how much protein should a female eat", "南瓜的家常做法", "Wer entdeckte das Radium?"]
PASSAGES = [
    "",
    "Marie and Pierre Curie discovered radium in 1898, in a sample of uraninite.",
    "Das ist ein Satz über Straßenbahnen.",
    "彼は東京に住んでいます。",
    "मैं कल दिल्ली जा रहा हूँ।",
    "Ninapenda kusoma vitabu.",
    "الكتاب على الطاولة.",
    "ፀሐይ ትወጣለች።",
    "e\u0301 and \u00e9, \uff21\uff22\uff23, 1\u00bd, \u200b\u00ad",
    "   spaces\tand\nlines   ",
    "A long document loses its end. " * 90,
]
PARTS = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value", "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm", "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}
TABLES = {"word": "word_embeddings", "pos": "position_embeddings", "type": "token_type_embeddings"}


def directory(data):
    """Reads the sizes and, for each tensor, its type, count and offset."""
    sizes = struct.unpack_from("<7i", data, 8)
    pieces, *_, texts = struct.unpack_from("<5iQ", data, 44)
    at = 72 + 4 * (pieces + 1) + 4 * pieces + texts
    at += 8 + struct.unpack_from("<iI", data, at)[1]
    (count,) = struct.unpack_from("<i", data, at)
    at += 4
    tensors = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        kind, values, start, _ = struct.unpack_from("<BIQQ", data, at + 2 + length)
        tensors[name] = (kind, values, start)
        at += 2 + length + 21
    return sizes, tensors


def values(data, kind, count, start):
    if kind == 0:
        return numpy.frombuffer(data, "<f4", count, start)
    blocks = numpy.frombuffer(data, numpy.uint8, count // 32 * 18, start).reshape(-1, 18)
    scales = blocks[:, :2].copy().view("<f2").astype(numpy.float32)
    halves = numpy.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1).astype(numpy.float32)
    return scales * (halves - 8)


def published(name):
    first, *middle, last = name.split(".")
    if first == "emb" and not middle:
        return f"embeddings.{TABLES[last]}.weight"
    part = {"w": "weight", "b": "bias"}[last]
    return f"embeddings.LayerNorm.{part}" if first == "emb" else f"encoder.layer.{first[1:]}.{PARTS[middle[0]]}.{part}"


def main(weights, tokenizer):
    with open(weights, "rb") as file:
        data = file.read()
    (hidden, layers, heads, inner, vocabulary, positions, types), tensors = directory(data)
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner,
        max_position_embeddings=positions, type_vocab_size=types, hidden_act="gelu", layer_norm_eps=1e-12, attn_implementation="eager",
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    names = {published(name): name for name in tensors}
    assert names.keys() == shapes.keys()
    state = {name: torch.tensor(values(data, *tensors[names[name]])).reshape(shape) for name, shape in shapes.items()}
    model.load_state_dict(state, strict=False)
    made = Tokenizer.from_file(tokenizer)
    made.no_padding()
    made.enable_truncation(512)

    def embed(text):
        ids = torch.tensor([made.encode(text).ids])
        with torch.no_grad():
            states = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        return [round(x, 7) for x in torch.nn.functional.normalize(states.mean(0), dim=0).tolist()]

    out = {
        "queries": QUERIES, "query_vectors": [embed("query: " + text) for text in QUERIES],
        "passages": PASSAGES, "passage_vectors": [embed("passage: " + text) for text in PASSAGES],
    }
    print(json.dumps(out))


main(*sys.argv[1:])
