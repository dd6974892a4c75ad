"""A snug-server with one model, for benchmarks: started on free ports, stopped with everything it made."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SNUG_BUILD", ROOT / "build/release"))
READY_SECONDS_MAX = 60


class ModelServer:
    def __init__(self, name, files, config):
        """`files`: paths that make up version 1; `config`: the text of model.yaml."""
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="snug-bench-"))
        version = self.directory / "models" / name / "1"
        version.mkdir(parents=True)
        for path in files:
            (version / path.name).symlink_to(path)
        (version.parent / "model.yaml").write_text(config)
        ready = self.directory / "ready.json"
        with (self.directory / "server.log").open("wb") as log:
            self.process = subprocess.Popen(
                [str(BUILD / "bin/snug-server"), "--models", str(self.directory / "models"), "--grpc-port", "0",
                 "--rest-port", "0", "--ready-file", str(ready)], stderr=log, stdout=log)
        self._wait(ready.exists, "snug-server")
        ports = json.loads(ready.read_text())
        self.pid, self.grpc_port, self.rest_port = self.process.pid, ports["grpc_port"], ports["rest_port"]
        self._wait(lambda: self._answers(f"/v2/models/{name}/ready"), f"model {name}")

    def _answers(self, path):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.rest_port}{path}", timeout=5).status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def _wait(self, condition, what):
        end = time.monotonic() + READY_SECONDS_MAX
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                log = (self.directory / "server.log").read_text()[-2000:]
                self.close()
                raise RuntimeError(f"{what} was not ready:\n{log}")
            time.sleep(0.02)

    @property
    def grpc(self):
        return f"127.0.0.1:{self.grpc_port}"

    def endpoint(self):
        """As the front door's driver takes it."""
        return ["127.0.0.1", self.grpc_port, self.rest_port, 1]

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
