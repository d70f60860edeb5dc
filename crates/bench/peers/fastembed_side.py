"""fastembed, which drives onnxruntime: the graph of that peer, as a custom model in a directory."""
import os
import sys

import numpy as np

from encoding import Encoding
from protocol import serve


class FastEmbed(Encoding):
    def packages(self):
        import onnxruntime
        from fastembed import TextEmbedding
        from fastembed.common.model_description import ModelSource, PoolingType
        from importlib.metadata import version

        self.TextEmbedding, self.ModelSource, self.PoolingType = (
            TextEmbedding, ModelSource, PoolingType
        )
        self.found = f"{version('fastembed')} (onnxruntime {onnxruntime.__version__})"

    def version(self):
        return self.found

    def open_model(self, model, graph, max_tokens, pad, batch):
        self.batch = batch
        folder, file = os.path.split(graph)
        # The graph pools, so that all that is left to fastembed is to norm.
        self.TextEmbedding.add_custom_model(
            model=folder,
            pooling=self.PoolingType.DISABLED,
            normalization=True,
            sources=self.ModelSource(url="file://" + folder),
            dim=1,
            model_file=file,
        )
        self.model = self.TextEmbedding(
            folder, threads=self.threads, specific_model_path=folder
        )

    def encode_texts(self, texts):
        return np.stack(list(self.model.embed(texts, batch_size=self.batch)))


if __name__ == "__main__":
    serve(FastEmbed(int(sys.argv[2])))
