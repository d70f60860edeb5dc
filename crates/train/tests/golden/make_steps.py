"""Writes steps.json: ten steps of training small encoders by PyTorch.

Made with torch 2.15.0 (CPU), transformers 5.24.0.
Usage: python make_steps.py > steps.json   (in this folder)

Five batches come twice. Each has three queries, each of them with a positive and a hard negative: mean pooling over the tokens, cosines of every query with every
candidate, cross-entropy over all six with temperature 0.05, clipping of the gradient to length 1, torch.optim.AdamW with a rate that
rises and falls. There is no dropout. Texts are padded to the longest here; the encoder that is compared knows no padding. (Attention is
transformers' default: its eager one makes NaN of padding in ModernBERT's windows.)

Tables of embeddings move by the sparse rule: a step moves the rows that its texts use, and each of them has moments and a count of
updates of its own, while the others rest. Here every row is a parameter of its own to torch.optim.AdamW, with no gradient in the
steps that do not use it, so that the rule is PyTorch's too. (Its dense rule lets the other rows decay and drift by their momentum.)
MPNet's relative bias is frozen.

The numbers are those of double precision. In single precision PyTorch differs from them by what is printed to the standard error. Biases
of keys have no sum: a softmax does not see them, so that their gradient is rounding, which AdamW scales up to whole steps.
"""

import json
import sys

import torch
import torch.nn.functional as F
from transformers import AutoModel

TINY = "../../../model/tests/golden/tiny"
MODELS = ["bert-mean", "modernbert", "mpnet"]
STEPS, BATCHES, QUERIES, WARM_UP = 10, 5, 3, 3
RATE, DECAY, NORM_MAX, TEMPERATURE = 1e-3, 0.01, 1.0, 0.05

torch.set_num_threads(1)
generator = torch.Generator().manual_seed(20)


def text():
    """From 2 to 12 tokens, none of them special."""
    length = int(torch.randint(2, 13, (1,), generator=generator))
    return torch.randint(5, 74, (length,), generator=generator).tolist()


def batch():
    """The candidates are the positive and the negative of the first query, of the second, and so on."""
    return {"queries": [text() for _ in range(QUERIES)], "candidates": [text() for _ in range(2 * QUERIES)]}


def padded(texts, padding):
    longest = max(map(len, texts))
    ids = torch.tensor([one + [padding] * (longest - len(one)) for one in texts])
    mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in texts])
    return ids, mask


class Training:
    unseen = (".key.bias", ".k.bias")

    def __init__(self, name, dtype):
        self.model = self.load(name, dtype)
        for key, parameter in self.model.named_parameters():
            parameter.requires_grad_("relative_attention_bias" not in key and not key.startswith("pooler"))
        self.moving = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self.start = {name: p.detach().clone() for name, p in self.moving.items()}
        tables = {id(m.weight) for m in self.model.modules() if isinstance(m, torch.nn.Embedding)}
        # Rows share their memory with the table, which moves when they do.
        self.rows = {name: [torch.nn.Parameter(row) for row in p.data] for name, p in self.moving.items() if id(p) in tables}
        groups = [
            {"params": self.rows.get(name, [p]), "weight_decay": DECAY if p.dim() > 1 else 0.0} for name, p in self.moving.items()
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.999), eps=1e-8)

    def load(self, name, dtype):
        return AutoModel.from_pretrained(f"{TINY}/{name}", dtype=torch.float32).to(dtype).eval()

    def inputs(self, texts):
        return padded(texts["queries"] + texts["candidates"], self.model.config.pad_token_id)

    def used(self, name, ids, mask):
        """The rows of a table that the texts use."""
        if "position" in name:
            first = self.model.config.pad_token_id + 1 if self.model.config.model_type == "mpnet" else 0
            return set(range(first, first + int(mask.sum(1).max())))
        return {0} if "type" in name else set(ids[mask.bool()].tolist())

    def loss(self, ids, mask):
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask[:, :, None].to(states.dtype)
        vectors = F.normalize((states * weights).sum(1) / weights.sum(1), dim=-1)
        scores = vectors[:QUERIES] @ vectors[QUERIES:].T
        return F.cross_entropy(scores / TEMPERATURE, torch.arange(0, 2 * QUERIES, 2))

    def step(self, number, texts):
        ids, mask = self.inputs(texts)
        for parameter in self.moving.values():
            parameter.grad = None
        loss = self.loss(ids, mask)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.moving.values(), NORM_MAX)
        for name, rows in self.rows.items():
            used, gradient = self.used(name, ids, mask), self.moving[name].grad
            for index, row in enumerate(rows):
                row.grad = gradient[index].clone() if index in used else None
                assert index in used or not gradient[index].any()
        factor = min((number + 1) / WARM_UP, (STEPS - number) / (STEPS - WARM_UP))
        for group in self.optimiser.param_groups:
            group["lr"] = RATE * factor
        self.optimiser.step()
        return loss.item(), norm.item()

    def run(self, batches):
        losses, norms = zip(*[self.step(number, batches[number % BATCHES]) for number in range(STEPS)])
        seen = {name: p for name, p in self.moving.items() if not name.endswith(self.unseen)}
        return {
            "losses": losses, "norms": norms,
            "sums": {name: p.sum().item() for name, p in seen.items()},
            "moved": {name: (p - self.start[name]).norm().item() for name, p in seen.items()},
        }


def apart(one, other, key):
    pairs = zip(one[key].values(), other[key].values()) if isinstance(one[key], dict) else zip(one[key], other[key])
    return max(abs(a - b) / abs(b) for a, b in pairs)


def main():
    batches = [batch() for _ in range(BATCHES)]
    models = []
    for name in MODELS:
        made, single = Training(name, torch.float64).run(batches), Training(name, torch.float32).run(batches)
        for key in made:
            print(f"{name}, {key}: {apart(single, made, key):.1e}", file=sys.stderr)
        models.append({"name": name} | made)
    settings = {
        "loss": f"infonce(temperature={TEMPERATURE})", "schedule": f"linear(warmup={WARM_UP})", "rate": RATE, "decay": DECAY,
        "norm_max": NORM_MAX,
    }
    print(json.dumps(settings | {"batches": batches, "models": models}))


if __name__ == "__main__":
    main()
