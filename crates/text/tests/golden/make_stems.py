"""Writes stems.LANGUAGE.tsv: words with their stems, `word<TAB>stem`, at most 1,200 words for a language.

Snowball: snowballstemmer, 2.0.0, the release nearest to the sources of `rust-stemmers`.
Porter: PyStemmer 3.1.0 `porter` follows the paper of 1980; NLTK 3.10.4 `PorterStemmer(MARTIN_EXTENSIONS)` follows the author's
program, as Lucene does. stems.porter.tsv has both: `word<TAB>program<TAB>paper`.

Words: Porter from a corpus.jsonl.gz (SciFact); Snowball from the translations in the Django 5.2 wheel.
Usage: python make_stems.py DJANGO_WHEEL CORPUS_JSONL_GZ
"""
import ast
import gzip
import importlib
import json
import random
import re
import sys
import zipfile
from pathlib import Path

import regex
import Stemmer
from nltk.stem.porter import PorterStemmer

HERE = Path(__file__).parent
LOCALES = {
    "arabic": "ar", "danish": "da", "dutch": "nl", "english": "en", "finnish": "fi", "french": "fr", "german": "de",
    "greek": "el", "hungarian": "hu", "italian": "it", "norwegian": "nb", "portuguese": "pt", "romanian": "ro",
    "russian": "ru", "spanish": "es", "swedish": "sv", "tamil": "ta", "turkish": "tr",
}
LIMIT = 1200


def sample(words):
    words = sorted({word for word in words if 2 <= len(word) <= 30})
    return sorted(random.Random(7).sample(words, min(LIMIT, len(words))))


def translations(wheel, locale):
    field = "msgid" if locale == "en" else "msgstr"
    for name in wheel.namelist():
        if f"/locale/{locale}/" not in name or not name.endswith(".po"):
            continue
        keep = False
        for line in wheel.read(name).decode("utf-8").splitlines():
            if line.startswith("msg"):
                keep = line.startswith(field)
            if keep and line.startswith(("msg", '"')):
                text = ast.literal_eval(line[line.index('"'):])
                text = re.sub(r"%\([^)]*\)\w|<[^>]*>|\S*[@/]\S*|\{[^}]*\}", " ", text)
                yield from regex.findall(r"[\p{L}\p{M}]+(?:'\p{L}+)?", text.lower())


def write(name, rows):
    text = "".join("\t".join(row) + "\n" for row in rows)
    (HERE / f"stems.{name}.tsv").write_text(text, encoding="utf-8")
    print(name, len(rows), len(text.encode()))


def main(wheel, corpus):
    with zipfile.ZipFile(wheel) as archive:
        for name, locale in LOCALES.items():
            # By class: the package's own factory would hand out PyStemmer where that is installed.
            module = importlib.import_module(f"snowballstemmer.{name}_stemmer")
            stemmer = getattr(module, f"{name.capitalize()}Stemmer")()
            write(name, [(word, stemmer.stemWord(word)) for word in sample(translations(archive, locale))])
    words = set()
    with gzip.open(corpus, "rt") as lines:
        for line in lines:
            words.update(re.findall(r"[a-z]+", json.loads(line)["text"].lower()))
    program = PorterStemmer(PorterStemmer.MARTIN_EXTENSIONS)
    paper = Stemmer.Stemmer("porter")
    write("porter", [(word, program.stem(word), paper.stemWord(word)) for word in sample(words)])


main(sys.argv[1], sys.argv[2])
