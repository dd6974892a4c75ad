"""What a client of the OCR model computes before and after it: README.md says it in words, this is the reference."""
import math

import numpy as np

HEIGHT, WIDTH = 48, 320


def resize(image, height, width):
    """Bilinear with half-pixel centres, edge pixels repeated, no smoothing before; float result, not rounded."""

    def taps(source, target):
        centre = np.clip((np.arange(target, dtype=np.float32) + 0.5) * (source / target) - 0.5, 0, source - 1)
        low = np.floor(centre).astype(int)
        return low, np.minimum(low + 1, source - 1), (centre - low).astype(np.float32)

    image = image.astype(np.float32)
    top, bottom, down = taps(image.shape[0], height)
    left, right, across = taps(image.shape[1], width)
    rows = image[top] * (1 - down)[:, None, None] + image[bottom] * down[:, None, None]
    return rows[:, left] * (1 - across)[None, :, None] + rows[:, right] * across[None, :, None]


def tensor_of(image):
    """The model's input [1, 3, 48, 320] for an RGB image [height, width, 3] of bytes."""
    width = min(WIDTH, math.ceil(HEIGHT * image.shape[1] / image.shape[0]))
    scaled = (resize(image[:, :, ::-1], HEIGHT, width) / 255 - 0.5) / 0.5
    tensor = np.zeros((1, 3, HEIGHT, WIDTH), np.float32)
    tensor[0, :, :, :width] = scaled.transpose(2, 0, 1)
    return tensor


def load_dictionary(path):
    """The character of each index; "" stands for blank."""
    with open(path, encoding="utf-8") as file:
        return ["", *file.read().removesuffix("\n").split("\n"), " "]


def decode(probabilities, dictionary):
    """(text, score) of one [steps, characters]: greedy CTC."""
    best, chance = probabilities.argmax(axis=1), probabilities.max(axis=1)
    kept = best != 0
    kept[1:] &= best[1:] != best[:-1]
    text = "".join(dictionary[index] for index in best[kept])
    return text, float(chance[kept].mean()) if kept.any() else 0.0
