"""Writes smollm2.json: tokens, logits and continuations of SmolLM2-135M-Instruct from its GGUF file, by PyTorch.

Made with torch 2.15.0 (CPU), transformers 5.24.0, tokenizers 0.23.3, gguf 0.19.0, regex 2026.11.19.
Usage: python make_smollm2.py MODEL_DIRECTORY > smollm2.json

The weights are those that transformers makes of the file (blocks decoded by the gguf package, rows of queries and keys put back into
their order). Tokens come from a plain byte-level BPE over the vocabulary and merges of the file, after the regular
expressions that llama.cpp has for this vocabulary. Logits are kept for some tokens only.
"""

import json
import sys
from pathlib import Path

import regex
import torch
from gguf import GGUFReader
from transformers import AutoModelForCausalLM
from transformers.convert_slow_tokenizer import bytes_to_unicode

PASSAGE = "Radium was discovered by Marie and Pierre Curie in 1898."
CHAT = (
    "<|im_start|>system\nYou answer questions from the passage you are given, briefly.<|im_end|>\n"
    f"<|im_start|>user\nPassage: {PASSAGE}\n\nQuestion: Who discovered radium?<|im_end|>\n<|im_start|>assistant\n"
)
TEXTS = [
    CHAT, PASSAGE, "", " ", "  two  spaces and a tab\t!\n\n\nlines ", "In 1898, 12345 grams; 3.14159 and \u0663\u0664\u00bd\u2163.",
    "don't we'll I've they're it's he'd I'm DON'T", "\u00fcber \u65e5\u672c\u8a9e \ud55c\uad6d\uc5b4 \u0440\u0430\u0434\u0438\u0439 \U0001f642\U0001f468\u200d\U0001f469\u200d\U0001f467", "e\u0301 \u00a0nbsp\u2003em \u200bzero",
    "fn main() { println!(\"{}\", x_1+=2); }\r\n\t// end", "<|im_start|><|im_end|>text<|endoftext|><repo_name>x", "a" * 60 + "!" * 20 + " " * 20,
]
CUTS = [
    r"\p{N}",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
]


class Plain:
    """Byte-level BPE as it is defined, without any library."""

    def __init__(self, tokens, merges, kinds):
        self.ids = {token: i for i, token in enumerate(tokens)}
        self.ranks = {tuple(merge.split(" ")): i for i, merge in enumerate(merges)}
        specials = [token for token, kind in zip(tokens, kinds) if kind == 3]
        self.specials = regex.compile("(" + "|".join(regex.escape(s) for s in sorted(specials, key=len, reverse=True)) + ")")
        self.letters = bytes_to_unicode()

    def cut(self, text):
        pieces = [text]
        for pattern in CUTS:
            cut = []
            for piece in pieces:
                at = 0
                for match in regex.finditer(pattern, piece):
                    cut += [piece[at:match.start()], match.group()]
                    at = match.end()
                cut.append(piece[at:])
            pieces = [piece for piece in cut if piece]
        return pieces

    def merge(self, piece):
        parts = [self.letters[byte] for byte in piece.encode()]
        while len(parts) > 1:
            rank, at = min((self.ranks.get(pair, 1 << 30), i) for i, pair in enumerate(zip(parts, parts[1:])))
            if rank == 1 << 30:
                break
            parts[at:at + 2] = [parts[at] + parts[at + 1]]
        return [self.ids[part] for part in parts]

    def encode(self, text):
        ids = []
        for part in self.specials.split(text):
            if self.specials.fullmatch(part):
                ids.append(self.ids[part])
            else:
                ids += [id for piece in self.cut(part) for id in self.merge(piece)]
        return ids


def main():
    folder = Path(sys.argv[1])
    file = next(folder.glob("*.gguf"))
    fields = GGUFReader(file).fields
    vocabulary, merges, kinds = (fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "merges", "token_type"))
    plain = Plain(vocabulary, merges, kinds)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file.name, dtype=torch.float32).eval()
    wanted = {"texts": [{"text": text, "ids": plain.encode(text)} for text in TEXTS], "logits": []}
    for text in TEXTS[:2] + TEXTS[4:6]:
        ids = plain.encode(text)
        with torch.no_grad():
            rows = model(torch.tensor([ids])).logits[0]
        for place in sorted({0, len(ids) // 2, len(ids) - 1}):
            row = rows[place]
            tokens = sorted(set(row.topk(20).indices.tolist()) | set(range(0, len(vocabulary), 997)))
            wanted["logits"].append({
                "ids": ids, "place": place, "range": (row.max() - row.min()).item(),
                "tokens": tokens, "values": [float(f"{row[t].item():.8g}") for t in tokens],
            })
    prompt = plain.encode(CHAT)
    inputs = dict(attention_mask=torch.ones(1, len(prompt), dtype=torch.long), do_sample=False, eos_token_id=[2], pad_token_id=2)
    with torch.no_grad():
        greedy = model.generate(torch.tensor([prompt]), max_new_tokens=24, **inputs)
        beam = model.generate(torch.tensor([prompt]), max_new_tokens=24, num_beams=3, length_penalty=1.0, early_stopping=False, **inputs)
    wanted["passage"] = PASSAGE
    wanted["prompt"] = prompt
    wanted["greedy"] = greedy[0, len(prompt):].tolist()
    wanted["beam"] = beam[0, len(prompt):].tolist()
    print(json.dumps(wanted))


main()
