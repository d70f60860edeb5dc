"""Writes sparse/ and sparse.json: small sparse encoders by sentence-transformers, and the weights that it makes.

Made with torch 2.15.0 (CPU), transformers 5.24.0, sentence-transformers 6.2.0.
Usage: python make_sparse.py (from this folder)

The masked language model is heads/mlm-bert, whose weights are random; queries of `inference-free` are looked up in weights that rise with the
token's number, every third being 0.
"""

import json
import shutil
from pathlib import Path

import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sparse_encoder.modules import (
    MLMTransformer,
    SparseStaticEmbedding,
    SpladePooling,
)

TEXTS = ["the cat is on the mat", "a dog and a rat", "the the the"]


def encoder(kind, activation, strategy):
    if strategy == "sum":
        # As newer versions call it.
        body = Transformer("heads/mlm-bert", transformer_task="fill-mask")
    else:
        body = MLMTransformer("heads/mlm-bert")
    pooling = SpladePooling(pooling_strategy=strategy, activation_function=activation)
    if kind == "splade":
        return SparseEncoder(modules=[body, pooling], device="cpu")
    terms = len(body.tokenizer)
    weight = torch.tensor([0.0 if i % 3 == 0 else i / 16 for i in range(terms)])
    table = SparseStaticEmbedding(tokenizer=body.tokenizer, weight=weight)
    router = Router.for_query_document(query_modules=[table], document_modules=[body, pooling])
    return SparseEncoder(modules=[router], device="cpu")


def weights(rows):
    rows = rows.to_dense() if rows.is_sparse else rows
    return [[(i, round(w, 6)) for i, w in enumerate(row.tolist()) if w > 0] for row in rows]


def main():
    shutil.rmtree("sparse", ignore_errors=True)
    golden = {"texts": TEXTS, "models": {}}
    for name, kind, activation, strategy in [
        ("splade", "splade", "relu", "max"),
        ("splade-sum", "splade", "log1p_relu", "sum"),
        ("inference-free", "inference-free", "log1p_relu", "max"),
    ]:
        model = encoder(kind, activation, strategy)
        model.save(f"sparse/{name}")
        for extra in Path("sparse", name).rglob("README.md"):
            extra.unlink()
        golden["models"][name] = {
            "query": weights(model.encode_query(TEXTS)),
            "document": weights(model.encode_document(TEXTS)),
        }
    Path("sparse.json").write_text(json.dumps(golden))


main()
