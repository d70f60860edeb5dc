"""The encoding peers: onnxruntime and sentence-transformers (PyTorch) on the CPU, fp32, the same weights.

`export` is no side of a comparison: it writes the graph that onnxruntime runs.
"""
import sys
import time

import numpy as np

from protocol import lines, serve

MAX_TOKENS = 256
BATCH = 32


class Side:
    """What both have in common; `encode(texts)` gives normalised vectors, one row a text."""

    def __init__(self, threads):
        self.threads = threads
        self.sets = {}

    def load(self, name, path):
        self.sets[name] = lines(path)
        return {}

    def timed(self, texts):
        start = time.perf_counter()
        self.encode_texts(texts)
        return time.perf_counter() - start

    def encode(self, name):
        return {"seconds": self.timed(self.sets[name])}

    def latency(self, name):
        times = [self.timed([text]) for text in self.sets[name]]
        return {"p50_ms": float(np.median(times)) * 1e3}

    def vectors(self, name, path):
        self.encode_texts(self.sets[name]).astype("<f4").tofile(path)
        return {}


class OnnxRuntime(Side):
    def version(self):
        import onnxruntime

        return {"version": onnxruntime.__version__}

    def open(self, model, onnx):
        import onnxruntime
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            onnx, options, providers=["CPUExecutionProvider"]
        )
        return {}

    def encode_texts(self, texts):
        # Batches of like length, as the other sides make them.
        order = np.argsort([-len(text) for text in texts], kind="stable")
        rows = np.empty((len(texts), 384), np.float32)
        for start in range(0, len(texts), BATCH):
            chosen = order[start : start + BATCH]
            encoded = self.tokenizer.encode_batch([texts[i] for i in chosen])
            feed = {
                "input_ids": np.array([one.ids for one in encoded], np.int64),
                "attention_mask": np.array([one.attention_mask for one in encoded], np.int64),
            }
            rows[chosen] = self.session.run(None, feed)[0]
        return rows


class SentenceTransformers(Side):
    def version(self):
        import sentence_transformers
        import torch

        return {"version": f"{sentence_transformers.__version__} (torch {torch.__version__})"}

    def open(self, model, onnx):
        import torch
        from sentence_transformers import SentenceTransformer, models

        torch.set_num_threads(self.threads)
        transformer = models.Transformer(model, max_seq_length=MAX_TOKENS)
        pooling = models.Pooling(transformer.get_word_embedding_dimension(), "mean")
        self.model = SentenceTransformer(
            modules=[transformer, pooling, models.Normalize()], device="cpu"
        )
        return {}

    def encode_texts(self, texts):
        return self.model.encode(texts, batch_size=BATCH, show_progress_bar=False)


class Export:
    def export(self, model, onnx):
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
        sample = torch.ones(2, 8, dtype=torch.int64)
        mask = torch.tensor([[1] * 8, [1] * 5 + [0] * 3])
        torch.onnx.export(
            Pooled(inner.eval()),
            (sample, mask),
            onnx,
            input_names=["input_ids", "attention_mask"],
            output_names=["vectors"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "vectors": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
        return {}


if __name__ == "__main__":
    name, threads = sys.argv[1], int(sys.argv[2])
    sides = {"onnxruntime": OnnxRuntime, "sentence-transformers": SentenceTransformers}
    serve(Export() if name == "export" else sides[name](threads))
