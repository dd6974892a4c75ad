"""Sequences through the real server, by Triton's own client: over gRPC (single calls and a stream) and REST."""
import queue
import shutil
import sys

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from conftest import ROOT, Server
from tritonclient.utils import InferenceServerException

EXAMPLES = ROOT / "examples"
sys.path.insert(0, str(EXAMPLES / "voice-detection"))
import audio  # noqa: E402
import detect  # noqa: E402

VALUES = [11, 7, 5, 3, 2, 0, 1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sequences")
    shutil.copytree(EXAMPLES / "sequences/models", directory / "models")
    shutil.copytree(EXAMPLES / "voice-detection/model", directory / "models/vad")
    (directory / "models/vad/1").mkdir()
    shutil.copy(ROOT / "build/models-src/silero/model.onnx", directory / "models/vad/1")
    running = Server(directory).wait_ready()
    yield running
    assert running.stop() == 0, running.log.read_text()


def value(module, number):
    made = module.InferInput("INPUT", [1, 1], "INT32")
    made.set_data_from_numpy(np.array([[number]], np.int32))
    return [made]


def send(client, model, sequence, numbers):
    """A whole sequence, one call after the other."""
    module, c = client
    return [int(c.infer(model, value(module, number), sequence_id=sequence, sequence_start=at == 0,
                        sequence_end=at == len(numbers) - 1).as_numpy("OUTPUT")[0, 0])
            for at, number in enumerate(numbers)]


def test_the_model_is_told_of_start_end_and_id(client):
    assert send(client, "simple_sequence", 5, [10, 2, 3]) == [11, 2, 3]
    assert send(client, "simple_sequence", "a call", [10, 2, 3]) == [11, 2, 3]
    assert send(client, "simple_dyna_sequence", 1000, [10, 2, 3]) == [11, 2, 1003]
    assert send(client, "simple_string_dyna_sequence", "1002", [10, 2, 3]) == [10, 12, 15 + 1002]
    assert send(client, "simple_string_dyna_sequence", 7, [1]) == [8]


def test_clients_do_not_see_what_the_server_provides(server):
    with grpcclient.InferenceServerClient(server.grpc) as c:
        assert [t.name for t in c.get_model_metadata("simple_dyna_sequence").inputs] == ["INPUT"]
        config = c.get_model_config("simple_dyna_sequence").config
        assert config.sequence_batching.oldest.max_candidate_sequences == 64
        assert config.sequence_batching.max_sequence_idle_microseconds == 5_000_000
        assert "sequence" in c.get_server_metadata().extensions
    with httpclient.InferenceServerClient(server.rest) as c:
        assert c.get_model_config("simple_sequence")["sequence_batching"]["direct"] == {}


def test_what_is_wrong_is_said(client):
    module, c = client

    def refusal(**marks):
        with pytest.raises(InferenceServerException) as caught:
            c.infer("simple_sequence", value(module, 1), **marks)
        return caught.value.message()

    assert "must specify a non-zero or non-empty correlation ID" in refusal()
    assert ("inference request for sequence 77 to model 'simple_sequence' must specify the START flag on the first "
            "request of the sequence") in refusal(sequence_id=77)
    send(client, "simple_sequence", 78, [1, 2])
    assert "must specify the START flag" in refusal(sequence_id=78)


def test_many_sequences_in_one_stream(server):
    answers = queue.Queue()
    sequences = {str(1000 + i): [100 * i] + VALUES for i in range(6)}
    with grpcclient.InferenceServerClient(server.grpc) as c:
        c.start_stream(callback=lambda result, error: answers.put((result, error)))
        for at in range(len(VALUES) + 1):
            for name, numbers in sequences.items():
                c.async_stream_infer("simple_string_dyna_sequence", value(grpcclient, numbers[at]), request_id=name,
                                     sequence_id=name, sequence_start=at == 0, sequence_end=at == len(VALUES))
        got = {name: [] for name in sequences}
        for _ in range(len(sequences) * (len(VALUES) + 1)):
            result, error = answers.get(timeout=60)
            assert error is None, error
            got[result.get_response().id].append(int(result.as_numpy("OUTPUT")[0, 0]))
    for name, numbers in sequences.items():
        expected = list(np.cumsum(numbers))
        expected[-1] += int(name)
        assert got[name] == expected


def test_speech_is_found_in_streams_that_come_at_once(server):
    """What the model heard before is kept apart for each stream: beside another one it says the same as alone."""
    rng = np.random.default_rng(1)
    talk = np.concatenate([audio.silence(1, rng), audio.speech(1.5, rng), audio.silence(1, rng)])
    quiet = audio.silence(3.5, rng)
    with grpcclient.InferenceServerClient(server.grpc) as c:
        alone = detect.probabilities(c, talk, 1)
        seconds = [alone[i * audio.RATE // audio.WINDOW:(i + 1) * audio.RATE // audio.WINDOW] for i in range(3)]
        assert max(seconds[0]) < 0.1 and np.mean(seconds[1]) > 0.3 and max(alone) > 0.5
        assert np.mean(alone[-15:]) < 0.1
        beside, silent = interleaved(c, talk, quiet)
    assert beside == alone
    assert max(silent) < 0.1


def interleaved(client, *sounds):
    """Windows of all sounds by turns, each sound a sequence of one stream of calls."""
    answers, rows = queue.Queue(), [list(audio.windows(sound)) for sound in sounds]
    got = [[] for _ in sounds]
    client.start_stream(callback=lambda result, error: answers.put((result, error)))
    for at in range(len(rows[0])):
        for which, windows in enumerate(rows):
            tensor = grpcclient.InferInput("input", [1, len(windows[at])], "FP32")
            tensor.set_data_from_numpy(windows[at][None])
            client.async_stream_infer("vad", [tensor], request_id=str(which), sequence_id=100 + which,
                                      sequence_start=at == 0, sequence_end=at == len(windows) - 1)
    for _ in range(sum(map(len, rows))):
        result, error = answers.get(timeout=60)
        assert error is None, error
        response = result.get_response()
        got[int(response.id)].append(float(result.as_numpy(response.outputs[0].name)[0, 0]))
    client.stop_stream()
    return got
