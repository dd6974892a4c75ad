"""A real snug-server over a repository of real small models."""
import os
import pathlib
import shutil
import sys
import urllib.error
import urllib.request

import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from server_process import ServerProcess  # noqa: E402
from waiting import wait_for  # noqa: E402

BIN = pathlib.Path(os.environ.get("SNUG_BIN_DIR", ROOT / "build/release/bin"))
TINY = ROOT / "build/models-src/tiny"


class Server(ServerProcess):
    """One process over a directory's models, and REST calls to it."""

    def __init__(self, directory, *options):
        super().__init__(BIN / "snug-server", directory, *options)

    def call(self, path, body=None, headers=None, method=None):
        """Status, headers and body of a REST call."""
        data = body.encode() if isinstance(body, str) else body
        request = urllib.request.Request(f"http://{self.rest}{path}", data=data, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def wait_ready(self):
        wait_for(lambda: self.call("/v2/health/ready")[0] == 200, f"readiness; log:\n{self.log.read_text()}")
        return self


def add_model(directory, name, version, source, yaml=None):
    target = directory / "models" / name / str(version)
    shutil.copytree(source, target)
    if yaml:
        (target.parent / "model.yaml").write_text(yaml)
    return target


def add_echo(directory, name, spec, version=1):
    """A model of the echo engine, whose output y is its input x; spec: datatype's number and dimensions."""
    target = directory / "models" / name / str(version)
    target.mkdir(parents=True)
    (target / "echo.txt").write_text(spec)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("server")
    add_model(directory, "tiny", 1, TINY / "ir")
    add_model(directory, "tiny", 2, TINY / "onnx")
    (directory / "models/tiny/model.yaml").write_text("engine: openvino\nlabels: {stable: 1}\n")
    add_echo(directory, "words", "14 -1 2")
    add_echo(directory, "flags", "1 -1")
    add_echo(directory, "bytes", "2 -1")
    add_echo(directory, "halves", "10 -1")
    add_echo(directory, "numbers", "12 -1")
    broken = directory / "models/broken/1"
    broken.mkdir(parents=True)
    (broken / "model.onnx").write_bytes(b"not a model")
    running = Server(directory).wait_ready()
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture(params=[grpcclient, httpclient], ids=["grpc", "http"])
def client(request, server):
    """(module, client) of each protocol, to the server of the test's module."""
    module = request.param
    made = module.InferenceServerClient(server.grpc if module is grpcclient else server.rest)
    yield module, made
    made.close()
