"""Speech-like sound without a recording: a voice's pulses through the resonances of vowels, as numpy arrays of 16 kHz."""
import numpy as np

RATE = 16000
WINDOW, CONTEXT = 512, 64  # samples that the detector takes at a time, and of the window before that it sees again
# Resonances (Hz) of a, e, i, o, u, as of a grown man's voice.
VOWELS = [(730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240)]


def silence(seconds, rng):
    """A quiet room's noise."""
    return rng.normal(0, 1e-4, int(seconds * RATE)).astype(np.float32)


def resonate(samples, frequency, width):
    """A two-pole filter."""
    radius = np.exp(-np.pi * width / RATE)
    a1, a2 = 2 * radius * np.cos(2 * np.pi * frequency / RATE), -radius * radius
    out = np.zeros(len(samples) + 2)
    for i, sample in enumerate(samples):
        out[i + 2] = sample + a1 * out[i + 1] + a2 * out[i]
    return out[2:]


def syllable(vowel, pitch, seconds, rng):
    count = int(seconds * RATE)
    glide = pitch * np.linspace(1.08, 0.92, count) * (1 + 0.01 * np.sin(2 * np.pi * 5 * np.arange(count) / RATE))
    phase = np.cumsum(glide / RATE)
    pulses = np.diff(np.floor(phase), prepend=0.0) + rng.normal(0, 0.02, count)
    for frequency, width in zip(vowel, (80, 100, 140)):
        pulses = resonate(pulses, frequency, width)
    return (np.sin(np.pi * np.linspace(0, 1, count)) ** 0.5 * pulses / np.abs(pulses).max() * 0.5).astype(np.float32)


def speech(seconds, rng):
    """Syllables of changing vowels and pitch, with short breaks."""
    parts, length = [], 0
    while length < seconds * RATE:
        parts.append(syllable(VOWELS[rng.integers(len(VOWELS))], rng.uniform(95, 150), rng.uniform(0.15, 0.3), rng))
        parts.append(silence(rng.uniform(0.02, 0.06), rng))
        length = sum(map(len, parts))
    return np.concatenate(parts)[:int(seconds * RATE)]


def windows(samples):
    """Rows [576] for the model `vad`: each window behind the end of the one before."""
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), samples])
    for at in range(0, len(samples) - WINDOW + 1, WINDOW):
        yield padded[at:at + CONTEXT + WINDOW]
