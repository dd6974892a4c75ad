"""tritonclient's shared memory and classification, over gRPC and HTTP."""
import json
import os

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
import tritonclient.utils.shared_memory as shm
from conftest import TINY, Server, add_echo, add_model
from tritonclient.utils import InferenceServerException, serialize_byte_tensor

EXAMPLE = json.loads((TINY / "example.json").read_text())
X = np.array(EXAMPLE["x"], dtype=np.float32)
Y = np.array(EXAMPLE["y"], dtype=np.float32)


@pytest.fixture(scope="module")
def sharing(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sharing")
    add_model(directory, "tiny", 1, TINY / "onnx")
    add_echo(directory, "words", "14 -1 2")
    running = Server(directory, "--client-shared-memory").wait_ready()
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture(params=[grpcclient, httpclient], ids=["grpc", "http"])
def client(request, sharing):
    module = request.param
    made = module.InferenceServerClient(sharing.grpc if module is grpcclient else sharing.rest)
    yield module, made
    made.unregister_system_shared_memory()
    made.close()


@pytest.fixture
def memory(request):
    """Makes regions of this test's own, and removes them."""
    handles = []

    def make(name, size):
        key = f"/snug_{os.getpid()}_{name}"
        handles.append(shm.create_shared_memory_region(name, key, size))
        return key, handles[-1]

    yield make
    for handle in handles:
        shm.destroy_shared_memory_region(handle)


def test_tensors_in_shared_memory(client, memory):
    module, c = client
    key, handle = memory("both", X.nbytes + Y.nbytes + 64)
    shm.set_shared_memory_region(handle, [X], offset=64)
    c.register_system_shared_memory("both", key, X.nbytes + Y.nbytes + 64)
    x = module.InferInput("x", list(X.shape), "FP32")
    x.set_shared_memory("both", X.nbytes, offset=64)
    y = module.InferRequestedOutput("y")
    y.set_shared_memory("both", Y.nbytes, offset=64 + X.nbytes)
    result = c.infer("tiny", [x], outputs=[y])
    answered = result.get_output("y")
    if module is httpclient:
        assert sorted(answered) == ["datatype", "name", "shape"]
    else:
        assert answered.parameters["shared_memory_byte_size"].int64_param == Y.nbytes
        assert list(result.get_response().raw_output_contents) == [b""]
    np.testing.assert_allclose(shm.get_contents_as_numpy(handle, np.float32, Y.shape, offset=64 + X.nbytes), Y, atol=1e-5)
    status = c.get_system_shared_memory_status()
    region = status[0] if module is httpclient else {
        "name": status.regions["both"].name, "key": status.regions["both"].key,
        "byte_size": status.regions["both"].byte_size}
    assert (region["name"], region["key"], region["byte_size"]) == ("both", key, X.nbytes + Y.nbytes + 64)


def test_some_in_the_message_and_strings(client, memory):
    module, c = client
    words = np.array([[b"one", b"two"]], dtype=np.object_)
    packed = serialize_byte_tensor(words)
    key, handle = memory("words", 64)
    shm.set_shared_memory_region(handle, [packed])
    c.register_system_shared_memory("words", key, 64)
    x = module.InferInput("x", [1, 2], "BYTES")
    x.set_shared_memory("words", len(packed.item()))
    np.testing.assert_array_equal(c.infer("words", [x]).as_numpy("y"), words)


def test_refusals(client, memory):
    module, c = client
    key, _ = memory("small", 16)
    c.register_system_shared_memory("small", key, 16)

    def failure(call):
        with pytest.raises(InferenceServerException) as caught:
            call()
        return caught.value.message()

    assert "already in manager" in failure(lambda: c.register_system_shared_memory("small", key, 16))
    assert "Unable to open" in failure(lambda: c.register_system_shared_memory("none", "/snug_none", 16))
    assert "expected a name" in failure(lambda: c.register_system_shared_memory("etc", "/../../etc/passwd", 16))
    assert "not inside" in failure(lambda: c.register_system_shared_memory("large", key, 17 << 20))
    assert "CUDA" in failure(lambda: c.register_cuda_shared_memory("gpu", b"aGFuZGxl", 0, 16))
    c.unregister_cuda_shared_memory()
    x = module.InferInput("x", list(X.shape), "FP32")
    x.set_shared_memory("small", X.nbytes)
    assert "Invalid offset + byte size" in failure(lambda: c.infer("tiny", [x]))
    x.set_shared_memory("unknown", X.nbytes)
    assert "Unable to find" in failure(lambda: c.infer("tiny", [x]))


def test_classification(client):
    module, c = client
    x = module.InferInput("x", list(X.shape), "FP32")
    x.set_data_from_numpy(X)
    got = c.infer("tiny", [x], outputs=[module.InferRequestedOutput("y", class_count=2)]).as_numpy("y")
    assert got.shape == (len(Y), 2)
    for row, classes in zip(Y, got):
        order = np.argsort(-row, kind="stable")[:2]
        assert [int(one.split(b":")[1]) for one in classes] == list(order)
        np.testing.assert_allclose([float(one.split(b":")[0]) for one in classes], row[order], atol=1e-4)


def test_only_where_it_is_allowed(server):
    with grpcclient.InferenceServerClient(server.grpc) as c:
        with pytest.raises(InferenceServerException) as caught:
            c.register_system_shared_memory("r", "/r", 16)
        assert "--client-shared-memory" in caught.value.message()
