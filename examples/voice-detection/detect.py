"""Finds speech in a stream of sound, window by window: `detect.py [HOST:PORT [FILE.wav]]` (16 kHz, 16 bit, mono).

Without a file the sound is made (audio.py). Needs numpy and tritonclient[grpc].
"""
import sys
import time
import wave

import audio
import numpy as np
import tritonclient.grpc as triton

LOUD = 0.5  # probability of speech


def read(path):
    with wave.open(path) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (audio.RATE, 2, 1), "16 kHz, 16 bit, mono"
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768


def probabilities(client, samples, sequence):
    """Of speech, for each window."""
    rows, answers = list(audio.windows(samples)), []
    for at, row in enumerate(rows):
        tensor = triton.InferInput("input", [1, len(row)], "FP32")
        tensor.set_data_from_numpy(row[None])
        answer = client.infer("vad", [tensor], sequence_id=sequence, sequence_start=at == 0, sequence_end=at == len(rows) - 1)
        answers.append(float(answer.as_numpy(answer.get_response().outputs[0].name)[0, 0]))
    return answers


def main():
    rng = np.random.default_rng(1)
    made = [audio.silence(1, rng), audio.speech(2, rng), audio.silence(1.5, rng), audio.speech(1, rng), audio.silence(1, rng)]
    samples = read(sys.argv[2]) if len(sys.argv) > 2 else np.concatenate(made)
    with triton.InferenceServerClient(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8001") as client:
        found = probabilities(client, samples, time.time_ns() % (1 << 62))
    for second in range(0, len(samples) // audio.RATE):
        part = found[second * audio.RATE // audio.WINDOW:(second + 1) * audio.RATE // audio.WINDOW]
        print(f"{second:4d} s  {np.mean(part):.2f}  {'speech' if np.mean(part) > LOUD / 2 else '-'}")


if __name__ == "__main__":
    main()
