"""Writes src/words/classes.rs: the classes of characters that the word splitter needs.

Reference package: regex 2026.11.15 (PyPI), which carries the Unicode 17 property tables.
Usage: python make_unicode_classes.py > ../../src/words/classes.rs
"""
import regex

# The first property that matches decides.
CLASSES = [
    ("Han", r"\p{Script=Han}"),
    ("Hiragana", r"\p{Script=Hiragana}"),
    ("Katakana", r"\p{WB=Katakana}"),
    ("Hangul", r"[\p{Script=Hangul}&&\p{WB=ALetter}]"),
    ("SoutheastAsian", r"[\p{LB=SA}&&\P{M}]"),
    ("Letter", r"[\p{WB=ALetter}\p{WB=Hebrew_Letter}]"),
    ("Number", r"\p{WB=Numeric}"),
    ("Emoji", r"[\p{Emoji_Presentation}\p{Regional_Indicator}]"),
    ("Pictograph", r"[\p{Emoji}--[0-9#*]]"),
]
PATTERNS = [(name, regex.compile(p, regex.V1)) for name, p in CLASSES]


def class_of(code):
    if 0xD800 <= code < 0xE000:
        return None
    return next((name for name, p in PATTERNS if p.match(chr(code))), None)


ranges = []
for code in range(0x80, 0x110000):
    name = class_of(code)
    if name is None:
        continue
    if ranges and ranges[-1][1] == code - 1 and ranges[-1][2] == name:
        ranges[-1][1] = code
    else:
        ranges.append([code, code, name])

print("//! Classes of the characters beyond ASCII that can make a word, from the Unicode 17 property tables.")
print("//!")
print("//! Written by `tests/golden/make_unicode_classes.py`; not edited by hand.")
print()
print("use super::Class::{")
print("    self, Emoji, Han, Hangul, Hiragana, Katakana, Letter, Number, Pictograph, SoutheastAsian,")
print("};")
print()
print("/// First and last character of each range, ascending, with its class.")
print("#[rustfmt::skip]")
print(f"pub(super) const CLASSES: [(u32, u32, Class); {len(ranges)}] = [")
line = "   "
for first, last, name in ranges:
    item = f" (0x{first:X}, 0x{last:X}, {name}),"
    if len(line) + len(item) > 100:
        print(line)
        line = "   "
    line += item
print(line)
print("];")
