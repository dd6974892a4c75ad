"""Explicit loading, reloading under load, and the end of a server."""
import json
import shutil
import threading

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
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
    """Of the loaded versions; models that are only in the repository have none."""
    index = json.loads(server.call("/v2/repository/index", "{}")[2])
    return {(row["name"], row["version"]): row["state"] for row in index if "version" in row}


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


def test_index_lists_what_could_be_loaded(explicit):
    (explicit.directory / "models/.hidden").mkdir()
    with grpcclient.InferenceServerClient(explicit.grpc) as client:
        rows = client.get_model_repository_index().models
        assert [(row.name, row.version, row.state) for row in rows] == [("echo", "", "UNAVAILABLE"),
                                                                        ("tiny", "", "UNAVAILABLE")]
        client.load_model("echo")
        rows = client.get_model_repository_index().models
        assert [(row.name, row.version, row.state) for row in rows] == [("echo", "1", "READY"),
                                                                        ("tiny", "", "UNAVAILABLE")]
    ready = json.loads(explicit.call("/v2/repository/index", '{"ready":true}')[2])
    assert [row["name"] for row in ready] == ["echo"]


@pytest.mark.parametrize("module", [grpcclient, httpclient], ids=["grpc", "http"])
def test_load_with_a_configuration_and_files(explicit, module):
    client = module.InferenceServerClient(explicit.grpc if module is grpcclient else explicit.rest)

    def max_batch_size():
        config = client.get_model_config("tiny")
        return config["max_batch_size"] if module is httpclient else config.config.max_batch_size

    client.load_model("tiny")
    before = max_batch_size()
    client.load_model("tiny", config='{"max_batch_size":"16"}')
    assert (before, max_batch_size()) == (4096, 16)
    client.load_model("tiny")
    assert max_batch_size() == 4096
    for config, files, text in (('"parameters": {}', None, "failed to load 'tiny'"),
                                ('{"max_batch":1}', None, "unknown field"),
                                ("{}", {"file:../1/x": b"x"}, '".."'),
                                ("{}", {"file:" + "A" * 256: b"x"}, "failed to poll from model repository")):
        with pytest.raises(InferenceServerException) as caught:
            client.load_model("tiny", config=config, files=files)
        assert text in caught.value.message()
    assert max_batch_size() == 4096 and client.is_model_ready("tiny")
    # A model that is in no repository, and the copy in the repository again.
    onnx = (TINY / "onnx/model.onnx").read_bytes()
    client.load_model("sent", config="{}", files={"file:5/model.onnx": onnx})
    assert client.is_model_ready("sent", "5")
    with grpcclient.InferenceServerClient(explicit.grpc) as caller:
        np.testing.assert_allclose(infer(caller, "sent"), infer(caller, "tiny"), atol=1e-5)
    client.load_model("tiny", config="{}", files={"file:7/model.onnx": onnx})
    wait_for(lambda: set(states(explicit)) == {("tiny", "7"), ("sent", "5")}, "the version of the repository to go")
    client.load_model("tiny")
    wait_for(lambda: set(states(explicit)) == {("tiny", "1"), ("sent", "5")}, "the version that was sent to go")
    client.unload_model("sent")
    with pytest.raises(InferenceServerException) as caught:
        client.load_model("sent")
    assert "failed to load 'sent', failed to poll from model repository" in caught.value.message()
    client.close()


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
