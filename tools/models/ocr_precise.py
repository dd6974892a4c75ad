"""Marks the layers of the recogniser that stay in f32 when an engine is asked for bf16: OpenVINO reads the mark from the IR.

    ocr_precise.py IR-FILE...

They are those whose rounding reaches everything after them and that cost little: the first convolutions, which see the image
at full resolution, and squeeze-and-excitation, which scales whole channels by one number each.
bench/server/ocr_precision.py prints what that is worth.
"""
import pathlib
import sys
import xml.etree.ElementTree as xml

CONVOLUTIONS = {"Convolution", "GroupConvolution"}
WITHOUT_ARITHMETIC = {"Const", "Parameter", "Result"}
FIRST = 8  # convolutions
MARK = {"name": "DisablePrecisionConversion", "version": "0", "value": "dynamic:f16"}  # the CPU plug-in reads f16 as "any lower"


def is_one_pixel(layer):
    """Its output has one value a channel."""
    return [dim.text for dim in layer.findall("./output/port/dim")][2:] == ["1", "1"]


def sensitive(layers):
    """The layers to keep, of all in the order of execution."""
    convolutions = [layer for layer in layers if layer.get("type") in CONVOLUTIONS]
    stem = layers[: layers.index(convolutions[FIRST])]
    excitation = [layer for layer in convolutions if is_one_pixel(layer)]
    return [layer for layer in stem if layer.get("type") not in WITHOUT_ARITHMETIC] + excitation


def mark(layer):
    info = layer.find("rt_info")
    if info is None:
        info = xml.SubElement(layer, "rt_info")
    if all(attribute.get("name") != MARK["name"] for attribute in info):
        xml.SubElement(info, "attribute", MARK)


def keep_precise(file):
    tree = xml.parse(file)
    kept = sensitive(list(tree.getroot().find("layers")))
    for layer in kept:
        mark(layer)
    tree.write(file, encoding="utf-8", xml_declaration=True)
    print(f"[models] OCR: {file.parent.name}: {len(kept)} layers stay in f32 under bf16")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        keep_precise(pathlib.Path(name))
