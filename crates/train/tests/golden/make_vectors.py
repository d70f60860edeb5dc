"""Writes vectors.json: heads and scorers over small random states, by PyTorch.

Made with torch 2.15.0 (CPU).
Usage: python make_vectors.py > vectors.json   (in this folder)

Each case is a function from tensors to a tensor; its output and the derivatives of `sum(output * weights)` by every tensor are kept. Texts
are written one by one, without padding.
"""

import json

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(11)
OFFSETS = [0, 3, 5, 9]
WORDS = [1, 2, 1, 3, 3, 5, 4, 5, 5]
DOCUMENTS = [0, 2, 6, 7, 10]


def random(*shape):
    return torch.randn(*shape, generator=generator).to(torch.float32).to(torch.float64)


def texts(states, offsets=OFFSETS):
    return [states[a:b] for a, b in zip(offsets, offsets[1:])]


def mean(states):
    return torch.stack([text.mean(0) for text in texts(states)])


def linear(states, weight, bias):
    return F.linear(states, weight, bias)


def words(states):
    out = []
    for text, labels in zip(texts(states), texts(torch.tensor(WORDS))):
        for word in dict.fromkeys(labels.tolist()):
            out.append(text[labels == word].mean(0))
    return torch.stack(out)


def gate(states, weight, bias):
    return F.relu(states @ weight + bias)[:, None] * states


def lexical(activation):
    def head(states, table, bias):
        return torch.stack([activation(F.linear(text, table, bias)).max(0).values for text in texts(states)])
    return head


def mlp(states, first, first_bias, second, second_bias):
    return torch.tanh(F.linear(torch.tanh(F.linear(states, first, first_bias)), second, second_bias))


def maxsim(queries, documents):
    return torch.stack([
        torch.stack([(q @ d.T).max(1).values.sum() for d in texts(documents, DOCUMENTS)]) for q in texts(queries)
    ])


CASES = {
    "mean": (mean, [(9, 4)]),
    "linear": (linear, [(9, 4), (3, 4), (3,)]),
    "words": (words, [(9, 4)]),
    "normalise": (lambda states: F.normalize(states, dim=1), [(9, 4)]),
    "gate": (gate, [(9, 4), (4,), (1,)]),
    "log": (lexical(lambda x: torch.log1p(F.relu(x))), [(9, 4), (6, 4), (6,)]),
    "double-log": (lexical(lambda x: torch.log1p(torch.log1p(F.relu(x)))), [(9, 4), (6, 4), (6,)]),
    "elu": (lexical(lambda x: F.elu(x) + 1), [(9, 4), (6, 4), (6,)]),
    "mlp": (mlp, [(9, 4), (5, 4), (5,), (3, 5), (3,)]),
    "dot": (lambda q, c: q @ c.T / 2, [(3, 4), (5, 4)]),
    "cosine": (lambda q, c: F.cosine_similarity(q[:, None], c[None], dim=2) / 0.05, [(3, 4), (5, 4)]),
    "maxsim": (maxsim, [(9, 4), (10, 4)]),
}

made = []
for name, (function, shapes) in CASES.items():
    inputs = [random(*shape).requires_grad_() for shape in shapes]
    output = function(*inputs)
    weights = random(*output.shape)
    (output * weights).sum().backward()
    made.append({
        "name": name, "inputs": [x.detach().flatten().tolist() for x in inputs], "weights": weights.flatten().tolist(),
        "output": [round(x, 8) for x in output.flatten().tolist()],
        "gradients": [[round(g, 8) for g in x.grad.flatten().tolist()] for x in inputs],
    })
print("[\n" + ",\n".join(json.dumps(one) for one in made) + "\n]")
