"""sentence-transformers' mine_hard_negatives, with vectors from files in the place of a model's."""
import os
import sys
import time

import numpy as np

from protocol import lines, serve


class Stored:
    """What mine_hard_negatives asks of a model. Vectors have length one, so that the dot product, which is cheaper, is the
    cosine."""

    def __init__(self, torch, util, folder, columns):
        self.folder, self.columns = folder, columns
        self.device = torch.device("cpu")
        self.similarity, self.similarity_pairwise = util.dot_score, util.pairwise_dot_score

    def rows(self, name, count):
        rows = np.fromfile(os.path.join(self.folder, name), dtype="<f4").reshape(-1, self.columns)
        assert len(rows) == count, f"{len(rows)} vectors for {count} texts"
        return rows

    def encode_query(self, texts, **_):
        return self.rows("queries.f32", len(texts))

    def encode_document(self, texts, **_):
        return self.rows("documents.f32", len(texts))

    def get_embedding_dimension(self):
        return self.columns


class Few(Stored):
    """A few texts and vectors, for a first call that nobody times: it imports what is imported late."""

    def rows(self, name, count):
        return np.eye(count, self.columns, dtype=np.float32)


class Peer:
    def __init__(self, side, threads):
        self.side, self.threads = side, threads

    def ready(self):
        import datasets
        import sentence_transformers
        import torch

        torch.set_num_threads(self.threads)
        self.torch, self.datasets, self.package = torch, datasets, sentence_transformers
        version = f"sentence-transformers {sentence_transformers.__version__}"
        if self.side == "faiss":
            import faiss

            faiss.omp_set_num_threads(self.threads)
            version += f", faiss {faiss.__version__}"
        texts = [str(number) for number in range(8)]
        self.mined(Few(torch, sentence_transformers.util, "", 8), texts, texts, texts, 4)
        return {"version": version}

    def mined(self, model, queries, answers, documents, negatives):
        return self.package.util.mine_hard_negatives(
            self.datasets.Dataset.from_dict({"query": queries, "answer": answers}),
            model,
            corpus=documents,
            range_max=negatives,
            num_negatives=negatives,
            output_format="n-tuple",
            output_scores=True,
            use_faiss=self.side == "faiss",
            verbose=False,
        )

    def mine(self, folder, columns, negatives, output):
        start = time.perf_counter()
        queries = lines(os.path.join(folder, "queries.txt"))
        documents = lines(os.path.join(folder, "documents.txt"))
        answers = [documents[int(line)] for line in lines(os.path.join(folder, "answers.txt"))]
        model = Stored(self.torch, self.package.util, folder, columns)
        mined = self.mined(model, queries, answers, documents, negatives)
        seconds = time.perf_counter() - start
        self.write(mined, documents, negatives, output)
        return {"seconds": seconds}

    def write(self, mined, documents, negatives, output):
        """Not in the time: documents by their numbers, as our side writes them. The first score is the answer's."""
        numbers = {text: number for number, text in enumerate(documents)}
        with open(output, "w", encoding="utf-8") as file:
            for row in mined:
                found = [numbers[row[f"negative_{place}"]] for place in range(1, negatives + 1)]
                scores = row["scores"][-negatives:]
                file.write(" ".join(f"{n} {float(s)!r}" for n, s in zip(found, scores)) + "\n")


if __name__ == "__main__":
    serve(Peer(sys.argv[1], int(sys.argv[2])))
