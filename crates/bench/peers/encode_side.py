"""onnxruntime and sentence-transformers (PyTorch) on the CPU."""
import sys

import numpy as np

from encoding import Encoding
from protocol import serve


class OnnxRuntime(Encoding):
    """Runs a graph that gives pooled and normalised vectors; in fp32 or int8, as the graph is."""

    def packages(self):
        import onnxruntime
        import tokenizers

        self.onnxruntime = onnxruntime
        self.tokenizers = tokenizers

    def version(self):
        return self.onnxruntime.__version__

    def open_model(self, model, graph, max_tokens, pad, batch):
        self.batch = batch
        self.tokenizer = self.tokenizers.Tokenizer.from_file(f"{model}/tokenizer.json")
        self.tokenizer.enable_truncation(max_tokens)
        self.tokenizer.enable_padding(pad_id=pad)
        options = self.onnxruntime.SessionOptions()
        options.graph_optimization_level = (
            self.onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        )
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        self.session = self.onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )

    def encode_texts(self, texts):
        # Batches of like length, as the other sides make them.
        order = np.argsort([-len(text) for text in texts], kind="stable")
        rows = [None] * len(texts)
        for start in range(0, len(texts), self.batch):
            chosen = order[start : start + self.batch]
            encoded = self.tokenizer.encode_batch([texts[i] for i in chosen])
            feed = {
                "input_ids": np.array([one.ids for one in encoded], np.int64),
                "attention_mask": np.array([one.attention_mask for one in encoded], np.int64),
            }
            for index, row in zip(chosen, self.session.run(None, feed)[0]):
                rows[index] = row
        return np.stack(rows)


class SentenceTransformers(Encoding):
    def packages(self):
        import sentence_transformers
        import torch
        from sentence_transformers import SentenceTransformer, models

        self.torch, self.models, self.Model = torch, models, SentenceTransformer
        self.found = f"{sentence_transformers.__version__} (torch {torch.__version__})"

    def version(self):
        return self.found

    def open_model(self, model, graph, max_tokens, pad, batch):
        self.batch = batch
        self.torch.set_num_threads(self.threads)
        transformer = self.models.Transformer(
            model, max_seq_length=max_tokens, model_kwargs={"dtype": self.torch.float32}
        )
        pooling = self.models.Pooling(transformer.get_word_embedding_dimension(), "mean")
        self.model = self.Model(
            modules=[transformer, pooling, self.models.Normalize()], device="cpu"
        )

    def encode_texts(self, texts):
        return self.model.encode(texts, batch_size=self.batch, show_progress_bar=False)


if __name__ == "__main__":
    name, threads = sys.argv[1], int(sys.argv[2])
    sides = {
        "onnxruntime": OnnxRuntime,
        "onnxruntime-int8": OnnxRuntime,
        "sentence-transformers": SentenceTransformers,
    }
    serve(sides[name](threads))
