"""The whole path as a user walks it: up, deploy, predict over each protocol, scale, route, undeploy, down."""
import json

import grpc
import numpy
import pytest
import tritonclient.grpc
import tritonclient.http
import wire
from snug_platform import ROOT, http, infer_body, wait_until

OCR = ROOT / "build/models-src/ocr"


def triton_input(kind, x):
    tensor = kind.InferInput("x", list(x.shape), "FP32")
    tensor.set_data_from_numpy(x)
    return tensor


def test_up_is_idempotent_and_status_tells(platform):
    assert "running already" in platform.up().stdout
    status = platform.json("status")
    assert status["front_door"] == platform.door
    assert "front-door" in platform.snug("status").stdout
    assert len(platform.pids("supervisor")) == len(platform.pids("snug-controller")) == 1


def test_deploy_says_what_it_found_and_how_to_try_it(platform):
    done = platform.deploy("add", 1, "--engine", "auto")
    assert "ready: add version 1" in done.stdout
    assert "FP32" in done.stdout and " predict add --zeros" in done.stdout
    assert "add" in platform.snug("models").stdout


def test_predict_by_the_command_line(platform):
    zeros = platform.json("predict", "add", "--zeros", "--shape", "x=2,4")
    assert zeros["outputs"][0]["data"] == [1.0] * 8
    done = platform.snug("predict", "add", "--data", infer_body([1, 2, 3, 4]).decode(), "--time")
    assert "2" in done.stdout and "answered in" in done.stderr


def test_measure_counts_each_row(platform):
    rows = platform.json("measure", "add", "--zeros", "--clients", "1,3", "--requests", 20)["rows"]
    assert [(row["clients"], row["answers"], row["errors"]) for row in rows] == [(1, 20, 0), (3, 20, 0)]


def test_predict_by_rest(platform):
    assert platform.infer("add", (1, 2, 3, 4)) == (200, 2)
    status, metadata = http("GET", f"http://{platform.door}/v2/models/add")
    assert status == 200 and json.loads(metadata)["inputs"][0]["name"] == "x"


@pytest.mark.parametrize("kind", [tritonclient.grpc, tritonclient.http], ids=["grpc", "http"])
def test_predict_by_an_unmodified_triton_client(platform, kind):
    client = kind.InferenceServerClient(platform.door)
    x = numpy.arange(12, dtype=numpy.float32).reshape(3, 4)
    result = client.infer("add", [triton_input(kind, x)])
    numpy.testing.assert_array_equal(result.as_numpy("y"), x + 1)
    assert client.is_model_ready("add")
    client.close()


def test_copies_are_added_and_removed(platform):
    platform.snug("scale", "add", 2)
    model = platform.wait_state("add", copies=2)
    assert len({copy["server"] for copy in model["copies"]}) == 2
    platform.snug("scale", "add", 1)
    platform.wait_state("add", copies=1)


def test_traffic_is_split_by_weights(platform):
    platform.snug("route", "add", "1=1")
    platform.deploy("add", 100)
    assert {platform.infer("add")[1] for _ in range(5)} == {1}, "a fixed route gives a new version no traffic"
    assert platform.infer("add", version=2) == (200, 100)
    platform.snug("route", "add", "1=50", "2=50")
    seen = set()

    def both():
        seen.add(platform.infer("add")[1])
        return seen == {1, 100}
    wait_until(both, "both versions answer")
    platform.snug("route", "add", "--auto")
    wait_until(lambda: all(platform.infer("add")[1] == 100 for _ in range(5)), "the newest takes all")
    assert "automatic" in platform.snug("route", "add").stdout


def test_ocr_reads_the_text_of_an_image(platform):
    if not (OCR / "ir/model.xml").exists() or not (OCR / "lines/manifest.json").exists():
        pytest.skip("build/models-src/ocr is missing: make models")
    manifest = json.loads((OCR / "lines/manifest.json").read_text())
    line = max(manifest["lines"], key=lambda line: line["reference_score"])
    image = OCR / "lines" / line["name"]
    platform.snug("deploy", OCR / "ir", "--name", "ocr", "--parser", "ocr", "--share", "0.3")
    assert platform.json("predict", "ocr", "--file", image)["text"] == line["reference_text"]
    status, answer = http("POST", f"http://{platform.door}/v1/predict/ocr", image.read_bytes(), {"Content-Type": "image/png"})
    assert status == 200 and json.loads(answer)["text"] == line["reference_text"]
    with grpc.insecure_channel(platform.door) as channel:
        call = channel.unary_unary("/snug.v1.Prediction/Predict")
        answer = wire.fields(call(wire.predict_request("ocr", image.read_bytes(), "image/png"), timeout=60))
    assert json.loads(answer[4])["text"] == line["reference_text"]
    status, error = http("POST", f"http://{platform.door}/v1/predict/ocr", b"no image")
    assert status == 400 and b"PNG" in error
    platform.snug("undeploy", "ocr")


def test_logs_of_a_model(platform):
    assert platform.snug("logs", "add", "--lines", 5).stdout.strip()


def test_a_model_that_nobody_asks_leaves_memory_and_comes_back_with_the_next_request(platform):
    def state():
        servers = platform.api("GET", "/api/v1/servers")[1]["servers"]
        for server in servers:
            body = http("POST", f"http://127.0.0.1:{server['rest_port']}/v2/repository/index", b"{}")[1]
            for entry in json.loads(body):
                if entry["name"] == "seldom":
                    return entry["state"]
        return None

    platform.deploy("seldom", 5, "--standby-after", "1")
    wait_until(lambda: state() == "STANDBY", "seldom leaves memory")
    shown = platform.wait_state("seldom", copies=1)  # it still takes requests
    assert shown["copies"][0]["memory_bytes"] > 0, "room is kept for it"
    wait_until(lambda: "the next request loads it again" in platform.snug("models", "seldom").stdout, "it says so")
    assert platform.infer("seldom") == (200, 5)
    assert state() == "READY"
    platform.snug("undeploy", "seldom")


def test_undeploy_removes_it_from_the_front_door(platform):
    platform.snug("undeploy", "add")
    assert platform.infer("add")[0] == 404
    assert "no models" in platform.snug("models").stdout


def test_up_after_a_crash_of_everything_goes_on_where_it_was(stopped):
    stopped.up()
    stopped.deploy("kept", 7)
    door = stopped.door
    for pid in [*stopped.pids("supervisor"), *stopped.processes()]:
        stopped.kill(pid)
    wait_until(lambda: not stopped.processes(), "all are gone")
    stopped.snug("up")
    assert stopped.door == door
    assert stopped.infer("kept") == (200, 7)


def test_up_with_another_port_moves_a_front_door_that_outlived_its_controller(stopped):
    stopped.up()
    old = stopped.door
    for pid in [*stopped.pids("supervisor"), *stopped.pids("snug-controller")]:
        stopped.kill(pid)
    wait_until(lambda: not stopped.pids("snug-controller"), "the controller is gone")
    assert http("GET", f"http://{old}/v2/health/live")[0] == 200, "the front door goes on meanwhile"
    stopped.up()
    assert stopped.door != old
    assert http("GET", f"http://{stopped.door}/v2/health/live")[0] == 200, "at once"


def test_down_keeps_what_was_deployed(stopped):
    stopped.up()
    stopped.deploy("kept", 7)
    stopped.down()
    assert stopped.processes() == {}
    assert stopped.snug("models", code=4).stderr.count("snug up")
    assert "not running" in stopped.down().stdout
    stopped.up()
    assert stopped.infer("kept") == (200, 7)
    stopped.down("--delete-data")
    assert not stopped.state.exists()
