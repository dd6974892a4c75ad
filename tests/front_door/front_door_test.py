"""The front door in the real Envoy: routing for every protocol, errors, bodies, weights, changes under load."""
import json
import subprocess
import threading

import grpc
import numpy as np
import pytest
import requests
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from conftest import FrontDoor, wait_for
from tritonclient.utils import InferenceServerException


def field(number, content):
    """A length-delimited protobuf field."""
    length, out = len(content), b""
    while length >= 0x80:
        out, length = out + bytes([length & 0x7F | 0x80]), length >> 7
    return bytes([number << 3 | 2]) + out + bytes([length]) + content


def call(channel, method, message, metadata=None, timeout=20):
    stub = channel.unary_unary(method, request_serializer=lambda b: b, response_deserializer=lambda b: b)
    return stub(message, metadata=metadata, timeout=timeout)


PREDICT = "/snug.v1.Prediction/Predict"
BIG = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@pytest.fixture
def channel(door):
    with grpc.insecure_channel(door.url, options=BIG) as c:
        yield c


def answered_by(channel, model, **options):
    reply = call(channel, PREDICT, field(1, model.encode()), **options)
    return reply[2:].decode()


def fails(channel, method, message, **options):
    with pytest.raises(grpc.RpcError) as error:
        call(channel, method, message, **options)
    return error.value.code().name, error.value.details()


def infer_input(elements):
    tensor = triton_grpc.InferInput("x", [elements], "FP32")
    tensor.set_data_from_numpy(np.zeros(elements, np.float32))
    return tensor


# ---- routing ---------------------------------------------------------------------------------------------------


def test_grpc_protocols_reach_their_models(door, upstream):
    a, b, b3 = upstream("a"), upstream("b"), upstream("b3")
    door.publish({"a": [a.endpoint()], "b": [b.endpoint()], "b@3": [b3.endpoint()], "b@stable": [b3.endpoint()]})
    client = triton_grpc.InferenceServerClient(door.url)
    for model, version, expected in [("a", "", "a"), ("b", "", "b"), ("b", "3", "b3"), ("b", "stable", "b3"),
                                     ("b", "0003", "b3")]:
        result = client.infer(model, [infer_input(16)], model_version=version)
        assert result.get_response().model_name == expected
    assert client.is_model_ready("a") and client.get_model_metadata("b", "3").name == "b3"
    assert client.is_server_live() and client.is_server_ready()
    assert client.get_server_metadata().name == "snug"
    with grpc.insecure_channel(door.url) as c:
        assert call(c, PREDICT, field(1, b"b") + field(2, b"3") + field(4, b"payload")) == field(1, b"b3")
        spec = field(1, b"b") + field(2, bytes([1 << 3, 3]))
        assert call(c, "/tensorflow.serving.PredictionService/Predict", field(1, spec)) == field(1, b"b3")
        spec = field(1, b"b") + field(4, b"stable")
        assert call(c, "/tensorflow.serving.PredictionService/Predict", field(1, spec)) == field(1, b"b3")


def test_streams_are_routed_by_their_first_message(door, upstream):
    a = upstream("a")
    door.publish({"a": [a.endpoint()]})
    client = triton_grpc.InferenceServerClient(door.url)
    results = []
    got_all = threading.Event()

    def on_result(result, error):
        results.append(error or result.get_response().model_name)
        if len(results) == 5:
            got_all.set()

    client.start_stream(on_result)
    for _ in range(5):
        client.async_stream_infer("a", [infer_input(4)])
    assert got_all.wait(10)
    client.stop_stream()
    assert results == ["a"] * 5


def test_rest_paths_reach_their_models(door, upstream):
    a, b3 = upstream("a"), upstream("b3")
    door.publish({"a": [a.endpoint()], "b": [], "b@3": [b3.endpoint()]})
    for path, expected in [("/v2/models/a/infer", "a"), ("/v2/models/a", "a"), ("/v2/models/b/versions/3/infer", "b3"),
                           ("/v1/predict/a?x=1", "a"), ("/v1/predict/b/versions/003", "b3"),
                           ("/v1/models/b/versions/3:predict", "b3"), ("/v1/models/a:predict", "a"),
                           ("/v2/models/%61/ready", "a")]:
        answer = requests.post(f"http://{door.url}{path}", data=b"body", timeout=10)
        assert answer.status_code == 200, (path, answer.text)
        body = answer.json()
        assert body["answered_by"] == expected and body["bytes"] == 4 and not body["saw_cluster_header"]
    client = triton_http.InferenceServerClient(door.url)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("a")
    assert requests.get(f"http://{door.url}/v2", timeout=5).json()["name"] == "snug"


# ---- errors ----------------------------------------------------------------------------------------------------


def test_unknown_models_are_not_found(door, upstream, channel):
    door.publish({"a": [upstream("a").endpoint()]})
    assert fails(channel, PREDICT, field(1, b"nope")) == ("NOT_FOUND", 'model "nope" is not deployed here')
    assert fails(channel, PREDICT, field(1, b"a") + field(2, b"7")) == (
        "NOT_FOUND", 'model "a" version "7" is not deployed here')
    with pytest.raises(InferenceServerException, match='model "nope" is not deployed here') as error:
        triton_grpc.InferenceServerClient(door.url).infer("nope", [infer_input(4)])
    assert error.value.status() == "StatusCode.NOT_FOUND"
    answer = requests.post(f"http://{door.url}/v2/models/nope/infer", data=b"{}", timeout=5)
    assert answer.status_code == 404 and answer.json() == {"error": 'model "nope" is not deployed here'}
    assert answer.headers["content-type"] == "application/json"


def test_models_without_a_ready_copy_are_unavailable(door, channel):
    door.publish({"a": []})
    assert fails(channel, PREDICT, field(1, b"a")) == ("UNAVAILABLE", 'model "a" has no ready copy yet')
    answer = requests.post(f"http://{door.url}/v1/predict/a", data=b"x", timeout=5)
    assert answer.status_code == 503 and answer.json() == {"error": 'model "a" has no ready copy yet'}


def test_bad_requests_say_what_is_wrong(door, upstream, channel):
    door.publish({"a": [upstream("a").endpoint()]})
    assert fails(channel, PREDICT, field(4, b"x")) == (
        "INVALID_ARGUMENT", "the request names no model: its model name is empty")
    code, text = fails(channel, PREDICT, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
    assert code == "INVALID_ARGUMENT" and "not the protobuf message" in text
    code, text = fails(channel, PREDICT, field(4, b"x" * 70000) + field(1, b"a"))
    assert code == "INVALID_ARGUMENT" and "65536" in text
    code, text = fails(channel, PREDICT, field(1, "ü\n\"%".encode()))
    assert code == "INVALID_ARGUMENT" and "not a model's name" in text
    code, text = fails(channel, "/inference.GRPCInferenceService/RepositoryIndex", b"")
    assert code == "UNIMPLEMENTED" and "names no model" in text
    code, text = fails(channel, "/x.Y/Z", b"")
    assert code == "UNIMPLEMENTED" and "/x.Y/Z" in text
    stub = channel.unary_unary(PREDICT, request_serializer=lambda b: b, response_deserializer=lambda b: b)
    with pytest.raises(grpc.RpcError) as error:
        stub(field(1, b"a") + field(4, b"x" * 9000), compression=grpc.Compression.Gzip, timeout=5)
    assert error.value.code().name == "UNIMPLEMENTED" and "compressed" in error.value.details()
    answer = requests.get(f"http://{door.url}/metrics", timeout=5)
    assert answer.status_code == 404 and "no such path" in answer.json()["error"]
    answer = requests.get(f"http://{door.url}/v2/models/a%2Fb/ready", timeout=5)
    assert answer.status_code == 400 and "not a model's name" in answer.json()["error"]


def test_clients_cannot_choose_a_cluster_or_a_policy(door, upstream, channel):
    a, b = upstream("a"), upstream("b")
    door.publish({"a": [a.endpoint()], "b": [b.endpoint()]})
    for value in ["g/b", "snug_controller"]:
        assert answered_by(channel, "a", metadata=[("x-snug-cluster", value), ("x-snug-cluster", value)]) == "a"
        answer = requests.post(f"http://{door.url}/v1/predict/a", headers={"x-snug-cluster": value}, timeout=5)
        assert answer.json()["answered_by"] == "a"
        assert fails(channel, PREDICT, field(1, b"nope"), metadata=[("x-snug-cluster", value)])[0] == "NOT_FOUND"
    a.mode(delay_ms=150)
    assert answered_by(channel, "a", metadata=[("x-envoy-upstream-rq-timeout-ms", "1")]) == "a"


# ---- bodies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mib", [2, 20])
def test_large_bodies_pass(door, upstream, channel, mib):
    a, dead = upstream("a"), upstream("dead")
    door.publish({"a": [a.endpoint(), dead.endpoint()]})
    dead.kill()
    for _ in range(4):  # the half that meets the dead copy is sent again
        assert call(channel, PREDICT, field(1, b"a") + field(4, bytes(mib << 20))) == field(1, b"a")
        answer = requests.post(f"http://{door.url}/v1/predict/a", data=bytes(mib << 20), timeout=30)
        assert answer.json()["bytes"] == mib << 20


# ---- copies ----------------------------------------------------------------------------------------------------


def test_weights_split_the_traffic(door, upstream, channel):
    a, b = upstream("a"), upstream("b")
    door.publish({"m": [a.endpoint(9), b.endpoint(1)]})
    names = [answered_by(channel, "m") for _ in range(400)]
    assert 20 <= names.count("b") <= 60  # 40 expected
    door.publish({"m": [a.endpoint(1), b.endpoint(9)]})
    names = [answered_by(channel, "m") for _ in range(400)]
    assert 20 <= names.count("a") <= 60


def test_failing_copies_are_avoided(door, upstream, channel):
    good, dead, draining = upstream("good"), upstream("dead"), upstream("draining")
    door.publish({"m": [good.endpoint(), dead.endpoint(), draining.endpoint()]})
    dead.kill()
    draining.mode(unavailable=1)
    assert {answered_by(channel, "m") for _ in range(200)} == {"good"}
    for _ in range(100):
        assert requests.post(f"http://{door.url}/v1/predict/m", timeout=5).json()["answered_by"] == "good"


class Load:
    """Calls from some threads until stopped; keeps every error."""

    def __init__(self, door, model, threads=4):
        self.errors, self.count, self.stopping = [], 0, False
        self.threads = [threading.Thread(target=self.run, args=(door.url, model, i)) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, url, model, index):
        with grpc.insecure_channel(url, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            while not self.stopping:
                try:
                    if index == 0:
                        answer = requests.post(f"http://{url}/v1/predict/{model}", timeout=10)
                        assert answer.status_code == 200, answer.text
                    else:
                        answered_by(channel, model)
                    self.count += 1
                except Exception as error:  # noqa: BLE001: whatever it is, it must not happen
                    self.errors.append(repr(error))

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()
        assert self.errors == [] and self.count > 0, (self.count, self.errors[:3])


def test_copies_come_and_go_under_load(door, upstream):
    copies = [upstream(f"c{i}") for i in range(3)]
    for copy in copies:
        copy.mode(delay_ms=5)
    door.publish({"m": [copies[0].endpoint()]})
    load = Load(door, "m")
    for i in range(30):
        two = [copies[i % 3], copies[(i + 1) % 3]]
        door.publish({"m": [c.endpoint(1 + i % 4) for c in two], **({"other": []} if i % 2 else {})})
        wait_for(lambda: all(c.count() for c in two), "traffic at the new copy")
    load.stop()


def test_requests_under_way_survive_the_removal_of_their_model(door, upstream, channel):
    a = upstream("a")
    a.mode(delay_ms=1000)
    door.publish({"a": [a.endpoint()]})
    result = []
    thread = threading.Thread(target=lambda: result.append(answered_by(channel, "a")))
    thread.start()
    wait_for(lambda: a.count() == 1, "request at the copy")
    door.publish({})
    assert fails(channel, PREDICT, field(1, b"a"))[0] == "NOT_FOUND"
    thread.join()
    assert result == ["a"]


def test_the_access_log_says_what_happened(door, upstream, channel):
    door.publish({"a": [upstream("a").endpoint()]})
    answered_by(channel, "a")
    fails(channel, PREDICT, field(1, b"nope"))
    log = door.directory / "access.log"
    lines = wait_for(lambda: (rows := log.read_text().splitlines()) and len(rows) >= 2 and rows, "log lines")
    first, second = (json.loads(line) for line in lines)
    assert first["target"] == 'model "a"' and first["copy"].startswith("127.0.0.1:")
    assert second["flags"] == "NC" and second["details"] == "cluster_not_found"


def test_tls(tmp_path, upstream):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "key.pem",
                    "-out", tmp_path / "cert.pem"], check=True, stderr=subprocess.DEVNULL)
    door = FrontDoor(tmp_path, ["--tls-certificate", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem"])
    try:
        door.publish({"a": [upstream("a").endpoint()]})
        credentials = grpc.ssl_channel_credentials((tmp_path / "cert.pem").read_bytes())
        with grpc.secure_channel(door.url, credentials) as channel:
            assert answered_by(channel, "a") == "a"
        answer = requests.post(f"https://{door.url}/v1/predict/a", verify=tmp_path / "cert.pem", timeout=5)
        assert answer.json()["answered_by"] == "a"
    finally:
        door.close()


# ---- the controller's life --------------------------------------------------------------------------------------


def test_listens_only_once_something_is_published(door):
    wait_for(lambda: door.driver.ask(stats=1)["streams"] == 1, "Envoy's stream")
    assert not door.is_ready()
    door.publish({})


def test_survives_the_controller(door, upstream, channel):
    a, b = upstream("a"), upstream("b")
    models = {"a": [a.endpoint()], "gone": [a.endpoint()]}
    door.publish(models)
    load = Load(door, "a")
    door.driver.kill()
    for _ in range(50):
        assert answered_by(channel, "a") == "a"
    door.restart_driver()
    wait_for(lambda: door.driver.ask(stats=1)["streams"] == 1, "reconnection")
    for _ in range(50):  # it is connected and knows nothing yet
        assert answered_by(channel, "gone") == "a"
    door.driver.publish(models)
    assert door.driver.ask(stats=1)["responses"] == 0  # the same content: nothing to say
    door.driver.publish({"a": [a.endpoint()], "new": [b.endpoint()]})
    assert answered_by(channel, "new") == "b"
    assert fails(channel, PREDICT, field(1, b"gone"))[0] == "NOT_FOUND"
    load.stop()
    assert door.driver.ask(stats=1)["refusals"] == 0
