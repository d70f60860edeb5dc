"""Writes wordpiece.json (a small WordPiece tokenizer), and subword.small.json and subword.minilm.json: texts with the ids
that the Python package tokenizers 0.23.3 gives them, truncated and with special tokens, not padded.

Usage: python make_subword.py MINILM_TOKENIZER_JSON
"""
import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

HERE = Path(__file__).parent
TEXTS = [
    "", " ", "Hello, world!", "The quick brown foxes jumped over the lazy dogs.",
    "p53-mediated apoptosis in HER2+ cells (n = 42, P<0.05)", "naïve café Ångström ﬁne",
    "日本語のテキスト", "한국어 문장입니다", "Привет, мир!", "emoji 😀 and\ttabs\nand\x00nul",
    "[CLS] special [SEP] tokens [MASK] inside", "a" * 150, "supercalifragilisticexpialidocious unaffable",
    " ".join(["retrieval of long documents needs truncation"] * 12),
]
PAIRS = [("", ""), ("who discovered radium", "Radium was discovered by Marie Curie."), (TEXTS[3], TEXTS[13]), (TEXTS[13], TEXTS[3]),
         (TEXTS[13], TEXTS[13])]
LIMITS = [3, 4, 8, 9, 64, 512]


def small():
    words = "the quick brown fox jump over lazy dog hello world a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9".split()
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *",.!-()+=<", *("##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"),
              "##es", "##ed", "##ing", "##tion", "retriev", "##al", "document", "need", "trunca", "of", "long", "日", "本", "語"]
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(dict.fromkeys(pieces))}, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ids = tokenizer.token_to_id
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", ids("[CLS]")), ("[SEP]", ids("[SEP]"))])
    # Both are in the file to be ignored.
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(HERE / "wordpiece.json"), pretty=False)
    return tokenizer


def cases(tokenizer):
    tokenizer.no_padding()
    rows = []
    for limit in LIMITS:
        tokenizer.enable_truncation(limit)
        for text in TEXTS:
            rows.append({"text": text, "limit": limit, "ids": tokenizer.encode(text).ids})
        for first, second in PAIRS:
            found = tokenizer.encode(first, second)
            rows.append({"text": first, "second": second, "limit": limit, "ids": found.ids, "type_ids": found.type_ids})
    return rows


for name, tokenizer in [("small", small()), ("minilm", Tokenizer.from_file(sys.argv[1]))]:
    rows = cases(tokenizer)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    (HERE / f"subword.{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
