"""Writes onnx/: graphs for ONNX Runtime, made of the transformer in tiny/bert-all-poolings.

Made with torch 2.15.0 (CPU), transformers 5.24.0, safetensors 0.8.0, onnx 1.23.2.
Usage: python make_onnx.py   (in this folder, after make_tiny.py)

bert-all-poolings.onnx is the transformer with all its inputs, exported by torch. The others are a few bytes each and fit no encoder: each
is refused for another reason.
"""

from pathlib import Path

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file
from transformers import BertConfig, BertModel

HERE = Path("onnx")


class States(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state


def model():
    folder = Path("tiny/bert-all-poolings")
    made = BertModel(BertConfig.from_pretrained(folder, attn_implementation="eager"), add_pooling_layer=False).float().eval()
    tensors = load_file(folder / "model.safetensors")
    older = {"bert.": "", "LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
    for old, name in older.items():
        tensors = {k.replace(old, name): v.float() for k, v in tensors.items()}
    missing = made.load_state_dict(tensors, strict=False)
    assert not missing.unexpected_keys and missing.missing_keys in ([], ["embeddings.position_ids"]), missing
    return made


def transformer():
    ids = torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0]])
    names = ["input_ids", "attention_mask", "token_type_ids"]
    path = HERE / "bert-all-poolings.onnx"
    torch.onnx.export(
        States(model()), (ids, (ids > 0).long(), torch.zeros_like(ids)), path, input_names=names,
        output_names=["last_hidden_state"], dynamic_axes={n: {0: "texts", 1: "tokens"} for n in [*names, "last_hidden_state"]},
        opset_version=17, dynamo=False,
    )
    made = onnx.load(path)
    small(made.graph)
    onnx.checker.check_model(made)
    onnx.save(made, path)


def small(graph):
    """Stores tables and matrices as bf16, which they were rounded to, and gives everything inside the graph a short name."""
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == numpy.float32 and values.size > 16:
            bits = numpy.ascontiguousarray(values).view(numpy.uint32)
            assert not (bits & 0xFFFF).any()
            name = tensor.name
            tensor.CopyFrom(helper.make_tensor(name + "16", TensorProto.BFLOAT16, values.shape, (bits >> 16).astype("<u2").tobytes(), raw=True))
            casts.append(helper.make_node("Cast", [name + "16"], [name], to=TensorProto.FLOAT))
    nodes = casts + list(graph.node)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    kept = {v.name for v in [*graph.input, *graph.output]} | {""}
    short = {}
    rename = lambda n: n if n in kept else short.setdefault(n, f"v{len(short)}")
    for tensor in graph.initializer:
        tensor.name = rename(tensor.name)
    for node in graph.node:
        node.name = node.doc_string = ""
        del node.metadata_props[:]
        node.input[:], node.output[:] = [rename(n) for n in node.input], [rename(n) for n in node.output]


def wrong(name, inputs, kind, output, axes):
    """A graph of one cast, with `axes` new axes at the end."""
    sizes = ["texts", "tokens"]
    given = [helper.make_tensor_value_info(n, t, s) for n, t, s in inputs]
    nodes = [helper.make_node("Cast", [inputs[0][0]], ["cast"], to=kind)]
    tensors = []
    if axes:
        tensors.append(helper.make_tensor("axes", TensorProto.INT64, [axes], [-1 - i for i in range(axes)]))
        nodes.append(helper.make_node("Unsqueeze", ["cast", "axes"], [output]))
    else:
        nodes.append(helper.make_node("Identity", ["cast"], [output]))
    out = helper.make_tensor_value_info(output, kind, sizes + [1] * axes)
    made = helper.make_model(helper.make_graph(nodes, name, given, [out], tensors), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    onnx.save(made, HERE / f"{name}.onnx")


def main():
    HERE.mkdir(exist_ok=True)
    transformer()
    sizes, whole, single = ["texts", "tokens"], TensorProto.INT64, TensorProto.FLOAT
    ids, mask = ("input_ids", whole, sizes), ("attention_mask", whole, sizes)
    wrong("unknown-input", [ids, mask, ("position_ids", whole, sizes)], single, "last_hidden_state", 1)
    wrong("no-mask", [ids], single, "last_hidden_state", 1)
    wrong("narrow-input", [("input_ids", TensorProto.INT32, sizes), mask], single, "last_hidden_state", 1)
    wrong("fixed-size", [("input_ids", whole, [1, 8]), ("attention_mask", whole, [1, 8])], single, "last_hidden_state", 1)
    wrong("no-states", [ids, mask], single, "pooled", 0)
    wrong("half-states", [ids, mask], TensorProto.FLOAT16, "last_hidden_state", 1)
    # Three dimensions under another name, but one value a token.
    wrong("other-size", [ids, mask], single, "states", 1)


main()
