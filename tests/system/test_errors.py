"""What is wrong with a request is said with the right code and a text that helps."""
import json

import grpc
import numpy
import pytest
import tritonclient.grpc
import tritonclient.http
import tritonclient.utils
import wire
from snug_platform import http, infer_body


@pytest.fixture(scope="module", autouse=True)
def model(platform):
    platform.deploy("add", 1)


def post(platform, path, body, headers=None):
    status, answer = http("POST", f"http://{platform.door}{path}", body, headers)
    return status, answer.decode(errors="replace")


def test_an_unknown_model_is_not_found(platform):
    expected = 'model "nope" is not deployed here'
    status, text = platform.infer("nope")
    assert status == 404 and expected in json.loads(text)["error"]
    status, text = post(platform, "/v1/predict/nope", b"x")
    assert status == 404 and expected in json.loads(text)["error"]
    done = platform.snug("predict", "nope", "--zeros", code=3)
    assert expected in done.stderr


def test_an_unknown_model_is_not_found_by_grpc(platform):
    client = tritonclient.grpc.InferenceServerClient(platform.door)
    tensor = tritonclient.grpc.InferInput("x", [1, 4], "FP32")
    tensor.set_data_from_numpy(numpy.zeros((1, 4), numpy.float32))
    with pytest.raises(tritonclient.utils.InferenceServerException) as error:
        client.infer("nope", [tensor])
    assert "NOT_FOUND" in error.value.status() and 'model "nope" is not deployed here' in error.value.message()
    with grpc.insecure_channel(platform.door) as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary("/snug.v1.Prediction/Predict")(wire.predict_request("nope", b"x"), timeout=60)
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_an_unknown_version_is_not_found(platform):
    status, text = platform.infer("add", version=99)
    assert status == 404 and "99" in text


@pytest.mark.parametrize("body, needle", [
    (infer_body([1, 2, 3, 4], name="z"), "z"),
    (infer_body([1, 2, 3, 4], datatype="INT64"), "FP32"),
    (infer_body([1, 2, 3], shape=[1, 3]), "[-1,4]"),
    (infer_body([1, 2, 3], shape=[1, 4]), "4"),
    (infer_body([1, 2, 3, 4], shape=[1 << 40, 1 << 40]), ""),
    (infer_body([1, 2, 3, "four"]), ""),
    (infer_body([1, 2, 3, 4])[:-20], "JSON"),
    (b'{"inputs":[]}', "x"),
    (b"[" * 5000, ""),
    (b"", ""),
], ids=["name", "datatype", "shape", "count", "overflow", "type", "truncated", "no-inputs", "nesting", "empty"])
def test_malformed_tensors_say_what_was_expected(platform, body, needle):
    status, text = post(platform, "/v2/models/add/infer", body)
    assert status == 400, text
    assert needle in json.loads(text)["error"]


def test_a_payload_for_a_model_without_a_parser(platform):
    done = platform.snug("predict", "add", "--data", "hello", code=None)
    assert done.returncode == 1 and "parser" in done.stderr


def test_broken_protobuf_is_an_error_of_the_caller(platform):
    with grpc.insecure_channel(platform.door) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        for message in (wire.content(1, "add") + b"\x2a\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff"):
            with pytest.raises(grpc.RpcError) as error:
                call(message, timeout=60)
            assert error.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL), error.value


def test_big_tensors_pass_whole(platform):
    x = numpy.arange(1 << 22, dtype=numpy.float32).reshape(-1, 4)  # 16 MiB
    for kind in (tritonclient.http, tritonclient.grpc):
        client = kind.InferenceServerClient(platform.door)
        tensor = kind.InferInput("x", list(x.shape), "FP32")
        tensor.set_data_from_numpy(x)
        numpy.testing.assert_array_equal(client.infer("add", [tensor]).as_numpy("y"), x + 1)
        client.close()


def test_a_body_over_the_limit_is_refused_with_its_name(platform):
    try:
        status, text = post(platform, "/v1/predict/add", bytes(100 << 20))
    except OSError as error:  # the connection was closed while the rest was still being sent
        status, text = 413, repr(error)
    assert status == 413, text
    assert platform.infer("add") == (200, 1), "and the next request is answered"
