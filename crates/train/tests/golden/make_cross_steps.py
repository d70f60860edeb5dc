"""Writes cross_steps.json: ten steps of training small cross-encoders by PyTorch.

Made with torch 2.15.0 (CPU), transformers 5.24.0.
Usage: python make_cross_steps.py > cross_steps.json   (in this folder)

As make_steps.py, of which this takes the rules (embedding tables move by the sparse rule, numbers are those of double precision), but
for what is trained: transformers' classifiers with one label, over batches of three queries with four candidates each, the first of
them relevant; the loss of a query is the cross-entropy over its own candidates' logits. Tokens of a pair have types 0 and 1 where the model
knows two. The bias of the last map has no sum: neither does a softmax over a query's own candidates see it.
"""

import json
import sys

import torch
import torch.nn.functional as F
from make_steps import BATCHES, DECAY, NORM_MAX, RATE, STEPS, WARM_UP, Training, apart
from transformers import AutoModelForSequenceClassification

HEADS = "../../../model/tests/golden/heads"
MODELS = ["cross-bert", "cross-modernbert", "cross-mpnet"]
QUERIES, CANDIDATES = 3, 4

generator = torch.Generator().manual_seed(21)


def text(longest):
    length = int(torch.randint(2, longest + 1, (1,), generator=generator))
    return torch.randint(5, 74, (length,), generator=generator).tolist()


def batch():
    """Pairs as tokens and types, query after query; 2 and 3 begin and end a text."""
    pairs = []
    for _ in range(QUERIES):
        query = [2, *text(6), 3]
        for _ in range(CANDIDATES):
            document = [*text(10), 3]
            pairs.append({"tokens": query + document, "types": [0] * len(query) + [1] * len(document)})
    return pairs


class CrossTraining(Training):
    unseen = (*Training.unseen, "classifier.bias", "out_proj.bias")

    def load(self, name, dtype):
        return AutoModelForSequenceClassification.from_pretrained(f"{HEADS}/{name}", dtype=torch.float32).to(dtype).eval()

    def inputs(self, pairs):
        padding, longest = self.model.config.pad_token_id, max(len(pair["tokens"]) for pair in pairs)
        row = lambda values, pad: values + [pad] * (longest - len(values))
        self.types = torch.tensor([row(pair["types"], 0) for pair in pairs])
        mask = torch.tensor([row([1] * len(pair["tokens"]), 0) for pair in pairs])
        return torch.tensor([row(pair["tokens"], padding) for pair in pairs]), mask

    def used(self, name, ids, mask):
        return {0, 1} if "type" in name else super().used(name, ids, mask)

    def loss(self, ids, mask):
        types = {"token_type_ids": self.types} if getattr(self.model.config, "type_vocab_size", 1) > 1 else {}
        logits = self.model(input_ids=ids, attention_mask=mask, **types).logits
        return F.cross_entropy(logits.view(QUERIES, CANDIDATES), torch.zeros(QUERIES, dtype=torch.long))


def main():
    batches = [batch() for _ in range(BATCHES)]
    models = []
    for name in MODELS:
        made, single = CrossTraining(name, torch.float64).run(batches), CrossTraining(name, torch.float32).run(batches)
        for key in made:
            print(f"{name}, {key}: {apart(single, made, key):.1e}", file=sys.stderr)
        models.append({"name": name} | made)
    settings = {
        "loss": "infonce(temperature=1)", "schedule": f"linear(warmup={WARM_UP})", "rate": RATE, "decay": DECAY, "norm_max": NORM_MAX,
        "candidates": CANDIDATES,
    }
    print(json.dumps(settings | {"batches": batches, "models": models}))


if __name__ == "__main__":
    main()
