"""A snug-server over models that a benchmark names: started on free ports, stopped with everything it made."""
import os
import pathlib
import shutil
import sys
import tempfile
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SNUG_BUILD", ROOT / "build/release"))
sys.path.insert(0, str(ROOT / "tests/support"))
from server_process import ServerProcess  # noqa: E402
from waiting import wait_for  # noqa: E402


class ModelServer:
    def __init__(self, models, *options, launcher=(), wait=True):
        """`models`: {name: (paths that make up version 1, the text of model.yaml)}; `options`: of snug-server;
        `launcher`: a command that snug-server is run by, such as taskset; `wait`: until all models are ready."""
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="snug-bench-"))
        (self.directory / "models").mkdir()
        for name, (files, config) in models.items():
            self.add(name, files, config)
        try:
            self.server = ServerProcess(BUILD / "bin/snug-server", self.directory, *options, launcher=launcher)
        except AssertionError:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise
        self.pid, self.grpc_port, self.rest_port = self.server.pid, self.server.grpc_port, self.server.rest_port
        self.process = self.server.process
        try:
            for name in models if wait else ():
                self.wait_until_ready(name)
        except AssertionError:
            self.close()
            raise

    def add(self, name, files, config):
        """Puts a model into the repository; a running server is not told."""
        version = self.directory / "models" / name / "1"
        version.mkdir(parents=True)
        for path in files:
            (version / path.name).symlink_to(path)
        (version.parent / "model.yaml").write_text(config)

    def wait_until_ready(self, name):
        wait_for(lambda: self.process.poll() is not None or self._answers(f"/v2/models/{name}/ready"), self._log)
        assert self.process.poll() is None, self._log()

    def _log(self):
        return f"the model is not ready:\n{self.server.log.read_text()[-2000:]}"

    def _answers(self, path):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.rest_port}{path}", timeout=5).status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    @property
    def grpc(self):
        return self.server.grpc

    @property
    def rest(self):
        return self.server.rest

    def endpoint(self):
        """As the front door's driver takes it."""
        return ["127.0.0.1", self.grpc_port, self.rest_port, 1]

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
