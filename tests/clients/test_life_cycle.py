"""Explicit loading, reloading under load, and the end of a server."""
import json
import shutil
import threading

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from conftest import TINY, Server, add_echo, add_model, wait_for
from tritonclient.utils import InferenceServerException

X = np.ones((1, 16), dtype=np.float32)


@pytest.fixture
def explicit(tmp_path):
    add_model(tmp_path, "tiny", 1, TINY / "ir")
    add_echo(tmp_path, "echo", "11 -1 16")
    running = Server(tmp_path, "--control", "explicit")
    running.directory = tmp_path
    yield running
    if running.process.poll() is None:
        assert running.stop() == 0, running.log.read_text()


def change(server, model, what, **parameters):
    status, _, body = server.call(f"/v2/repository/models/{model}/{what}", json.dumps({"parameters": parameters}))
    return status, json.loads(body)


def states(server):
    index = json.loads(server.call("/v2/repository/index", "{}")[2])
    return {(row["name"], row["version"]): row["state"] for row in index}


def infer(client, model="tiny"):
    values = grpcclient.InferInput("x", list(X.shape), "FP32")
    values.set_data_from_numpy(X)
    return client.infer(model, [values]).as_numpy("y")


def test_load_and_unload(explicit):
    assert explicit.call("/v2/health/ready")[0] == 200 and states(explicit) == {}
    assert change(explicit, "tiny", "load", version="1")[0] == 200
    assert states(explicit) == {("tiny", "1"): "READY"}
    add_model(explicit.directory, "tiny", 2, TINY / "onnx")
    assert change(explicit, "tiny", "load", version="2", wait=False)[0] == 200
    wait_for(lambda: states(explicit).get(("tiny", "2")) == "READY", "version 2")
    assert change(explicit, "tiny", "unload", version="1")[0] == 200
    assert states(explicit) == {("tiny", "2"): "READY"}
    status, body = change(explicit, "tiny", "load", version="7")
    assert status == 404 and "7" in body["error"]
    assert change(explicit, "nope", "load")[0] == 404
    assert change(explicit, "..", "load")[0] in (400, 404)
    assert change(explicit, "tiny", "load", nonsense=1)[0] == 400
    assert change(explicit, "tiny", "unload")[0] == 200 and states(explicit) == {}


def test_load_without_a_version_follows_the_directory(explicit):
    add_model(explicit.directory, "tiny", 2, TINY / "onnx")
    assert change(explicit, "tiny", "load")[0] == 200
    assert set(states(explicit)) == {("tiny", "1"), ("tiny", "2")}
    shutil.rmtree(explicit.directory / "models/tiny/1")
    assert change(explicit, "tiny", "load")[0] == 200
    wait_for(lambda: set(states(explicit)) == {("tiny", "2")}, "version 1's going")


def test_failed_reload_keeps_the_copy_before(explicit):
    assert change(explicit, "echo", "load")[0] == 200
    (explicit.directory / "models/echo/1/echo.txt").write_text("nonsense")
    assert change(explicit, "echo", "load")[0] == 400
    index = json.loads(explicit.call("/v2/repository/index", "{}")[2])
    assert index[0]["state"] == "READY" and "the copy before serves on" in index[0]["reason"]
    with grpcclient.InferenceServerClient(explicit.grpc) as client:
        np.testing.assert_array_equal(infer(client, "echo"), X)


def test_no_request_is_lost_while_a_model_is_loaded_anew(explicit):
    assert change(explicit, "tiny", "load")[0] == 200
    stop = threading.Event()
    counts, errors = [0], []

    def send():
        with grpcclient.InferenceServerClient(explicit.grpc) as client:
            while not stop.is_set():
                try:
                    infer(client)
                    counts[0] += 1
                except InferenceServerException as error:
                    errors.append(str(error))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for _ in range(5):
            before = counts[0]
            assert change(explicit, "tiny", "load")[0] == 200
            wait_for(lambda: counts[0] > before or errors, "requests")
    finally:
        stop.set()
        sender.join()
    assert errors == []


def test_second_server_on_the_port_says_so(explicit, tmp_path):
    port = explicit.grpc.rsplit(":", 1)[1]
    import subprocess
    from conftest import BIN
    result = subprocess.run([BIN / "snug-server", "--models", tmp_path / "models", "--grpc-port", port,
                             "--rest-port", "0"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and port in result.stderr


def test_bad_command_line():
    import subprocess
    from conftest import BIN
    assert subprocess.run([BIN / "snug-server", "--models"], capture_output=True).returncode == 2
    assert subprocess.run([BIN / "snug-server", "--models", "/nonexistent"], capture_output=True).returncode == 1
    helped = subprocess.run([BIN / "snug-server", "--help"], capture_output=True, text=True)
    assert helped.returncode == 0 and "Examples" in helped.stdout
