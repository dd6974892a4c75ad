"""The other servers. Set-ups are those in which each was found fastest on the same work: docs/benchmarks.md."""
import json

from .servers import HOSTED, Peer


class FastApi(Peer):
    name, environment = "FastAPI", "fastapi"
    path_form = "/{}"
    by_hand = True

    def command(self):
        return [self.python(), "-m", "uvicorn", "fastapi_server:app", "--port", self.port, "--workers", self.workers,
                "--log-level", "warning", "--no-access-log"]


class KServe(Peer):
    name, environment = "KServe", "kserve"
    binary_rest = True

    def command(self):
        self.grpc = f"127.0.0.1:{self.grpc_port}"
        return [self.python(), HOSTED / "kserve_server.py", self.port, self.grpc_port]


class MlServer(Peer):
    name, environment = "MLServer", "mlserver"

    def command(self):
        self.grpc = f"127.0.0.1:{self.grpc_port}"
        settings = {"host": "127.0.0.1", "http_port": self.port, "grpc_port": self.grpc_port, "metrics_endpoint": None,
                    "parallel_workers": self.workers, "grpc_max_message_length": 1 << 27, "debug": False,
                    "access_log_format": None}
        (self.directory / "settings.json").write_text(json.dumps(settings))
        for model in self.models:
            folder = self.directory / model.name
            folder.mkdir()
            (folder / "model-settings.json").write_text(json.dumps(
                {"name": model.name, "implementation": "mlserver_runtime.OnnxRuntime",
                 "parameters": {"uri": str(model.onnx)}}))
        return [self.python().parent / "mlserver", "start", self.directory]


class LitServe(Peer):
    name, environment = "LitServe", "litserve"
    path_form = "/{}"

    def command(self):
        return [self.python(), HOSTED / "litserve_server.py", self.port, self.workers]


class BentoMl(Peer):
    name, environment = "BentoML", "bentoml"
    path_form = "/{}"

    def command(self):
        return [self.python().parent / "bentoml", "serve", "bentoml_service:Served", "--host", "127.0.0.1", "--port",
                self.port, "--working-dir", HOSTED]


ALL = (FastApi, KServe, MlServer, LitServe, BentoMl)


def installed():
    return [peer for peer in ALL if peer.python().exists()]
