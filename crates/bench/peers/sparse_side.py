"""The sides of learned sparse retrieval: seismic, BMP, and a plain scan of postings by numba."""
import os
import sys
import time

import numpy as np

from protocol import serve, silence


def vectors(folder):
    """Counts, terms and weights of the documents of a folder; see src/sparse/vectors.rs."""
    files = [("counts.u32", "<u4"), ("terms.u32", "<u4"), ("weights.f32", "<f4")]
    return [np.fromfile(os.path.join(folder, name), dtype=kind) for name, kind in files]


def offsets_of(counts):
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


class Scan:
    """Every posting of a query's terms, added up in an array of all documents, as bm25s does it with its own weights."""

    def __init__(self, threads):
        import numba

        import sparse_scan

        numba.set_num_threads(threads)
        self.scan, self.label = sparse_scan, f"postings scanned by numba {numba.__version__}"

    def build(self, source, terms, folder, settings):
        counts, rows, weights = vectors(source)
        order = np.argsort(rows, kind="stable")
        numbers = np.repeat(np.arange(len(counts), dtype=np.uint32), counts)[order]
        starts = offsets_of(np.bincount(rows, minlength=terms))
        os.makedirs(folder)
        for name, values in [("starts", starts), ("documents", numbers), ("weights", weights[order])]:
            np.save(os.path.join(folder, name), values)
        size = sum(entry.stat().st_size for entry in os.scandir(folder))
        return len(rows), size

    def open(self, folder, queries, settings):
        load = lambda name: np.load(os.path.join(folder, name + ".npy"))
        self.lists = load("starts"), load("documents"), load("weights")
        counts, terms, weights = vectors(queries)
        self.queries = offsets_of(counts), terms, weights
        self.count = len(counts)
        self.documents = int(self.lists[1].max()) + 1
        # Compiles, which its users pay once a process.
        self.search(10, settings)

    def search(self, k, settings):
        return self.scan.best(*self.lists, self.documents, *self.queries, k)

    def hits(self, found):
        numbers, scores = found
        rows = zip(numbers.tolist(), scores.tolist())
        return [[pair for pair in zip(*row) if pair[1] > 0] for row in rows]


class Seismic:
    """The summary is made of u8; values are half precision, or 8 bits with DotVByte."""

    def __init__(self, threads):
        import importlib.metadata

        import seismic

        self.threads, self.seismic = threads, seismic
        self.label = f"seismic {importlib.metadata.version('pyseismic-lsr')}"
        self.string = seismic.get_seismic_string()

    def kind(self, settings):
        return self.seismic.SeismicIndexDotVByte if settings["dotvbyte"] else self.seismic.SeismicIndex

    def build(self, source, terms, folder, settings):
        counts, terms, weights = vectors(source)
        dataset = self.seismic.SeismicDataset()
        ids = [str(number) for number in range(len(counts))]
        dataset.add_documents_by_id(ids, terms.astype(np.int64), weights, offsets_of(counts))
        os.makedirs(folder)
        with silence():
            index = self.kind(settings).build_from_dataset(
                dataset,
                n_postings=settings["n_postings"],
                centroid_fraction=0.2,
                summary_energy=0.5,
                min_cluster_size=2,
                max_fraction=4.0,
                num_threads=self.threads,
            )
            index.save(os.path.join(folder, "saved"))
        return len(terms), sum(entry.stat().st_size for entry in os.scandir(folder))

    def open(self, folder, queries, settings):
        self.index = self.kind(settings).load(os.path.join(folder, "saved.index.seismic"))
        counts, terms, weights = vectors(queries)
        cuts = offsets_of(counts)[1:-1]
        self.ids = np.array([str(number) for number in range(len(counts))], dtype=self.string)
        self.terms = np.split(terms.astype(self.string), cuts)
        self.weights = np.split(weights, cuts)
        self.count = len(counts)

    def search(self, k, settings):
        return self.index.batch_search(
            self.ids,
            self.terms,
            self.weights,
            k=k,
            query_cut=settings["query_cut"],
            heap_factor=settings["heap_factor"],
            sorted=settings["sorted"],
            num_threads=self.threads,
        )

    def hits(self, found):
        """By the numbers of the queries: several threads return them in any order."""
        results = [[] for _ in range(self.count)]
        for row in found:
            for query, score, document in row:
                results[int(query)].append((int(document), score))
        return results


class Bmp:
    """Block-max pruning over impacts of 8 bits, rank-safe for those (alpha 1, beta 1); one thread."""

    def __init__(self, threads):
        import importlib.metadata

        import bmp

        self.bmp, self.label = bmp, f"BMP {importlib.metadata.version('bmp')}"

    def build(self, source, terms, folder, settings):
        counts, rows, weights = vectors(source)
        impacts = np.maximum(np.rint(weights * (255 / weights.max())), 1).astype(np.uint8)
        names = [str(term) for term in range(terms)]
        os.makedirs(folder)
        indexer = self.bmp.Indexer(os.path.join(folder, "index.bmp"), settings["block"], True)
        starts = offsets_of(counts)
        for number in range(len(counts)):
            own = slice(starts[number], starts[number + 1])
            own_names = map(names.__getitem__, rows[own].tolist())
            indexer.add_document(str(number), dict(zip(own_names, impacts[own].tolist())))
        indexer.finish()
        return len(rows), sum(entry.stat().st_size for entry in os.scandir(folder))

    def open(self, folder, queries, settings):
        self.searcher = self.bmp.Searcher(os.path.join(folder, "index.bmp"))
        counts, terms, weights = vectors(queries)
        starts = offsets_of(counts).tolist()
        names, weights = terms.astype(str).tolist(), weights.tolist()
        cuts = [slice(*pair) for pair in zip(starts, starts[1:])]
        self.queries = [dict(zip(names[cut], weights[cut])) for cut in cuts]
        self.count = len(self.queries)

    def search(self, k, settings):
        return [self.searcher.search(query, k, 1.0, 1.0) for query in self.queries]

    def hits(self, found):
        return [[(int(document), score) for document, score in zip(*row)] for row in found]


class Side:
    """What all have in common: times, and answers."""

    def __init__(self, name, threads):
        self.peer = {"scan": Scan, "seismic": Seismic, "bmp": Bmp}[name](threads)

    def version(self):
        return {"version": self.peer.label}

    def build(self, vectors, terms, folder, settings):
        """From files of vectors to an index on disk."""
        start = time.perf_counter()
        postings, size = self.peer.build(vectors, terms, folder, settings)
        return {"seconds": time.perf_counter() - start, "postings": postings, "bytes": size}

    def open(self, folder, queries, settings):
        self.peer.open(folder, queries, settings)
        return {}

    def search(self, k, settings):
        start = time.perf_counter()
        self.peer.search(k, settings)
        return {"seconds": time.perf_counter() - start, "queries": self.peer.count}

    def results(self, k, settings):
        start = time.perf_counter()
        found = self.peer.search(k, settings)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "results": self.peer.hits(found)}


if __name__ == "__main__":
    serve(Side(sys.argv[1], int(sys.argv[2])))
