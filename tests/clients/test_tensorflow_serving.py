"""TensorFlow Serving's protocols: ovmsclient as it comes from PyPI, and stubs made of the protocol's descriptors, against
tensorflow_model_server with a real SavedModel of several signatures."""
import json
import shutil
import socket
import subprocess

import grpc
import numpy as np
import ovmsclient
import pytest
from conftest import BIN, ROOT, Server, add_echo, wait_for
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from ovmsclient.tfs_compat.base.errors import ModelNotFoundError

HALF_PLUS_TWO = ROOT / "build/models-src/half_plus_two/00000123"


def load_messages():
    files = descriptor_pb2.FileDescriptorSet.FromString((ROOT / "build/protos/tfs.fds").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


message = load_messages()


def stub(target, service, method, request, response):
    """What grpcio-tools would generate for one method, taking the request in text format."""
    request, response = message("tensorflow.serving." + request), message("tensorflow.serving." + response)
    call = grpc.insecure_channel(target).unary_unary(
        f"/tensorflow.serving.{service}/{method}", request.SerializeToString, response.FromString)
    return lambda text: call(text_format.Parse(text, request()), timeout=60)


class ModelServer(Server):
    """The alias with TensorFlow Serving's flags; the rest is as snug-server's."""

    def __init__(self, directory, *flags):
        self.log = directory / "server.log"
        ready_file = directory / "ready.json"
        ready_file.unlink(missing_ok=True)
        command = [BIN / "tensorflow_model_server", "--port=0", f"--ready-file={ready_file}", *flags]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(part) for part in command], stderr=log, stdout=log)
        wait_for(lambda: ready_file.exists() or self.process.poll() is not None, "the server's ready file")
        assert self.process.poll() is None, self.log.read_text()
        ports = json.loads(ready_file.read_text())
        self.grpc = f"127.0.0.1:{ports['grpc_port']}"
        self.rest = f"127.0.0.1:{ports['rest_port']}"

    def json(self, path, body=None):
        status, _, text = self.call(path, json.dumps(body) if body is not None else None)
        return status, json.loads(text)

    def versions(self, model="hpt"):
        """{version: state}"""
        status, answer = self.json(f"/v1/models/{model}")
        return {v["version"]: v["state"] for v in answer.get("model_version_status", [])}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tfs")
    shutil.copytree(HALF_PLUS_TWO, directory / "hpt/00000123")
    (directory / "models.config").write_text(f"""model_config_list {{ config {{
      name: "hpt" base_path: "{directory}/hpt" model_platform: "tensorflow"
      model_version_policy {{ latest {{ num_versions: 2 }} }} version_labels {{ key: "stable" value: 123 }} }} }}""")
    return directory


@pytest.fixture(scope="module")
def model_server(base):
    running = ModelServer(base, f"--rest_api_port={free_port()}", f"--model_config_file={base}/models.config",
                          "--file_system_poll_wait_seconds=1", "--rest_api_timeout_in_ms=60000",
                          "--enable_batching=true")
    wait_for(lambda: running.versions().get("123") == "AVAILABLE", "half_plus_two")
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture(params=["grpc", "http"])
def client(request, model_server):
    if request.param == "grpc":
        return ovmsclient.make_grpc_client(model_server.grpc)
    return ovmsclient.make_http_client(model_server.rest)


def test_ovmsclient(client):
    np.testing.assert_allclose(client.predict({"x": np.array([1, 2, 5], np.float32)}, "hpt"), [2.5, 3, 4.5])
    np.testing.assert_allclose(client.predict({"x": np.array([0], np.float32)}, "hpt", model_version=123), [2])
    metadata = client.get_model_metadata("hpt")
    if "model_spec" in metadata:  # over HTTP it knows OpenVINO Model Server's names only, and hands TensorFlow's on
        assert metadata["model_spec"]["version"] == "123"
    else:
        assert metadata == {"model_version": 123, "inputs": {"x": {"shape": [-1], "dtype": "DT_FLOAT"}},
                            "outputs": {"y": {"shape": [-1], "dtype": "DT_FLOAT"}}}
    assert client.get_model_status("hpt")[123]["state"] == "AVAILABLE"
    with pytest.raises(ModelNotFoundError):
        client.predict({"x": np.array([1], np.float32)}, "nope")


def test_predict_signature_filter_and_label(model_server):
    predict = stub(model_server.grpc, "PredictionService", "Predict", "PredictRequest", "PredictResponse")
    answer = predict("""model_spec { name: "hpt" version_label: "stable" }
        inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: [1, 2] } }
        output_filter: "y" """)
    assert list(answer.outputs["y"].float_val) == [2.5, 3]
    assert (answer.model_spec.version.value, answer.model_spec.signature_name) == (123, "serving_default")
    answer = predict("""model_spec { name: "hpt" signature_name: "upper" } inputs { key: "text"
        value { dtype: DT_STRING tensor_shape { dim { size: 2 } } string_val: "ab" string_val: "c" } }""")
    assert list(answer.outputs["upper_bytes"].string_val) == [b"AB", b"C"]


@pytest.mark.parametrize("request_text, code, text", [
    ('model_spec { name: "nope" }', grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(nope)"),
    ('model_spec { name: "hpt" version { value: 9 } }', grpc.StatusCode.NOT_FOUND, "Specific(hpt, 9)"),
    ('model_spec { name: "hpt" signature_name: "x" }', grpc.StatusCode.FAILED_PRECONDITION,
     'Serving signature key "x" not found.'),
    ("", grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec"),
    ('model_spec { name: "hpt" }', grpc.StatusCode.INVALID_ARGUMENT, '"x"'),
    ('model_spec { name: "hpt" } inputs { key: "x" value { dtype: DT_COMPLEX64 } }', grpc.StatusCode.INVALID_ARGUMENT,
     "DT_COMPLEX64 is not served"),
])
def test_predict_errors(model_server, request_text, code, text):
    predict = stub(model_server.grpc, "PredictionService", "Predict", "PredictRequest", "PredictResponse")
    with pytest.raises(grpc.RpcError) as caught:
        predict(request_text)
    assert caught.value.code() == code
    assert text in caught.value.details()


EXAMPLES = """input { example_list {
    examples { features { feature { key: "x" value { float_list { value: 0 } } } } }
    examples { features { feature { key: "x" value { float_list { value: 4 } } } } } } }"""


def test_classify_regress_and_both(model_server):
    service = (model_server.grpc, "PredictionService")
    regress = stub(*service, "Regress", "RegressionRequest", "RegressionResponse")
    answer = regress('model_spec { name: "hpt" signature_name: "regress_x_to_y" }' + EXAMPLES)
    assert [r.value for r in answer.result.regressions] == [2, 4]
    classify = stub(*service, "Classify", "ClassificationRequest", "ClassificationResponse")
    answer = classify('model_spec { name: "hpt" signature_name: "classify_x_to_y" }' + EXAMPLES)
    assert [[(c.label, c.score) for c in row.classes] for row in answer.result.classifications] == [
        [("low", 0.5), ("high", 0.5)], [("low", 0.25), ("high", 0.75)]]
    multi = stub(*service, "MultiInference", "MultiInferenceRequest", "MultiInferenceResponse")
    answer = multi("""tasks { model_spec { name: "hpt" signature_name: "regress_x_to_y" }
                              method_name: "tensorflow/serving/regress" }
                      tasks { model_spec { name: "hpt" signature_name: "classify_x_to_y" }
                              method_name: "tensorflow/serving/classify" }""" + EXAMPLES)
    assert answer.results[0].regression_result.regressions[1].value == 4
    assert answer.results[1].classification_result.classifications[1].classes[1].label == "high"
    # A signature with named inputs gets the features themselves.
    answer = regress('model_spec { name: "hpt" }' + EXAMPLES)
    assert [r.value for r in answer.result.regressions] == [2, 4]


def test_metadata_names_every_signature(model_server):
    metadata = stub(model_server.grpc, "PredictionService", "GetModelMetadata", "GetModelMetadataRequest",
                    "GetModelMetadataResponse")
    answer = metadata('model_spec { name: "hpt" } metadata_field: "signature_def"')
    signatures = message("tensorflow.serving.SignatureDefMap")()
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert sorted(signatures.signature_def) == ["classify_x_to_y", "regress_x_to_y", "serving_default", "upper"]
    assert signatures.signature_def["serving_default"].method_name == "tensorflow/serving/predict"
    _, answer = model_server.json("/v1/models/hpt/metadata")
    assert sorted(answer["metadata"]["signature_def"]["signature_def"]) == sorted(signatures.signature_def)


def test_rest(model_server):
    url = "/v1/models/hpt"
    assert model_server.json(url + ":predict", {"instances": [1, 2, 5]}) == (200, {"predictions": [2.5, 3, 4.5]})
    assert model_server.json(url + "/versions/123:predict", {"inputs": {"x": [1]}}) == (200, {"outputs": [2.5]})
    assert model_server.json(url + "/labels/stable:predict", {"instances": [{"x": 1}]}) == (200, {"predictions": [2.5]})
    assert model_server.json(url + ":predict", {"signature_name": "upper", "instances": ["a", {"b64": "YmM="}]}) == (
        200, {"predictions": [{"b64": "QQ=="}, {"b64": "QkM="}]})
    assert model_server.json(url + ":regress", {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}]}) == (
        200, {"results": [3.0]})
    assert model_server.json(url + ":classify", {"signature_name": "classify_x_to_y", "examples": [{"x": [0.0]}]}) == (
        200, {"results": [[["low", 0.5], ["high", 0.5]]]})
    assert model_server.call("/monitoring/prometheus/metrics")[0] == 200
    for path, body, status in [(":predict", {"instances": [[1], 2]}, 400), (":predict", {}, 400), (":other", {}, 400),
                               ("/versions/7:predict", {"instances": [1]}, 404)]:
        got, answer = model_server.json(url + path, body)
        assert got == status and list(answer) == ["error"], answer


def test_versions_come_and_go(model_server, base):
    shutil.copytree(HALF_PLUS_TWO, base / "incoming")
    (base / "incoming").rename(base / "hpt/124")
    wait_for(lambda: model_server.versions().get("124") == "AVAILABLE", "version 124")
    assert model_server.versions()["123"] == "AVAILABLE"
    shutil.rmtree(base / "hpt/124")
    wait_for(lambda: "124" not in model_server.versions(), "the end of version 124")
    assert model_server.json("/v1/models/hpt:predict", {"instances": [1]}) == (200, {"predictions": [2.5]})


def test_reload_config(model_server, base):
    reload = stub(model_server.grpc, "ModelService", "HandleReloadConfigRequest", "ReloadConfigRequest",
                  "ReloadConfigResponse")
    one = '%s {{ name: "{0}" base_path: "{1}/hpt" version_labels {{ key: "{2}" value: 123 }} }}' % "config"
    hpt, other = one.format("hpt", base, "newest"), one.format("other", base, "a")
    assert reload(f"config {{ model_config_list {{ {hpt} {other} }} }}").status.error_code == 0
    assert model_server.versions("other") == {"123": "AVAILABLE"}
    assert model_server.json("/v1/models/hpt/labels/newest:predict", {"instances": [1]})[0] == 200
    assert model_server.json("/v1/models/hpt/labels/stable:predict", {"instances": [1]})[0] == 404
    assert reload(f"config {{ model_config_list {{ {hpt} }} }}").status.error_code == 0
    wait_for(lambda: not model_server.versions("other"), "the end of the other model")
    refused = reload('config { model_config_list { config { name: "a" base_path: "relative" } } }').status
    assert refused.error_code == 3 and "absolute path" in refused.error_message


def test_command_line():
    def run(*flags):
        return subprocess.run([BIN / "tensorflow_model_server", *flags], capture_output=True, text=True, timeout=60)
    assert "TensorFlow ModelServer" in run("--version").stdout
    unknown = run("--model_base_path=/m", "--modle_name=x")
    assert unknown.returncode == 2 and "--model_name" in unknown.stderr


def test_a_repository_speaks_it_too(tmp_path):
    """snug-server's own models, of any engine."""
    add_echo(tmp_path, "words", "14 -1 2")
    server = Server(tmp_path).wait_ready()
    try:
        status, _, body = server.call("/v1/models/words:predict", json.dumps({"instances": [["a", "b"]]}))
        assert (status, json.loads(body)) == (200, {"predictions": [["a", "b"]]})
        reload = stub(server.grpc, "ModelService", "HandleReloadConfigRequest", "ReloadConfigRequest",
                      "ReloadConfigResponse")
        with pytest.raises(grpc.RpcError) as caught:
            reload("")
        assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    finally:
        server.stop()
