"""The graphs that onnxruntime runs: exported, fused by its own optimiser for transformers, and in 8 bits.

Of the two graphs of a precision, the one is kept that is faster on this machine.
"""
import json
import os
import sys
import time

import numpy as np

from protocol import lines, serve


class Graphs:
    def prepare(self, model, folder, max_tokens, pad):
        """Makes what is missing in the folder."""
        config = json.load(open(f"{model}/config.json", encoding="utf-8"))
        made = lambda name: os.path.exists(f"{folder}/{name}.onnx")
        failed = {}

        def make(name, write):
            if made(name):
                return
            partial = f"{folder}/{name}.partial"
            try:
                write(partial)
                os.replace(partial, f"{folder}/{name}.onnx")
            except Exception as error:
                if name == "plain":
                    raise
                failed[name] = f"{type(error).__name__}: {error}"

        # A model directory for transformers and for fastembed, whose tokenizer is the file of the model whatever the
        # architecture is called.
        with open(f"{folder}/config.json", "w") as file:
            json.dump(config | {"pad_token_id": pad}, file)
        tokenizer = json.load(open(f"{model}/tokenizer.json", encoding="utf-8"))
        with open(f"{folder}/tokenizer.json", "w", encoding="utf-8") as file:
            json.dump(tokenizer | {"truncation": None, "padding": None}, file)
        pad_token = next(
            (one["content"] for one in tokenizer["added_tokens"] if one["id"] == pad), "[PAD]"
        )
        settings = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": max_tokens,
            "pad_token": pad_token,
            "model_input_names": ["input_ids", "attention_mask"],
        }
        with open(f"{folder}/tokenizer_config.json", "w") as file:
            json.dump(settings, file)
        with open(f"{folder}/special_tokens_map.json", "w") as file:
            json.dump({"pad_token": pad_token}, file)
        make("plain", lambda path: export(model, path))
        make("fused", lambda path: fuse(f"{folder}/plain.onnx", path, config))
        make("plain-int8", lambda path: quantize(f"{folder}/plain.onnx", path))
        if made("fused"):
            make("fused-int8", lambda path: quantize(f"{folder}/fused.onnx", path))
        return {"failed": failed}

    def choose(self, folder, path, max_tokens):
        """The fastest graph of each precision over a few texts of equal length, on one thread."""
        import onnxruntime
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        tokenizer.enable_truncation(max_tokens)
        encoded = tokenizer.encode_batch(lines(path)[:8])
        length = min(len(one.ids) for one in encoded)
        ids = np.array([one.ids[:length] for one in encoded], np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        chosen = {}
        for precision, names in {
            "f32": ["plain", "fused"], "int8": ["plain-int8", "fused-int8"]
        }.items():
            sessions, best = {}, {}
            for name in names:
                file = f"{folder}/{name}.onnx"
                if os.path.exists(file):
                    options = onnxruntime.SessionOptions()
                    options.intra_op_num_threads = 1
                    try:
                        sessions[name] = onnxruntime.InferenceSession(
                            file, options, providers=["CPUExecutionProvider"]
                        )
                        sessions[name].run(None, feed)
                    except Exception as error:
                        sessions.pop(name, None)
                        print(f"{name}: {error}", file=sys.stderr)
            for _ in range(3):
                for name, session in sessions.items():
                    start = time.perf_counter()
                    session.run(None, feed)
                    best[name] = min(best.get(name, 1e9), time.perf_counter() - start)
            if best:
                name = min(best, key=best.get)
                chosen[precision] = {"graph": f"{folder}/{name}.onnx", "name": name, "of": best}
        return chosen


def export(model, path):
    import torch
    from transformers import AutoModel

    class Pooled(torch.nn.Module):
        """The encoder, the mean over the mask, and the norm: all that a vector needs."""

        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, input_ids, attention_mask):
            states = self.inner(input_ids=input_ids, attention_mask=attention_mask)[0]
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            mean = (states * mask).sum(1) / mask.sum(1)
            return torch.nn.functional.normalize(mean, dim=-1)

    inner = AutoModel.from_pretrained(model, dtype=torch.float32, attn_implementation="eager")
    axes = {0: "batch", 1: "length"}
    # No id of the sample may be the one of padding.
    sample = torch.full((2, 8), 5, dtype=torch.int64)
    mask = torch.tensor([[1] * 8, [1] * 5 + [0] * 3])
    torch.onnx.export(
        Pooled(inner.eval()),
        (sample, mask),
        path,
        input_names=["input_ids", "attention_mask"],
        output_names=["vectors"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "vectors": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )


def fuse(plain, path, config):
    from onnxruntime.transformers import optimizer

    fused = optimizer.optimize_model(
        plain,
        model_type="bert",
        num_heads=config["num_attention_heads"],
        hidden_size=config["hidden_size"],
        opt_level=1,
        use_gpu=False,
    )
    fused.save_model_to_file(path)


def quantize(graph, path):
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    flags = open("/proc/cpuinfo").read()
    has_vnni = "avx512_vnni" in flags or "avx_vnni" in flags
    quantize_dynamic(
        graph,
        path,
        # A fused graph has its products of attention in one node.
        op_types_to_quantize=["MatMul", "Attention"],
        per_channel=True,
        # Without VNNI, sums of two products of bytes saturate: a bit less keeps them whole.
        reduce_range=not has_vnni,
        weight_type=QuantType.QInt8,
        # Types behind a fused node are not inferred.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )


if __name__ == "__main__":
    serve(Graphs())
