"""What the tests of the python engine need: a model whose behaviour is chosen by the option `mode`."""
import os
import time

import numpy as np


class Lab:
    inputs = {"x": ("FP32", [-1, 4])}
    outputs = {"y": (np.float32, [-1, None]), "note": ("BYTES", [-1])}

    def load(self, directory, options):
        self.mode = options.get("mode", "double")
        self.flag = options.get("flag")
        if self.mode == "load_fails":
            raise RuntimeError("weights are missing")
        if self.mode == "load_hangs":
            time.sleep(600)
        if self.mode == "load_dies":
            os._exit(7)

    def predict(self, inputs):
        x = inputs["x"]
        note = np.array([b"row \xff", b""] + [b"r"] * len(x), dtype=object)[:len(x)]
        if x.size and x[0, 0] < 0:  # on demand
            os.kill(os.getpid(), 9)
        if x.size and x[0, 0] > 1000:
            time.sleep(600)
        if self.mode == "dies_once" and not os.path.exists(self.flag):
            open(self.flag, "w").close()
            os._exit(7)
        if self.mode == "value_error":
            raise ValueError("row 3 is negative")
        if self.mode == "bug":
            print("before the bug")
            return self.nothing
        if self.mode == "exit":
            raise SystemExit(3)
        if self.mode == "generator":
            return (part for part in [1, 2])
        if self.mode == "no_note":
            return {"y": x}
        if self.mode == "wrong_type":
            return {"y": x.astype(np.float64), "note": note}
        if self.mode == "wrong_rank":
            return {"y": x[0], "note": note}
        if self.mode == "lists":
            return {"y": [[1, 2]] * len(x), "note": ["é"] * len(x)}
        if self.mode == "wide":
            return {"y": np.repeat(x, 100, axis=1), "note": note}
        if self.mode == "threads":
            return {"y": np.full((1, 1), float(os.environ["OMP_NUM_THREADS"]), np.float32), "note": note}
        x *= 2  # inputs are the model's own to write in
        return {"y": x[:, ::2], "note": note, "more": None}
