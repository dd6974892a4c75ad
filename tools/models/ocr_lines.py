"""Cuts scans of printed pages into lines that fit the recogniser's input, and writes what it reads in them.

    ocr_lines.py UNPACKED-PACKAGES OUT      writes OUT/pages, OUT/lines/*.png and OUT/lines/manifest.json

The detector finds text, its boxes are cut at gaps between words until each is at most 320 wide at height 48, and what the
recogniser is not sure of is dropped: often a cut through a letter or a drawing.
"""
import io
import json
import pathlib
import shutil
import sys

import numpy as np
import openvino as ov
from PIL import Image

from ocr_reading import HEIGHT, WIDTH, decode, load_dictionary, tensor_of

SCORE_MIN = 0.9
LETTERS_MIN = 6

# name, file in the unpacked packages, how many lines to take, what is on it, licence as its package states it
PAGES = [
    ("brochure", "ocrmypdf-*/tests/resources/linn.png", 12, "brochure of a music sequencer, 1985, scanned",
     "GFDL-1.2-or-later or CC-BY-SA-3.0, (C) 1985 Forat Electronics"),
    ("typewriter", "ocrmypdf-*/tests/resources/typewriter.png", 12, "Dutch recipe written on a Triumph typewriter, scanned",
     "GFDL-1.2-or-later or CC-BY-SA-1.0 or later versions, (C) 2005 Ellywa"),
    ("novel", "ocrmypdf-*/tests/resources/c03-29.pdf", 14, "page of Adventures of Huckleberry Finn, scanned in colour",
     "public domain"),
    ("textbook", "skimage/data/page.png", 6, "page of a textbook, photographed under uneven light",
     "BSD-3-Clause, as part of scikit-image"),
]  # fmt: skip


def load(path):
    data = path.read_bytes()
    if path.suffix == ".pdf":  # a scan: one JPEG file stands in it as it is
        data = data[data.index(b"\xff\xd8\xff") :]
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def compiled(file):
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    return ov.Core().compile_model(file, "CPU", settings)


def text_mask(detector, image):
    """Where the detector sees text, at its own resolution."""
    scale = min(1.0, 1600 / max(image.shape[:2])) if min(image.shape[:2]) > 480 else 3.0
    height, width = (max(32, round(side * scale / 32) * 32) for side in image.shape[:2])
    scaled = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    tensor = (scaled[:, :, ::-1].astype(np.float32) / 255 - 0.5) / 0.5
    return detector(tensor.transpose(2, 0, 1)[None])[0][0, 0] > 0.3


def runs(flags):
    """[begin, end) of each run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))


def components(mask):
    """Bounding boxes (top, left, bottom, right) of connected regions, from the runs of each row."""
    parent, boxes, above = [], [], []

    def find(index):
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for row, flags in enumerate(mask):
        here = []
        for begin, end in runs(flags):
            label = len(parent)
            parent.append(label)
            boxes.append([row, begin, row + 1, end])
            for other_begin, other_end, other in above:
                if other_begin < end and begin < other_end:
                    parent[find(other)] = find(label)
            here.append((begin, end, label))
        above = here
    whole = {}
    for index, (top, left, bottom, right) in enumerate(boxes):
        box = whole.setdefault(find(index), [top, left, bottom, right])
        box[:] = min(box[0], top), min(box[1], left), max(box[2], bottom), max(box[3], right)
    return sorted(map(tuple, whole.values()))


def grown(box, scale, limits):
    """The box in the page's pixels, grown as the detector's training shrank it."""
    top, left, bottom, right = box
    height, width = bottom - top, right - left
    by = 1.6 * height * width / (2 * (height + width))
    top, left, bottom, right = top - by, left - by, bottom + by, right + by
    return (
        max(0, round(top * scale[0])), max(0, round(left * scale[1])),
        min(limits[0], round(bottom * scale[0])), min(limits[1], round(right * scale[1])),
    )  # fmt: skip


def ink_columns(line):
    """Which columns hold ink: darker than midway between paper and ink."""
    grey = line.mean(axis=2)
    paper, ink = np.percentile(grey, 90), grey.min()
    return (grey < (paper + ink) / 2).any(axis=0)


def words(line):
    """[begin, end) of each word: what gaps of a fifth of the height and more divide."""
    result = []
    for begin, end in runs(ink_columns(line)):
        if result and begin - result[-1][1] < 0.2 * line.shape[0]:
            result[-1][1] = end
        else:
            result.append([begin, end])
    return result


def pieces(line):
    """Parts of the line, whole words each, that are not wider than the model's input."""
    height, total = line.shape[:2]
    pad, limit = round(0.12 * height), height * WIDTH // HEIGHT
    groups = []
    for begin, end in words(line):
        if groups and end - groups[-1][0] + 2 * pad <= limit:
            groups[-1][1] = end
        else:
            groups.append([begin, end])
    for begin, end in groups:
        piece = line[:, max(0, begin - pad) : min(total, end + pad)]
        if height <= piece.shape[1] <= limit:
            yield piece


def lines_of(page, detector):
    mask = text_mask(detector, page)
    scale = page.shape[0] / mask.shape[0], page.shape[1] / mask.shape[1]
    for box in components(mask):
        top, left, bottom, right = grown(box, scale, page.shape)
        if bottom - top >= 12 and right - left >= bottom - top:
            yield page[top:bottom, left:right]


def readable(page, detector, recogniser, dictionary):
    """(image, text, score) of the pieces of a page that are read with confidence; no text twice."""
    seen = set()
    for line in lines_of(page, detector):
        for piece in pieces(line):
            text, score = decode(recogniser(tensor_of(piece))[0][0], dictionary)
            letters = sum(character.isalnum() for character in text)
            if score >= SCORE_MIN and letters >= LETTERS_MIN and text not in seen:
                seen.add(text)
                yield piece, text, score


def evenly(found, count):
    """At most count of what was found, from all over the page: the surest of each stretch."""
    if len(found) <= count:
        return found
    cuts = [index * len(found) // count for index in range(count + 1)]
    return [max(found[begin:end], key=lambda piece: piece[2]) for begin, end in zip(cuts, cuts[1:])]


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def main():
    packages, out = map(pathlib.Path, sys.argv[1:3])
    pages, lines = fresh(out / "pages"), fresh(out / "lines")
    detector, recogniser = compiled(out / "det" / "ir" / "model.xml"), compiled(out / "onnx" / "model.onnx")
    dictionary = load_dictionary(out / "dict.txt")
    manifest = {"pages": [], "lines": []}
    for name, pattern, count, about, licence in PAGES:
        source = next(packages.glob(pattern))
        page = load(source)
        Image.fromarray(page).save(pages / f"{name}.png", optimize=True)
        origin = {"source": str(source.relative_to(packages)), "about": about, "licence": licence}
        manifest["pages"].append({"name": f"{name}.png", **origin, "width": page.shape[1], "height": page.shape[0]})
        found = list(readable(page, detector, recogniser, dictionary))
        taken = evenly(found, count)
        print(f"[models] OCR: {name}: {len(found)} lines read well, {len(taken)} kept", flush=True)
        for index, (image, text, score) in enumerate(taken):
            file = f"{name}-{index:02}.png"
            Image.fromarray(image).save(lines / file, optimize=True)
            manifest["lines"].append({
                "name": file, **origin, "width": image.shape[1], "height": image.shape[0],
                "reference_text": text, "reference_score": round(score, 4),
            })  # fmt: skip
    (lines / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
