"""Counts words: a whole Python model. inputs and outputs name the tensors; -1 is a free dimension."""
import numpy as np


class Words:
    inputs = {"text": ("BYTES", [-1])}
    outputs = {"count": ("INT64", [-1]), "upper": ("BYTES", [-1])}

    def load(self, directory, options):
        """Optional. `directory` is that of this version, `options` those of model.yaml's engine_options.options."""
        self.separator = options.get("separator", " ").encode()

    def predict(self, inputs):
        """A batch at a time: arrays in, arrays out. BYTES are object arrays of bytes."""
        texts = inputs["text"]
        if any(len(text) > 10_000 for text in texts):
            raise ValueError("a text of more than 10000 bytes")  # becomes INVALID_ARGUMENT
        return {"count": np.array([len(text.split(self.separator)) for text in texts], np.int64),
                "upper": np.array([text.upper() for text in texts], object)}
