"""Writes gradients/: for some models of tiny/, the gradients of every parameter by PyTorch.

Made with torch 2.15.0 (CPU), transformers 5.24.0, safetensors 0.8.0.
Usage: python make_gradients.py   (in this folder, after make_tiny.py)

The loss is the sum of the last states of three sequences, each computed alone, times fixed random numbers. A file has the numbers as
`loss.weights` (one row a token, sequence after sequence), the tokens as `loss.tokens`, the lengths as `loss.lengths`, and a gradient
under the name of each parameter.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModel

HERE = Path("gradients")
LENGTHS = [11, 1, 17]


def gradients(name, seed):
    model = AutoModel.from_pretrained(f"tiny/{name}", attn_implementation="eager", dtype=torch.float32).double().eval()
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(2, 60, (sum(LENGTHS),), generator=generator)
    weights = torch.randn(sum(LENGTHS), model.config.hidden_size, generator=generator)
    start = 0
    for length in LENGTHS:
        ids = tokens[None, start:start + length]
        states = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        (states * weights[start:start + length].double()).sum().backward()
        start += length
    tensors = {key: value.grad.float().contiguous() for key, value in model.named_parameters() if value.grad is not None}
    tensors |= {"loss.weights": weights, "loss.tokens": tokens, "loss.lengths": torch.tensor(LENGTHS)}
    save_file(tensors, HERE / f"{name}.safetensors", metadata={"format": "pt"})


def main():
    HERE.mkdir(exist_ok=True)
    for seed, name in enumerate(["bert-mean", "distilbert", "modernbert", "mpnet"]):
        gradients(name, 100 + seed)


if __name__ == "__main__":
    main()
