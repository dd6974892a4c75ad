#!/usr/bin/env python3
"""Writes a protobuf FileDescriptorSet out of the *_pb2.py files of wheels and folders.

Neither Triton's client, Envoy's xDS package nor TensorFlow Serving's ships the .proto text, but the code that protoc
made of it carries each file's serialized descriptor, which `protoc --descriptor_set_in` takes in place of the text.
The code is parsed, not imported, and the few bytes needed of a descriptor are read by hand, so that this runs with
nothing but the standard library.

    descriptors.py --out FILE [--list FILE --closure-of PROTO ...] SOURCE ...

A SOURCE is a wheel, a folder, or a descriptor set. Everything found is written; --list names those files that the
given ones need, less google/protobuf, whose C++ comes with libprotobuf.
"""
import argparse
import ast
import pathlib
import sys
import zipfile


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def length_delimited(data):
    """(field number, bytes) of each length-delimited field of a message."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == 0:
            _, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            yield tag >> 3, data[at : at + size]
            at += size
        else:
            at += {1: 8, 5: 4}[kind]


def name_of(descriptor):
    return next(value.decode() for field, value in length_delimited(descriptor) if field == 1)


def dependencies_of(descriptor):
    return [value.decode() for field, value in length_delimited(descriptor) if field == 3]


def embedded(source):
    """The serialized descriptors in the text of a *_pb2.py."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile":
            yield node.args[0].value


def descriptors_in(source):
    path = pathlib.Path(source)
    if path.is_dir():
        for file in sorted(path.rglob("*_pb2.py")):
            yield from embedded(file.read_bytes())
    elif path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            for name in sorted(wheel.namelist()):
                if name.endswith("_pb2.py"):
                    yield from embedded(wheel.read(name))
    else:
        for field, value in length_delimited(path.read_bytes()):
            if field == 1:
                yield value


def in_order(files, roots):
    """The names that the roots need, each after what it depends on."""
    done = {}

    def add(name, wanted_by):
        if name in done:
            return
        if name not in files:
            sys.exit(f"descriptors: {name}, which {wanted_by} imports, is in none of the sources")
        done[name] = None
        for dependency in dependencies_of(files[name]):
            add(dependency, name)
        done[name] = done.pop(name)  # behind its dependencies

    for root in roots:
        add(root, "the command line")
    return list(done)


def delimited(field, payload):
    size = len(payload)
    out = bytearray([field << 3 | 2])
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out) + payload


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--list")
    parser.add_argument("--closure-of", action="append", default=[])
    parser.add_argument("sources", nargs="+")
    args = parser.parse_args()

    files = {}
    for source in args.sources:  # an earlier source wins: two wheels may carry the same file
        for descriptor in descriptors_in(source):
            files.setdefault(name_of(descriptor), descriptor)
    if args.list:
        names = [name for name in in_order(files, args.closure_of) if not name.startswith("google/protobuf/")]
        pathlib.Path(args.list).write_text("".join(name + "\n" for name in names))
    names = in_order(files, files)
    pathlib.Path(args.out).write_bytes(b"".join(delimited(1, files[name]) for name in names))


main()
