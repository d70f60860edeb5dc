"""Writes words.json: texts with the words that UAX #29 finds in them, by the package regex 2026.11.15 (Unicode 17), whose
flag WORD gives `\\b` the default word boundaries. Of the segments those count that hold a letter, a digit or an ideograph.

No text has Thai or its like: there Lucene joins what UAX #29 separates.
Usage: python make_words.py
"""
import json
from pathlib import Path

import regex

TEXTS = [
    "The quick (\"brown\") fox can't jump 32.3 feet, right?",
    "p53 mRNA levels rose 3.5-fold (P<0.05; n=1,024) vs. 10^3 cells/ml.",
    "IL-2, TNF-α and β2-microglobulin; CO2 at 37°C, pH 7.4 µg/mL",
    "e.g. U.S.A. i.e. a.b.c 1.2.3 1,2,3 1;2 a;b a:b 1:2 a,b x.1 1.x",
    "snake_case __init__ _ a_1 1_a _-_ foo__bar",
    "don't rock'n'roll 'quoted' dogs' O'Neill’s l’été '90s",
    "https://example.org/path?x=1&y=2#frag mail@example.org",
    "Größe Straße ÜBER naïve coöperate Ærø İstanbul ŁÓDŹ",
    "cafe\u0301 e\u0301te\u0301 A\u030A n\u0303 \u0301x x\u00ADy z\u200Dw",
    "Это предложение, где есть «кавычки» и т.д. 3,14",
    "Το σύστημα είναι έτοιμο; Ναι· όχι.",
    "هذا نص عربي، فيه أرقام ١٢٣ و٤٥٫٦ وعلامات.",
    "זה טקסט בעברית עם צה\"ל ג'ירף",
    "यह हिन्दी का वाक्य है। क्षत्रिय ज्ञान",
    "これは日本語のテキストです。カタカナとひらがな、漢字。",
    "半角ｶﾀｶﾅ ＡＢＣ１２３ コンピューター・ゲーム",
    "这是一个中文句子，包含数字123和English。",
    "한국어 문장입니다. 서울특별시 3월 A형",
    "ድመት እና ውሻ። გამარჯობა, მსოფლიო! Բարեւ, աշխարհ։",
    "½ 10² x³ Ⅷ ① ™ № ℃ Ⓐ ª º",
    "tab\tnew\nline\r\nvt\x0bff\x0cnbsp\u00a0thin\u2009ideo\u3000end",
    "1.000,50 € 12:30 2024-11-23 +49-30-1234 50% #1 C++ C# .NET",
    "a\u2019b a\u2018b a\u2024b a\uFE52b 1\uFE501 a\u00B7b a\u05F4b 1\u066C2",
    "",
]
WORD = regex.compile(r"[\p{WB=ALetter}\p{WB=Hebrew_Letter}\p{WB=Numeric}\p{WB=Katakana}\p{Script=Han}\p{Script=Hiragana}]")
rows = []
for text in TEXTS:
    segments = regex.split(r"\b", text, flags=regex.WORD | regex.V1)
    words = [segment.strip() for segment in segments if WORD.search(segment)]
    rows.append({"text": text, "words": words})
lines = ",\n".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in rows)
(Path(__file__).parent / "words.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
