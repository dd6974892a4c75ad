"""A polled repository: versions that come, change and go; limits and the response cache as clients see them."""
import json
import shutil

import pytest
from conftest import TINY, Server, add_echo, add_model, wait_for

BODY = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [1] * 16}]})


def states(server):
    index = json.loads(server.call("/v2/repository/index", "{}")[2])
    return {(row["name"], row["version"]): row["state"] for row in index}


@pytest.fixture
def polled(tmp_path):
    add_model(tmp_path, "tiny", 1, TINY / "ir", "versions: latest\n")
    running = Server(tmp_path, "--control", "poll", "--poll-seconds", "0.2").wait_ready()
    running.models = tmp_path / "models"
    yield running
    assert running.stop() == 0, running.log.read_text()


def test_versions_come_change_and_go(polled):
    wait_for(lambda: states(polled) == {("tiny", "1"): "READY"}, "the version of the start")
    # A slow copy: what is there until the end is no model.
    slow = polled.models / "tiny" / "2"
    slow.mkdir()
    (slow / ".incomplete").touch()
    shutil.copy(TINY / "ir" / "model.xml", slow)
    (slow / "model.bin").write_bytes(b"half")
    assert polled.call("/v2/models/tiny/infer", BODY)[0] == 200
    assert ("tiny", "2") not in states(polled)
    shutil.copy(TINY / "ir" / "model.bin", slow)
    (slow / ".incomplete").unlink()
    wait_for(lambda: states(polled) == {("tiny", "2"): "READY"}, "the new version instead of the old one")
    # Renamed into place.
    add_model(polled.models.parent, "other", ".1", TINY / "onnx")
    (polled.models / "other/.1").rename(polled.models / "other/1")
    wait_for(lambda: states(polled).get(("other", "1")) == "READY", "another model")
    shutil.rmtree(polled.models / "other")
    wait_for(lambda: states(polled) == {("tiny", "2"): "READY"}, "the other model gone")
    # Calls do not interfere with what the directory says.
    assert polled.call("/v2/repository/models/tiny/unload", "{}")[0] == 400
    # A broken model.yaml changes nothing.
    (polled.models / "tiny/model.yaml").write_text("verions: all\n")
    wait_for(lambda: "unknown key" in polled.log.read_text(), "the log to name the key")
    assert polled.call("/v2/models/tiny/infer", BODY)[0] == 200


def test_slowest_payload_log_and_replay(tmp_path):
    add_model(tmp_path, "tiny", 1, TINY / "ir", "payload_log: {rate: 0.5, mib_max: 1}\n")
    log = tmp_path / "log"
    server = Server(tmp_path, "--payload-log", log).wait_ready()
    traced = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    for _ in range(6):
        assert server.call("/v2/models/tiny/infer", BODY, traced)[0] == 200
    slowest = json.loads(server.call("/v2/snug/slowest")[2])["slowest"]
    assert len(slowest) == 6 and slowest[0]["traceparent"] == traced["traceparent"]
    assert slowest[0]["total_us"] >= slowest[0]["compute_us"] and slowest[0]["total_us"] >= slowest[-1]["total_us"]
    metrics = server.call("/metrics")[2].decode()
    assert 'snug_instance_executions_total{model="tiny",version="1",instance="0"} 6' in metrics
    assert server.stop() == 0
    # What was logged warms up the next version.
    records = log / "tiny/current.records"
    version = add_model(tmp_path, "warmed", 1, TINY / "ir")
    (tmp_path / "models/warmed/model.yaml").write_text("warmup: {zeros: false}\n")
    (version / "warmup").mkdir()
    shutil.copy(records, version / "warmup")
    broken = add_model(tmp_path, "broken", 1, TINY / "ir")
    (broken / "warmup").mkdir()
    (broken / "warmup/torn.records").write_bytes(records.read_bytes()[:-3])
    server = Server(tmp_path).wait_ready()
    assert states(server)["warmed", "1"] == "READY" and states(server)["broken", "1"] == "UNAVAILABLE"
    index = json.loads(server.call("/v2/repository/index", "{}")[2])
    assert "torn.records, record 3" in next(row["reason"] for row in index if row["name"] == "broken")
    assert server.stop() == 0


def test_limits_and_cache(tmp_path):
    add_echo(tmp_path, "limited", "11 -1 16")
    (tmp_path / "models/limited/model.yaml").write_text("limits: {requests_per_second: 0.01, burst: 2}\n")
    add_model(tmp_path, "cached", 1, TINY / "ir", "cache: on\n")
    server = Server(tmp_path).wait_ready()
    assert [server.call("/v2/models/limited/infer", BODY)[0] for _ in range(3)] == [200, 200, 429]
    status, headers, body = server.call("/v2/models/limited/infer", BODY)
    assert status == 429 and 90 <= int(headers["Retry-After"]) <= 100
    assert "limits.requests_per_second" in json.loads(body)["error"]
    answers = {server.call("/v2/models/cached/infer", BODY)[2] for _ in range(5)}
    assert len(answers) == 1
    stats = json.loads(server.call("/v2/models/cached/stats")[2])["model_stats"][0]
    assert stats["execution_count"] == 1 and stats["inference_stats"]["success"]["count"] == 5
    assert stats["inference_stats"]["cache_hit"]["count"] == 4 and stats["inference_stats"]["cache_miss"]["count"] == 1
    metrics = server.call("/metrics")[2].decode()
    assert 'snug_cache_hits_total{model="cached",version="1"} 4' in metrics
    assert 'snug_limited_requests_total{model="limited",version="1"} 2' in metrics
    assert server.stop() == 0
