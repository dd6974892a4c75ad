"""A real snug-server over a repository of real small models."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SNUG_BIN_DIR", ROOT / "build/release/bin"))
TINY = ROOT / "build/models-src/tiny"


def wait_for(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")


class Server:
    """One process; ports are the system's choice."""

    def __init__(self, directory, *options):
        self.log = directory / "server.log"
        self.ready_file = directory / "ready.json"
        self.ready_file.unlink(missing_ok=True)
        command = [BIN / "snug-server", "--models", directory / "models", "--grpc-port", "0", "--rest-port", "0",
                   "--ready-file", self.ready_file, *options]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(part) for part in command], stderr=log, stdout=log)
        wait_for(lambda: self.ready_file.exists() or self.process.poll() is not None, "the server's ready file")
        assert self.process.poll() is None, self.log.read_text()
        ports = json.loads(self.ready_file.read_text())
        assert ports["pid"] == self.process.pid
        self.grpc = f"127.0.0.1:{ports['grpc_port']}"
        self.rest = f"127.0.0.1:{ports['rest_port']}"

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

    def stop(self):
        """The exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


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
