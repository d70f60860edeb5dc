"""Writes src/stop/snowball.rs from the stop lists that the Snowball project publishes as algorithms/LANGUAGE/stop.txt.

The lists were read from the copy that the crate tantivy 0.27.0 carries (src/tokenizer/stop_word_filter/stopwords.rs).
Usage: python make_stop_lists.py STOPWORDS_RS > ../../src/stop/snowball.rs
"""
import re
import sys
import textwrap

source = open(sys.argv[1], encoding="utf-8").read()
notice = source[source.index("Copyright (c) 2001"):source.index("*/")].strip()

print("//! Stop lists of the Snowball project (<https://snowballstem.org/>), each sorted.")
print("//!")
print("//! Written by `tests/golden/make_stop_lists.py`; not edited by hand. The lists come under this licence:")
print("//!")
print("//! ```text")
for line in notice.splitlines():
    print(("//! " + line).rstrip())
print("//! ```")
for name, body in re.findall(r"pub const ([A-Z]+): &\[&str\] = &\[(.*?)\];", source, re.S):
    words = sorted(set(re.findall(r'"([^"]+)"', body)))
    print()
    print(f"/// {name.capitalize()}, {len(words)} words.")
    print(f'pub(super) const {name}: &str = "\\')
    print("\n".join(textwrap.wrap(" ".join(words), 96, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)).replace("\n", " \\\n") + '";')
