"""For the tests of the python engine: answers each value apart, and fails at a negative one."""
import numpy as np


class Repeat:
    inputs = {"x": ("INT32", [-1])}
    outputs = {"y": ("INT32", [-1]), "text": ("BYTES", [-1])}

    def predict(self, inputs):
        for value in inputs["x"]:
            if value < 0:
                raise ValueError("a negative value")
            # From value to value larger, so that the memory which answers lie in has to grow.
            yield {"y": np.full(int(value), value, np.int32), "text": [str(value)]}
