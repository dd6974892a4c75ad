"""kserve_server.py HTTP_PORT GRPC_PORT: KServe's Python model server, one process."""
import sys

import kserve
from onnx_model import NAMES, OnnxModel, models_from_environment


class Served(kserve.Model):
    def __init__(self, name, path):
        super().__init__(name)
        self.model = OnnxModel(path)
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        outputs = self.model.run({tensor.name: tensor.as_numpy() for tensor in payload.inputs})
        return kserve.InferResponse(
            response_id=payload.id or "", model_name=self.name,
            infer_outputs=[kserve.InferOutput(name, list(array.shape), NAMES[array.dtype], array)
                           for name, array in outputs])


if __name__ == "__main__":
    server = kserve.ModelServer(http_port=int(sys.argv[1]), grpc_port=int(sys.argv[2]), workers=1,
                                enable_latency_logging=False, access_log_format=None)
    server.start([Served(name, path) for name, path in models_from_environment().items()])
