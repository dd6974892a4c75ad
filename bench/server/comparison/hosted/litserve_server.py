"""litserve_server.py PORT WORKERS: LitServe, every model at a path of its own."""
import sys

import litserve
from onnx_model import OnnxModel, models_from_environment


class Served(litserve.LitAPI):
    def __init__(self, path, **options):
        super().__init__(**options)
        self.path = path

    def setup(self, device):
        self.model = OnnxModel(self.path)

    def decode_request(self, request):
        return request["inputs"]

    def predict(self, tensors):
        return self.model.run_json(tensors)

    def encode_response(self, outputs):
        return {"outputs": outputs}


if __name__ == "__main__":
    apis = [Served(path, api_path=f"/{name}") for name, path in models_from_environment().items()]
    server = litserve.LitServer(apis, accelerator="cpu", workers_per_device=int(sys.argv[2]), fast_queue=True,
                                restart_workers=True)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", generate_client_file=False)
