"""Writes splade.json: the term weights of SPLADE-tiny by PyTorch.

Made with torch 2.15.0 (CPU), transformers 5.24.0, tokenizers 0.23.3.
Usage: python make_splade.py MODEL_DIRECTORY > splade.json

The weight of a term is log(1 + relu(its largest logit over the tokens)); terms of at most 0.5 are left out. Each text is
encoded alone: no padding.
"""

import json
import sys

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForMaskedLM

TEXTS = [
    "what is the capital of france",
    "Paris is the capital and largest city of France.",
    "Whales are fully aquatic, open-ocean animals. " * 12,
]


def main(directory):
    tokenizer = Tokenizer.from_file(f"{directory}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    model = AutoModelForMaskedLM.from_pretrained(directory, attn_implementation="eager").eval()
    terms = []
    for text in TEXTS:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
        weights = torch.log1p(torch.relu(logits.max(0).values))
        terms.append([(i, round(w, 6)) for i, w in enumerate(weights.tolist()) if w > 0.5])
    print(json.dumps({"texts": TEXTS, "terms": terms}))


main(sys.argv[1])
