"""BentoML; started by `bentoml serve`."""
import os

import bentoml
from onnx_model import OnnxModel, models_from_environment


@bentoml.service(workers=int(os.environ["BENCH_WORKERS"]))
class Served:
    def __init__(self):
        self.models = {name: OnnxModel(path) for name, path in models_from_environment().items()}

    @bentoml.api(route="/tiny")
    def tiny(self, inputs: list) -> dict:
        return {"outputs": self.models["tiny"].run_json(inputs)}

    @bentoml.api(route="/magika")
    def magika(self, inputs: list) -> dict:
        return {"outputs": self.models["magika"].run_json(inputs)}

    @bentoml.api(route="/ocr")
    def ocr(self, inputs: list) -> dict:
        return {"outputs": self.models["ocr"].run_json(inputs)}
