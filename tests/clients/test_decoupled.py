"""Models that give any number of answers, by Triton's own client."""
import queue
import shutil

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from conftest import ROOT, Server, add_echo
from tritonclient.utils import InferenceServerException


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("decoupled")
    shutil.copytree(ROOT / "examples/decoupled/models", directory / "models")
    add_echo(directory, "echo", "7 -1 1")
    running = Server(directory).wait_ready()
    yield running
    assert running.stop() == 0, running.log.read_text()


class Stream:
    """One stream; answers in the order in which they come."""

    def __init__(self, server):
        self.client, self.answers = grpcclient.InferenceServerClient(server.grpc), queue.Queue()
        self.client.start_stream(callback=lambda result, error: self.answers.put((result, error)))

    def repeat(self, values, delays=None, **options):
        delays = [0] * len(values) if delays is None else delays
        self.client.async_stream_infer("repeat_int32", inputs(grpcclient, values, delays), **options)

    def next(self):
        result, error = self.answers.get(timeout=60)
        assert error is None, error
        return result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.stop_stream()
        self.client.close()


def inputs(module, values, delays):
    tensors = []
    for name, datatype, array in (("IN", "INT32", np.array(values, np.int32)),
                                  ("DELAY", "UINT32", np.array(delays, np.uint32)),
                                  ("WAIT", "UINT32", np.zeros(1, np.uint32))):
        tensors.append(module.InferInput(name, list(array.shape), datatype))
        tensors[-1].set_data_from_numpy(array)
    return tensors


def is_final(result):
    return result.get_response().parameters["triton_final_response"].bool_param


def test_each_answer_leaves_apart(server):
    with Stream(server) as stream:
        stream.repeat(range(50), request_id="a")
        got = [stream.next() for _ in range(50)]
    assert [int(r.as_numpy("OUT")[0]) for r in got] == list(range(50))
    assert [int(r.as_numpy("IDX")[0]) for r in got] == list(range(50))
    assert {r.get_response().id for r in got} == {"a"} and not any(map(is_final, got))


def test_the_end_is_told_to_who_asks(server):
    with Stream(server) as stream:
        stream.repeat([], request_id="none", enable_empty_final_response=True)
        stream.repeat([5], request_id="one", outputs=[grpcclient.InferRequestedOutput("OUT")],
                      enable_empty_final_response=True)
        end, part, last = stream.next(), stream.next(), stream.next()
    assert end.get_response().id == "none" and is_final(end) and not end.get_response().outputs
    assert not is_final(part) and [o.name for o in part.get_response().outputs] == ["OUT"]
    assert last.get_response().id == "one" and is_final(last) and not last.get_response().outputs


def test_others_in_the_stream_do_not_wait(server):
    """The echo's answer comes although the request before it is not at its end."""
    x = grpcclient.InferInput("x", [1, 1], "INT16")
    x.set_data_from_numpy(np.array([[3]], np.int16))
    with Stream(server) as stream:
        stream.repeat([1, 2], [0, 5000], request_id="slow")
        assert stream.next().get_response().id == "slow"
        stream.client.async_stream_infer("echo", [x], request_id="echo")
        assert stream.next().get_response().id == "echo"
        assert stream.next().get_response().id == "slow"


def test_an_error_comes_after_the_answers_before_it(server):
    with Stream(server) as stream:
        stream.repeat([1], [0, 0])
        _, error = stream.answers.get(timeout=60)
    assert "1 values in IN, but 2 in DELAY" in error.message()


def test_single_calls_are_refused(server):
    for module, address in ((grpcclient, server.grpc), (httpclient, server.rest)):
        with module.InferenceServerClient(address) as c, pytest.raises(InferenceServerException) as caught:
            c.infer("repeat_int32", inputs(module, [1], [0]))
        assert "decoupled transaction policy" in caught.value.message()
    with grpcclient.InferenceServerClient(server.grpc) as c:
        assert c.get_model_config("repeat_int32").config.model_transaction_policy.decoupled
