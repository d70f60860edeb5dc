"""Writes minilm.json: embeddings of all-MiniLM-L6-v2 by PyTorch.

Made with torch 2.15.0 (CPU), transformers 5.23.0, tokenizers 0.23.3.
Usage: python make_minilm.py MODEL_DIRECTORY > minilm.json

The arithmetic is spelled out (last hidden state, mean over the mask, unit length) so that the golden file does not
depend on a pooling library. Each text is encoded alone: no padding.
"""

import json
import sys

import torch
from tokenizers import Tokenizer
from transformers import AutoModel

TEXTS = [
    "",
    "radium",
    "Who discovered radium?",
    "who discovered radium?",
    "   spaces\tand\nlines   ",
    "Marie Curie and her husband Pierre discovered radium in 1898, in a sample of uraninite.",
    "Ein Satz auf Deutsch über Straßenbahnen und Überläufe.",
    "Le cœur a ses raisons que la raison ne connaît point.",
    "日本語の文章も少しだけ。",
    "Быстрая коричневая лиса",
    "emoji 🙂 and maths: ∑ x² ≤ 1 — dash",
    "e\u0301 combining, \u00e9 composed",
    "[CLS] special [SEP] tokens [MASK] in the text",
    "antidisestablishmentarianism floccinaucinihilipilification pneumonoultramicroscopicsilicovolcanoconiosis",
    "a" * 120,
    "0-dimensional biomaterials show inductive properties.",
    "1/2000 in UK have abnormal PrP positivity. " * 3,
    "The tail of a long document is cut off. " * 20,
    "word " * 254,
    "word " * 255,
    "This sentence is much longer than two hundred and fifty-six tokens when repeated. " * 40,
    "\u200b\u00ad\ufeff",
]


def main(directory):
    tokenizer = Tokenizer.from_file(f"{directory}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    model = AutoModel.from_pretrained(directory, attn_implementation="eager").eval()
    vectors = []
    with torch.no_grad():
        for text in TEXTS:
            ids = torch.tensor([tokenizer.encode(text).ids])
            states = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
            vectors.append(torch.nn.functional.normalize(states.mean(0), dim=0).tolist())
    rows = ",\n".join("[" + ",".join(f"{x:.8f}" for x in v) + "]" for v in vectors)
    print('{"texts": ' + json.dumps(TEXTS) + ',\n"vectors": [\n' + rows + "\n]}")


main(sys.argv[1])
