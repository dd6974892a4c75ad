import time

import numpy as np


class Repeat:
    """Answers each value of IN apart, DELAY milliseconds after the one before; the next request may come after WAIT."""
    inputs = {"IN": ("INT32", [-1]), "DELAY": ("UINT32", [-1]), "WAIT": ("UINT32", [1])}
    outputs = {"OUT": ("INT32", [1]), "IDX": ("UINT32", [1])}

    def predict(self, inputs):
        if len(inputs["IN"]) != len(inputs["DELAY"]):
            raise ValueError(f'{len(inputs["IN"])} values in IN, but {len(inputs["DELAY"])} in DELAY')
        for index, (value, delay) in enumerate(zip(inputs["IN"], inputs["DELAY"])):
            time.sleep(float(delay) / 1000)
            yield {"OUT": np.array([value]), "IDX": np.array([index], np.uint32)}
        time.sleep(float(inputs["WAIT"][0]) / 1000)
