"""PyTorch on the CPU: steps of full fine-tuning on one batch. The same steps as in src/train/ours.rs."""
import sys
import time

import numpy as np

from protocol import lines, serve

TEMPERATURE = 0.05
RATE = 2e-5
DECAY = 0.01
CLIP = 1.0


class PyTorch:
    def __init__(self, threads):
        self.threads = threads

    def ready(self):
        import torch
        import transformers

        torch.set_num_threads(self.threads)
        self.torch, self.transformers = torch, transformers
        return {"version": torch.__version__}

    def open(self, model, queries, documents):
        self.model = self.transformers.AutoModel.from_pretrained(
            model,
            dtype=self.torch.float32,
            attn_implementation="sdpa",
            add_pooling_layer=False,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        self.model.train()
        # Weights shrink, biases and norms do not.
        groups = [
            {"params": [p for p in self.model.parameters() if p.ndim > 1], "weight_decay": DECAY},
            {"params": [p for p in self.model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimiser = self.torch.optim.AdamW(groups, lr=RATE, fused=True)
        self.batches = [self.padded(queries), self.padded(documents)]
        # Apart, as the losses of sentence-transformers take them, less is filled up; texts of one length
        # are faster together (4% on one thread).
        if self.batches[0][0].shape == self.batches[1][0].shape:
            self.batches = [tuple(map(self.torch.cat, zip(*self.batches)))]
        return {}

    def padded(self, path):
        """The tokens of a file, filled up to its longest line; and where there are any."""
        rows = [[int(token) for token in line.split(" ")] for line in lines(path)]
        longest = max(map(len, rows))
        pad = self.model.config.pad_token_id
        ids = [row + [pad] * (longest - len(row)) for row in rows]
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        return self.torch.tensor(ids), self.torch.tensor(mask)

    def vectors(self, ids, mask):
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(states.dtype)
        pooled = (states * weights).sum(1) / weights.sum(1)
        return self.torch.nn.functional.normalize(pooled, dim=1)

    def step(self):
        vectors = self.torch.cat([self.vectors(*batch) for batch in self.batches])
        queries, documents = vectors.chunk(2)
        scores = queries @ documents.T / TEMPERATURE
        loss = self.torch.nn.functional.cross_entropy(scores, self.torch.arange(len(scores)))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimiser.step()
        return loss.item()

    def steps(self, count):
        seconds, losses = [], []
        for _ in range(count):
            start = time.perf_counter()
            losses.append(self.step())
            seconds.append(time.perf_counter() - start)
        return {"seconds": float(np.median(seconds)), "losses": losses}


if __name__ == "__main__":
    serve(PyTorch(int(sys.argv[2])))
