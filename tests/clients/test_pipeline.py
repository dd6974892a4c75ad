"""Pipelines on a snug-server alone: as a model to any client, and what becomes of requests that meet in a step."""
import concurrent.futures
import json
import re
import shutil

import numpy
import pytest
import tritonclient.http as triton
from conftest import TINY, Server, add_model

# An echo, then the tiny model a row at a time.
PIPELINE = """
pipeline:
  inputs: [rows]
  outputs: [answers]
  steps:
    - {name: ready, model: same, inputs: {x: rows}, outputs: {y: copies}}
    - {name: score, model: tiny, for_each: [copies], items_max: 20, inputs: {x: copies}, outputs: {y: answers}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pipelines")
    steps = directory / "models/each/1/steps"
    (steps / "same/1").mkdir(parents=True)
    (steps / "same/1/echo.txt").write_text("11 -1 16")
    shutil.copytree(TINY / "ir", steps / "tiny/1")
    (steps / "tiny/model.yaml").write_text("batching: on\n")
    (directory / "models/each/model.yaml").write_text(PIPELINE)
    broken = PIPELINE.replace("{x: copies}", "{x: nothing}")
    shutil.copytree(directory / "models/each", directory / "models/wrong")
    (directory / "models/wrong/model.yaml").write_text(broken)
    beside = PIPELINE.replace("model: tiny", "model: beside")
    shutil.copytree(directory / "models/each", directory / "models/shares")
    (directory / "models/shares/model.yaml").write_text(beside)
    add_model(directory, "beside", 1, TINY / "ir")
    running = Server(directory).wait_ready()
    yield running
    assert running.stop() == 0, running.log.read_text()


def infer(server, model, rows):
    client = triton.InferenceServerClient(server.rest)
    tensor = triton.InferInput("rows", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows)
    return client.infer(model, [tensor]).as_numpy("answers")


def expected(rows):
    example = json.loads((TINY / "example.json").read_text())
    return numpy.array([example["y"][i % 2] for i in range(len(rows))], numpy.float32)


def example(count):
    values = json.loads((TINY / "example.json").read_text())["x"]
    return numpy.array([values[i % 2] for i in range(count)], numpy.float32).reshape(count, 16)


@pytest.mark.parametrize("model", ["each", "shares"])
def test_answers_each_row_in_order(server, model):
    rows = example(7)
    numpy.testing.assert_allclose(infer(server, model, rows), expected(rows), rtol=1e-4, atol=1e-5)
    assert infer(server, model, example(0)).shape == (0, 4)


def test_metadata_and_index(server):
    _, _, body = server.call("/v2/models/each")
    metadata = json.loads(body)
    assert metadata["platform"] == "snug_pipeline"
    assert metadata["inputs"] == [{"name": "rows", "datatype": "FP32", "shape": [-1, 16]}]
    assert metadata["outputs"] == [{"name": "answers", "datatype": "FP32", "shape": [-1, 4]}]
    _, _, body = server.call("/v2/repository/index", "{}")
    index = {model["name"]: model for model in json.loads(body)}
    assert index["each"]["state"] == "READY" and index["each"]["description"] == "pipeline of ready, score"
    assert index["wrong"]["state"] == "UNAVAILABLE"
    assert 'pipeline step "score" (model "tiny"): there is no value "nothing"' in index["wrong"]["reason"]


def test_errors_name_the_step(server):
    with pytest.raises(Exception, match='pipeline step "score": 21 items, at most 20'):
        infer(server, "each", example(21))
    with pytest.raises(Exception, match="rows"):
        infer(server, "each", example(2)[:, :3])


def test_many_clients_at_once(server):
    rows = example(16)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for answers in pool.map(lambda _: infer(server, "each", rows), range(64)):
            numpy.testing.assert_allclose(answers, expected(rows), rtol=1e-4, atol=1e-5)
    _, _, body = server.call("/metrics")
    page = body.decode()
    assert re.search(r'snug_pipeline_step_executions_total\{model="each",version="1",step="score"\} (\d+)', page)
    batched = re.findall(r'snug_batches_total\{model="each/1/tiny",version="1",rows="(\d+)"\}', page)
    assert any(int(rows) > 1 for rows in batched), "rows were executed together"
