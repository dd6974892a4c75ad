"""What a benchmark needs of a server, whichever it is: start, addresses, processes, stop."""
import contextlib
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from model_server import ROOT, ModelServer
from waiting import wait_for

sys.path.insert(0, str(ROOT / "tools"))
import measure  # noqa: E402

START_SECONDS_MAX = 90
HOSTED = pathlib.Path(__file__).parent / "hosted"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`rest` and `grpc` are HOST:PORT, `grpc` None where there is none."""
    name = ""
    by_hand = False  # no platform: listed, but not who the targets speak of
    path_form = "/v2/models/{}/infer"  # where to POST an infer request
    binary_rest = False  # takes KServe v2's binary tensors over REST
    grpc = None

    def path(self, model_name):
        return self.path_form.format(model_name)

    def pids(self):
        return measure.process_tree(self.root_pid)

    def pss_mb(self):
        return measure.pss_bytes(self.pids()) / 1e6

    def post(self, model_name, body, headers=None, timeout=60):
        """(status, answer's body); raises OSError or HTTPException when there is no answer."""
        connection = http.client.HTTPConnection(self.rest, timeout=timeout)
        with contextlib.closing(connection):
            connection.request("POST", self.path(model_name), body, {"Content-Type": "application/json"} | (headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()

    def answers(self, model):
        try:
            return self.post(model.name, model.json_body())[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def stop(self):
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Snug(Server):
    """One thread an instance, as the peers' workers have."""
    name = "Snug"
    binary_rest = True

    def __init__(self, models, workers=2, extra="", options=(), launcher=(), wait=True, configs=None):
        """`workers` of None: as many instances as the server itself chooses; `wait`: until all have answered; `configs`:
        {a model's name: what its model.yaml says besides}."""
        config = f"engine: openvino\nthreads: 1\n{extra}" + (f"instances: {workers}\n" if workers else "")
        begun = time.monotonic()
        self.server = ModelServer({m.name: ([m.onnx], config + (configs or {}).get(m.name, "")) for m in models}, *options,
                                  launcher=launcher, wait=wait)
        self.rest, self.grpc, self.root_pid = self.server.rest, self.server.grpc, self.server.pid
        if wait:
            wait_for(lambda: all(self.answers(m) for m in models), "Snug's first answer")
        self.start_seconds = time.monotonic() - begun

    def stop(self):
        self.server.close()


class Peer(Server):
    """A server from a package, in an environment of its own (tools/setup/venvs.sh peer-NAME)."""
    environment = ""

    def __init__(self, models, workers=2):
        self.models, self.workers = models, workers
        self.port, self.grpc_port = free_port(), free_port()
        self.rest = f"127.0.0.1:{self.port}"
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="bench-peer-"))
        variables = {"BENCH_MODELS": ",".join(f"{m.name}={m.onnx}" for m in models), "BENCH_WORKERS": str(workers),
                     "PYTHONPATH": str(HOSTED), "HOME": str(self.directory), "OMP_NUM_THREADS": "1",
                     "PATH": f"{self.python().parent}:{os.environ['PATH']}", "BENTOML_DO_NOT_TRACK": "True"}
        self.log = self.directory / "log"
        begun = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(part) for part in self.command()], cwd=self.directory, stdout=log,
                                            stderr=log, env=os.environ | variables, start_new_session=True)
        self.root_pid = self.process.pid
        try:
            wait_for(lambda: self.process.poll() is not None or all(self.answers(m) for m in models), self._last_lines,
                     START_SECONDS_MAX)
            assert self.process.poll() is None, self._last_lines()
        except AssertionError:
            self.stop()
            raise
        self.start_seconds = time.monotonic() - begun

    @classmethod
    def python(cls):
        venvs = pathlib.Path(os.environ.get("SNUG_VENVS", ROOT / "build/venv"))
        return venvs / f"peer-{cls.environment}/bin/python"

    def _last_lines(self):
        return f"{self.name} does not answer:\n{self.log.read_text(errors='replace')[-2000:]}"

    def command(self):
        raise NotImplementedError

    def stop(self):
        """Its whole process group: some leave workers behind."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        shutil.rmtree(self.directory, ignore_errors=True)
