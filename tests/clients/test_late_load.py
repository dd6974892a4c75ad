"""Models that are loaded by their first request, as an unmodified client sees them."""
import json
import threading

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from conftest import TINY, Server, add_echo, add_model
from tritonclient.utils import InferenceServerException

X = np.ones((1, 16), dtype=np.float32)


@pytest.fixture
def late(tmp_path):
    for name in ("tiny", "other"):
        add_model(tmp_path, name, 1, TINY / "ir")
    add_echo(tmp_path, "echo", "11 -1 16")
    (tmp_path / "models/echo/model.yaml").write_text("load: at-start\n")
    broken = tmp_path / "models/broken/1"
    broken.mkdir(parents=True)
    (broken / "model.onnx").write_bytes(b"not a model")
    running = Server(tmp_path, "--load", "on-request").wait_ready()
    yield running
    assert running.stop() == 0, running.log.read_text()


def states(server):
    return {row["name"]: row["state"] for row in json.loads(server.call("/v2/repository/index", "{}")[2])}


def infer(module, client, model):
    values = module.InferInput("x", list(X.shape), "FP32")
    values.set_data_from_numpy(X)
    return client.infer(model, [values])


def test_requests_and_metadata_load(late):
    assert states(late) == {"tiny": "STANDBY", "other": "STANDBY", "broken": "STANDBY", "echo": "READY"}
    grpc, http = grpcclient.InferenceServerClient(late.grpc), httpclient.InferenceServerClient(late.rest)
    assert grpc.is_server_ready() and grpc.is_model_ready("tiny") and http.is_model_ready("other")
    assert states(late)["tiny"] == "STANDBY"  # asking whether it is ready loads nothing
    assert infer(grpcclient, grpc, "tiny").as_numpy("y").shape[0] == 1
    assert http.get_model_metadata("other")["inputs"][0]["name"] == "x"
    assert states(late) == {"tiny": "READY", "other": "READY", "broken": "STANDBY", "echo": "READY"}


def test_several_first_requests_are_one_load(late):
    answers = []

    def ask():
        client = grpcclient.InferenceServerClient(late.grpc)
        answers.append(infer(grpcclient, client, "tiny").as_numpy("y"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert late.log.read_text().count("model ready model=tiny") == 1


def test_what_cannot_be_loaded_is_not_ready_any_more(late):
    client = grpcclient.InferenceServerClient(late.grpc)
    assert client.is_model_ready("broken")
    with pytest.raises(InferenceServerException, match="could not be loaded"):
        infer(grpcclient, client, "broken")
    assert not client.is_model_ready("broken")
    assert states(late)["broken"] == "UNAVAILABLE"
