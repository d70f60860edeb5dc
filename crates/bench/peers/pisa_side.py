"""The PISA side: its Python package, with indexes of the default encoding and, at each depth, the fastest algorithm."""
import collections
import os
import sys
import time

import numpy as np
from pyterrier_pisa import PisaIndex, PisaRetrieve, PisaScorer, __version__, _pisathon

from protocol import lines, serve, silence

K1, B = 1.2, 0.75
ALGORITHMS = ["block_max_wand", "block_max_maxscore", "maxscore", "wand"]


def whole(term):
    """A term as PISA's tokenizer leaves it whole: such with other characters than letters and digits are spelled out."""
    return term if term.isascii() and term.isalnum() else "x" + term.encode().hex()


class Pisa:
    def __init__(self, threads):
        self.threads = threads

    def version(self):
        return {"version": __version__}

    def collection(self, folder, own_analysis):
        analysis = {"stemmer": "porter2", "stops": "lucene"} if own_analysis else {"stemmer": "none", "stops": "none"}
        return PisaIndex(folder, text_field="text", threads=self.threads, **analysis)

    def retriever(self, folder, own_analysis):
        return PisaRetrieve(self.collection(folder, own_analysis), PisaScorer.bm25, bm25_k1=K1, bm25_b=B)

    def index(self, texts, terms, folder, own_analysis):
        """From a file of texts to an index that is ready for searches. PISA keeps no texts."""
        start = time.perf_counter()
        if own_analysis:
            documents = lines(texts)
        else:
            documents = [" ".join(map(whole, line.split())) for line in lines(terms)]
        rows = ({"docno": str(number), "text": text} for number, text in enumerate(documents))
        with silence():
            self.collection(folder, own_analysis).index(rows)
            # Compresses postings and bounds, which the first search would otherwise do.
            self.retriever(folder, own_analysis)
        seconds = time.perf_counter() - start
        sizes = {entry.name: entry.stat().st_size for entry in os.scandir(folder)}
        # The postings with their bounds, and the terms; the others are documents' names, and what compressing began with.
        kept = sum(size for name, size in sizes.items() if name.startswith("bm25.") or name == "fwd.termlex")
        return {"seconds": seconds, "documents": len(documents), "bytes": kept, "index_bytes": kept}

    def open(self, folder, queries, query_terms, own_analysis):
        with silence():
            self.context = self.retriever(folder, own_analysis)._ctxt
        self.own_analysis = own_analysis
        if own_analysis:
            self.queries = list(enumerate(lines(queries)))
        else:
            counts = [collections.Counter(map(whole, line.split())) for line in lines(query_terms)]
            floats = [{term: float(count) for term, count in query.items()} for query in counts]
            self.queries = list(enumerate(floats))
        self.fastest = {}
        return {}

    def algorithm(self, k):
        if k not in self.fastest:
            took = {}
            for _ in range(2):
                for algorithm in ALGORITHMS:
                    start = time.perf_counter()
                    self._retrieve(k, algorithm)
                    took[algorithm] = time.perf_counter() - start
            self.fastest[k] = min(took, key=took.get)
        return self.fastest[k]

    def search(self, k):
        algorithm = self.algorithm(k)
        start = time.perf_counter()
        found = self._retrieve(k, algorithm)[0]
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "queries": len(self.queries), "hits": found}

    def results(self, k):
        size, queries, names, ranks, scores = self._retrieve(k, self.algorithm(k))
        results = [[] for _ in self.queries]
        for row in range(size):
            results[queries[row]].append((ranks[row], int(names[row]), float(scores[row])))
        return {"results": [[hit[1:] for hit in sorted(hits)] for hits in results]}

    def _retrieve(self, k, algorithm):
        size = len(self.queries) * k
        queries, ranks = np.empty(size, np.int32), np.empty(size, np.int32)
        names, scores = np.empty(size, object), np.empty(size, np.float32)
        found = _pisathon.retrieve(
            self.context,
            algorithm,
            self.queries,
            k=k,
            threads=self.threads,
            query_weighted=0 if self.own_analysis else 1,
            pretokenised=not self.own_analysis,
            result_qidxs=queries,
            result_docnos=names,
            result_ranks=ranks,
            result_scores=scores,
        )
        return found, queries, names, ranks, scores


if __name__ == "__main__":
    serve(Pisa(int(sys.argv[2])))
