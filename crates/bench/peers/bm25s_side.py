"""The bm25s side, set up as its authors advise for speed: the numba backend, PyStemmer's stemmer."""
import os
import sys
import time

import bm25s
import numba
import numpy as np
import Stemmer

from protocol import lines, serve

K1, B = 1.2, 0.75


class Bm25s:
    def __init__(self, threads):
        self.threads = threads
        numba.set_num_threads(threads)
        self.retriever = None

    def version(self):
        return {"version": f"{bm25s.__version__} (numba {numba.__version__})"}

    def index(self, texts, terms, folder, own_analysis):
        """From a file of texts to a saved index. bm25s keeps no texts."""
        start = time.perf_counter()
        if own_analysis:
            stemmer = Stemmer.Stemmer("english")
            documents = lines(texts)
            corpus = bm25s.tokenize(documents, stopwords="en", stemmer=stemmer, show_progress=False)
        else:
            documents = lines(terms)
            corpus = [line.split() for line in documents]
        retriever = bm25s.BM25(method="lucene", k1=K1, b=B, backend="numba")
        retriever.index(corpus, show_progress=False)
        retriever.save(folder, show_progress=False)
        seconds = time.perf_counter() - start
        size = sum(entry.stat().st_size for entry in os.scandir(folder))
        return {"seconds": seconds, "documents": len(documents), "bytes": size, "index_bytes": size}

    def open(self, folder, queries, query_terms, own_analysis):
        self.retriever = bm25s.BM25.load(folder)
        self.retriever.backend = "numba"
        self.retriever.activate_numba_scorer()
        if own_analysis:
            stemmer = Stemmer.Stemmer("english")
            self.queries = bm25s.tokenize(
                lines(queries), stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False
            )
        else:
            self.queries = [line.split() for line in lines(query_terms)]
        # Compiles, which its users pay once a process.
        self._retrieve(10)
        return {}

    def search(self, k):
        start = time.perf_counter()
        _, scores = self._retrieve(k)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "queries": len(self.queries), "hits": int((scores > 0).sum())}

    def results(self, k):
        documents, scores = self._retrieve(k)
        rows = zip(documents.tolist(), scores.tolist())
        return {"results": [[pair for pair in zip(*row) if pair[1] > 0] for row in rows]}

    def _retrieve(self, k):
        k = min(k, self.retriever.scores["num_docs"])
        found = self.retriever.retrieve(
            self.queries, k=k, n_threads=self.threads, show_progress=False, return_as="tuple"
        )
        return np.asarray(found.documents), np.asarray(found.scores)


if __name__ == "__main__":
    serve(Bm25s(int(sys.argv[2])))
