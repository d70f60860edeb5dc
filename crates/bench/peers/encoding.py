"""What all encoding peers have in common: sets of texts, and the clock."""
import time

import numpy as np

from protocol import lines


class Encoding:
    """A side has to give `packages()`, `version()`, `open_model(...)` and `encode_texts(texts)`, whose result is one
    normalised vector a text."""

    def __init__(self, threads):
        self.threads = threads
        self.sets = {}

    def ready(self):
        """Imports what opening a model would import, so that the clock of `open` does not see it."""
        self.packages()
        return {"version": self.version()}

    def open(self, **request):
        start = time.perf_counter()
        self.open_model(**request)
        return {"seconds": time.perf_counter() - start}

    def load(self, name, path, prefix, role):
        self.sets[name] = [prefix + text for text in lines(path)]
        return {}

    def timed(self, texts):
        start = time.perf_counter()
        self.encode_texts(texts)
        return time.perf_counter() - start

    def first(self, name):
        return {"seconds": self.timed(self.sets[name][:1])}

    def encode(self, name):
        return {"seconds": self.timed(self.sets[name])}

    def latency(self, name):
        times = [self.timed([text]) for text in self.sets[name]]
        return {"p50_ms": float(np.median(times)) * 1e3}

    def vectors(self, name, path):
        self.encode_texts(self.sets[name]).astype("<f4").tofile(path)
        return {}
