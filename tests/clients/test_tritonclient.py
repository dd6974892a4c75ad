"""tritonclient, as it comes from PyPI, over gRPC and HTTP."""
import http.client
import json
import struct

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from conftest import TINY
from tritonclient.utils import InferenceServerException

EXAMPLE = json.loads((TINY / "example.json").read_text())
X = np.array(EXAMPLE["x"], dtype=np.float32)
Y = np.array(EXAMPLE["y"], dtype=np.float32)


def tensor(module, name, values, datatype=None, **options):
    datatype = datatype or {np.float32: "FP32", np.uint8: "UINT8", np.bool_: "BOOL", np.object_: "BYTES",
                            np.float16: "FP16", np.float64: "FP64"}[values.dtype.type]
    made = module.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, **options)
    return made


def failure(call):
    with pytest.raises(InferenceServerException) as caught:
        call()
    return caught.value.message()


def test_health_and_metadata(client):
    module, c = client
    assert c.is_server_live() and c.is_server_ready()
    assert c.is_model_ready("tiny") and c.is_model_ready("tiny", "1") and c.is_model_ready("tiny", "stable")
    assert not c.is_model_ready("broken") and not c.is_model_ready("nope") and not c.is_model_ready("tiny", "9")
    server = c.get_server_metadata()
    model = c.get_model_metadata("tiny")
    if module is grpcclient:
        server, model = {"name": server.name}, {
            "name": model.name, "versions": list(model.versions), "platform": model.platform,
            "inputs": [{"name": t.name, "datatype": t.datatype, "shape": list(t.shape)} for t in model.inputs]}
    assert server["name"] == "snug"
    assert (model["name"], model["versions"], model["platform"]) == ("tiny", ["1", "2"], "snug_openvino")
    assert model["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 16]}]


def test_config_and_statistics(client):
    module, c = client
    c.infer("tiny", [tensor(module, "x", X)])
    config = c.get_model_config("tiny")
    statistics = c.get_inference_statistics("tiny", "2")
    if module is grpcclient:
        assert config.config.name == "tiny" and config.config.input[0].name == "x"
        assert statistics.model_stats[0].inference_stats.success.count > 0
        assert statistics.model_stats[0].inference_stats.compute_infer.ns > 0
    else:
        assert config["name"] == "tiny" and config["input"][0]["data_type"] == "TYPE_FP32"
        assert statistics["model_stats"][0]["inference_stats"]["success"]["count"] > 0


def test_infer(client):
    module, c = client
    for version in ("", "1", "2", "stable"):
        result = c.infer("tiny", [tensor(module, "x", X)], model_version=version, request_id="r7",
                         outputs=[module.InferRequestedOutput("y")])
        np.testing.assert_allclose(result.as_numpy("y"), Y, atol=1e-5)
        response = result.get_response()
        response = response if isinstance(response, dict) else {"id": response.id,
                                                                "model_version": response.model_version}
        assert response["id"] == "r7"
        assert response["model_version"] == {"": "2", "stable": "1"}.get(version, version)


@pytest.mark.parametrize("binary_in", [False, True])
@pytest.mark.parametrize("binary_out", [False, True])
def test_http_json_and_binary(server, binary_in, binary_out):
    with httpclient.InferenceServerClient(server.rest) as c:
        result = c.infer("tiny", [tensor(httpclient, "x", X, binary_data=binary_in)],
                         outputs=[httpclient.InferRequestedOutput("y", binary_data=binary_out)])
        np.testing.assert_allclose(result.as_numpy("y"), Y, atol=1e-5)


def test_other_datatypes(client):
    module, c = client
    words = np.array([["", "été"], ["a\"b\\", "日本"]], dtype=np.object_)
    got = c.infer("words", [tensor(module, "x", words)]).as_numpy("y")
    assert [[v.decode() for v in row] for row in got] == words.tolist()
    for name, values in (("flags", np.array([True, False, True])), ("bytes", np.array([0, 7, 255], dtype=np.uint8)),
                         ("halves", np.array([0.5, -2], dtype=np.float16)), ("numbers", np.array([1e300, -0.1]))):
        np.testing.assert_array_equal(c.infer(name, [tensor(module, "x", values)]).as_numpy("y"), values)


def test_large_tensor_is_whole(client):
    module, c = client
    values = np.random.default_rng(1).random(1_000_000)
    np.testing.assert_array_equal(c.infer("numbers", [tensor(module, "x", values)]).as_numpy("y"), values)


def test_errors_say_what_was_expected(client):
    module, c = client
    assert failure(lambda: c.infer("nope", [tensor(module, "x", X)])).startswith("Request for unknown model")
    assert "version '9' is not found; versions here: 1, 2" in failure(
        lambda: c.infer("tiny", [tensor(module, "x", X)], model_version="9"))
    assert "could not be loaded" in failure(lambda: c.infer("broken", [tensor(module, "x", X)]))
    assert 'unknown input "z"' in failure(lambda: c.infer("tiny", [tensor(module, "z", X)]))
    assert "given twice" in failure(lambda: c.infer("tiny", [tensor(module, "x", X), tensor(module, "x", X)]))
    assert "expected datatype FP32, got FP64" in failure(
        lambda: c.infer("tiny", [tensor(module, "x", X.astype(np.float64))]))
    assert "expected shape [-1,16] (-1 is free), got [2,8]" in failure(
        lambda: c.infer("tiny", [tensor(module, "x", X[:, :8].copy())]))
    assert 'unknown output "q"' in failure(
        lambda: c.infer("tiny", [tensor(module, "x", X)], outputs=[module.InferRequestedOutput("q")]))


def test_repository_index(client):
    module, c = client
    index = c.get_model_repository_index()
    rows = index if isinstance(index, list) else [
        {"name": m.name, "version": m.version, "state": m.state, "reason": m.reason} for m in index.models]
    states = {(row["name"], row["version"]): row["state"] for row in rows}
    assert states[("tiny", "1")] == "READY" and states[("broken", "1")] == "UNAVAILABLE"
    assert "explicit model load / unload is not allowed" in failure(lambda: c.load_model("tiny"))


def test_grpc_deadline(server):
    with grpcclient.InferenceServerClient(server.grpc) as c:
        with pytest.raises(InferenceServerException) as caught:
            # 13 MB: more than a millisecond of work on any machine.
            large = np.zeros((200_000, 16), dtype=np.float32)
            c.infer("tiny", [tensor(grpcclient, "x", large)], client_timeout=0.001)
        assert "DEADLINE_EXCEEDED" in str(caught.value.status())


def test_http_wire_errors(server):
    json_body = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [0.5] * 16}]})
    status, _, body = server.call("/v2/models/tiny/infer", json_body)
    assert status == 200 and json.loads(body)["outputs"][0]["shape"] == [1, 4]
    for bad, text in ((json_body[:-4], "ends too early"), ("[]", "expected a JSON object"),
                      (json_body.replace("0.5", "NaN", 1), "is not a number"),
                      (json_body.replace("0.5", "1e39", 1), "does not fit"),
                      (json_body.replace("[1, 16]", "[1, 15]"), "needs 15 elements"),
                      (json_body.replace("FP32", "FP99"), "unknown datatype"),
                      (json_body.replace("[1, 16]", "[1099511627776, 16]"), "too short")):
        status, _, body = server.call("/v2/models/tiny/infer", bad)
        assert status == 400 and text in json.loads(body)["error"], body
    header = {"Inference-Header-Content-Length": str(len(json_body) + 1)}
    status, _, body = server.call("/v2/models/tiny/infer", json_body, header)
    assert status == 400 and "Inference-Header-Content-Length" in json.loads(body)["error"]
    assert server.call("/v2/models/tiny/infer")[0] == 405
    assert server.call("/v2/nothing")[0] == 404


def test_oversize(server):
    # Refused by its length alone: not one byte of the body is sent.
    connection = http.client.HTTPConnection(server.rest, timeout=30)
    connection.putrequest("POST", "/v2/models/tiny/infer")
    connection.putheader("Content-Length", str((64 << 20) + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    with grpcclient.InferenceServerClient(server.grpc) as c:
        with pytest.raises(InferenceServerException) as caught:
            c.infer("numbers", [tensor(grpcclient, "x", np.zeros((64 << 17) + 1))])
        assert "RESOURCE_EXHAUSTED" in str(caught.value.status())


def test_grpc_wire_errors(server):
    import grpc
    with grpc.insecure_channel(server.grpc) as channel:
        def call(method, payload):
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(method)(payload)
            return caught.value.code(), caught.value.details()
        for method in ("/inference.GRPCInferenceService/ModelInfer", "/snug.v1.Prediction/Predict",
                       "/inference.GRPCInferenceService/ServerReady"):
            code, text = call(method, b"\x0a\xff")
            assert code == grpc.StatusCode.INVALID_ARGUMENT and "not a valid" in text
        code, text = call("/inference.GRPCInferenceService/Nothing", b"")
        assert code == grpc.StatusCode.UNIMPLEMENTED and "known methods" in text


def test_misplaced_raw_contents(server):
    """Raw bytes of the wrong length, and raw contents that do not match the inputs in number."""
    with grpcclient.InferenceServerClient(server.grpc) as c:
        bad = tensor(grpcclient, "x", X)
        bad._raw_content = bad._raw_content[:-1]
        assert "needs 128 bytes, got 127" in failure(lambda: c.infer("tiny", [bad]))
        bad._raw_content = struct.pack("<f", 1)
        assert "got 4" in failure(lambda: c.infer("tiny", [bad]))


def test_predict_without_a_parser(server):
    status, _, body = server.call("/v1/predict/tiny", b"payload")
    assert status == 400 and "has no parser" in json.loads(body)["error"]


def test_metrics(server):
    status, headers, body = server.call("/metrics")
    text = body.decode()
    assert status == 200 and headers["Content-Type"].startswith("text/plain")
    for line in ('snug_requests_total{model="tiny",version="2",code="OK"}', "snug_request_seconds_bucket",
                 "snug_queue_seconds_bucket", "snug_compute_seconds_total", 'snug_model_memory_bytes{model="tiny"',
                 'snug_model_ready{model="broken",version="1"} 0', "snug_queue_depth", "snug_inflight"):
        assert line in text
