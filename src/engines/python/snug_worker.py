"""Runs one instance of a Python model for snug's python engine: `python snug_worker.py LABEL`.

Started by the engine with two descriptors: 3 is a sequenced-packet socket (one JSON message a packet, descriptors of
shared memory attached), 4 takes what the model prints. Tensors lie in shared memory: inputs in a region that the engine
sends, outputs in one that this process makes. See docs/engines.md for what a model looks like.
"""
import array
import ctypes
import fcntl
import importlib.util
import inspect
import json
import mmap
import os
import signal
import socket
import struct
import sys
import traceback

CHANNEL_FD, LOG_FD = 3, 4
MESSAGE_BYTES_MAX = 128 << 10
TEXT_CHARS_MAX = 900
ALIGNMENT = 64
REGION_BYTES_MIN = 64 << 10
# gRPC's codes.
OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED = 0, 3, 4, 8
FAILED_PRECONDITION, UNIMPLEMENTED, INTERNAL = 9, 12, 13
# What an exception of predict says about whose fault it is; anything else is the model's: INTERNAL.
CODES = [(ValueError, INVALID_ARGUMENT), (MemoryError, RESOURCE_EXHAUSTED), (NotImplementedError, UNIMPLEMENTED),
         (TimeoutError, DEADLINE_EXCEEDED)]

np = None  # numpy, imported once its absence can be told


class Refusal(Exception):
    """Something wrong that the text explains fully: no traceback is wanted."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class Types:
    """The element types: snug's number, KServe's name, numpy's type. BF16 has none in numpy: its bits, as uint16."""

    def __init__(self):
        rows = [(1, "BOOL", np.bool_), (2, "UINT8", np.uint8), (3, "UINT16", np.uint16), (4, "UINT32", np.uint32),
                (5, "UINT64", np.uint64), (6, "INT8", np.int8), (7, "INT16", np.int16), (8, "INT32", np.int32),
                (9, "INT64", np.int64), (10, "FP16", np.float16), (11, "FP32", np.float32), (12, "FP64", np.float64),
                (13, "BF16", np.uint16), (14, "BYTES", np.object_)]
        self.by_number = {number: (name, np.dtype(kind)) for number, name, kind in rows}
        self.by_name = {name: number for number, name, _ in rows}
        self.by_kind = {np.dtype(kind): number for number, name, kind in rows if name != "BF16"}

    def number(self, what, where):
        if isinstance(what, str) and what.upper() in self.by_name:
            return self.by_name[what.upper()]
        try:
            kind = np.dtype(what)
        except TypeError:
            kind = None
        if kind is not None and kind.kind in "SU":
            return self.by_name["BYTES"]
        if kind in self.by_kind:
            return self.by_kind[kind]
        raise Refusal(INVALID_ARGUMENT, f"{where}: {what!r} is no element type; expected one of "
                      f"{', '.join(self.by_name)} or a numpy type such as numpy.float32")


class Spec:
    def __init__(self, name, number, shape):
        self.name, self.number, self.shape = name, number, shape


def read_specs(declared, types, where):
    """{"x": ("FP32", [-1, 4])} or {"x": {"dtype": "FP32", "shape": [-1, 4]}} as a list of Spec."""
    if not isinstance(declared, dict) or not declared:
        raise Refusal(INVALID_ARGUMENT, f'{where}: expected a map such as {{"x": ("FP32", [-1, 4])}}, got {declared!r}')
    specs = []
    for name, about in declared.items():
        if isinstance(about, dict) and set(about) == {"dtype", "shape"}:
            about = (about["dtype"], about["shape"])
        if not isinstance(about, (tuple, list)) or len(about) != 2:
            raise Refusal(INVALID_ARGUMENT, f'{where}: "{name}" must be (type, shape) as in ("FP32", [-1, 4])')
        dims = [-1 if dim is None else dim for dim in about[1]] if isinstance(about[1], (tuple, list)) else [None]
        if not all(isinstance(dim, int) and dim >= -1 for dim in dims):
            raise Refusal(INVALID_ARGUMENT, f'{where}: the shape of "{name}" must be a list of numbers, -1 for a free one')
        specs.append(Spec(str(name), types.number(about[0], f'{where}: "{name}"'), dims))
    return specs


def find_class(module, wanted):
    if wanted:
        found = getattr(module, wanted, None)
        if not inspect.isclass(found):
            raise Refusal(FAILED_PRECONDITION, f"model.py has no class {wanted}")
        return found
    own = [c for _, c in inspect.getmembers(module, inspect.isclass)
           if c.__module__ == module.__name__ and callable(getattr(c, "predict", None))]
    if len(own) == 1:
        return own[0]
    if callable(getattr(getattr(module, "Model", None), "predict", None)):
        return module.Model
    names = ", ".join(c.__name__ for c in own) or "none"
    raise Refusal(FAILED_PRECONDITION, "model.py must define one class with a method predict(self, inputs); it has "
                  f"{names}. The option `class` chooses between several")


def import_model(directory):
    path = os.path.join(directory, "model.py")
    sys.path[0] = directory  # was this script's: a model may import what lies beside it
    spec = importlib.util.spec_from_file_location("model", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["model"] = module
    spec.loader.exec_module(module)
    return module


class Region:
    """Shared memory, mapped. Arrays over it keep it mapped."""

    def __init__(self, fd):
        self.map = mmap.mmap(fd, os.fstat(fd).st_size)

    def array(self, kind, shape, offset):
        return np.ndarray(shape, kind, self.map, offset)


def make_output_region(needed):
    size = max(REGION_BYTES_MIN, (needed + needed // 4 + mmap.PAGESIZE - 1) // mmap.PAGESIZE * mmap.PAGESIZE)
    fd = os.memfd_create("snug-python-outputs", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, getattr(fcntl, "F_ADD_SEALS", 1033), 0x1 | 0x2 | 0x4)  # seal, shrink, grow
    return fd, Region(fd)


def unpack_strings(data, shape):
    """BYTES: each element is a 4-byte length and its bytes; the server has checked them."""
    out = np.empty(shape, dtype=object)
    flat, at = out.reshape(-1), 0
    for i in range(flat.size):
        (length,) = struct.unpack_from("<I", data, at)
        flat[i] = data[at + 4:at + 4 + length]
        at += 4 + length
    return out


def pack_strings(values, name):
    parts = []
    for value in values.reshape(-1):
        if isinstance(value, str):
            value = value.encode()
        if not isinstance(value, (bytes, bytearray, np.bytes_)):
            raise Refusal(INTERNAL, f'output "{name}": expected bytes or str elements, got {type(value).__name__}')
        parts.append(struct.pack("<I", len(value)) + bytes(value))
    return b"".join(parts)


class Worker:
    def __init__(self, channel):
        self.channel = channel
        self.inputs = self.outputs = self.model = self.types = None
        self.decoupled, self.parts, self.wanted = False, None, None
        self.input_region = self.output_region = None

    def load(self, request, _fds):
        global np
        try:
            import numpy
        except ImportError as e:
            raise Refusal(FAILED_PRECONDITION, f"{sys.executable} has no numpy, which the tensors need: {e}") from e
        np = numpy
        self.types = Types()
        model = find_class(import_model(request["directory"]), request["class"])()
        if hasattr(model, "load"):
            model.load(request["directory"], request["options"])
        self.model = model
        described = model.describe() if hasattr(model, "describe") else {}
        self.inputs = self.specs("inputs", request, described)
        self.outputs = self.specs("outputs", request, described)
        self.decoupled = inspect.isgeneratorfunction(model.predict)
        return {"decoupled": self.decoupled,
                "inputs": [[s.name, s.number, s.shape] for s in self.inputs],
                "outputs": [[s.name, s.number, s.shape] for s in self.outputs],
                "python": "%d.%d.%d" % sys.version_info[:3], "numpy": np.__version__}, []

    def specs(self, key, request, described):
        """model.yaml first, then what describe() says, then the class's attribute."""
        for where, declared in ((f"engine_options.{key}", request[key] or None), ("describe()", described.get(key)),
                                (f"class attribute {key}", getattr(self.model, key, None))):
            if declared is not None:
                return read_specs(declared, self.types, where if where != "describe()" else f"describe() {key}")
        raise Refusal(FAILED_PRECONDITION, f"the model declares no {key}: give the class an attribute "
                      f'{key} = {{"x": ("FP32", [-1, 4])}}, a method describe(), or engine_options.{key} in model.yaml')

    def predict(self, request, fds):
        if fds:
            self.input_region = Region(fds[0])
            os.close(fds[0])
        given = {spec.name: self.view(tensor) for spec, tensor in zip(self.inputs, request["inputs"])}
        self.wanted = request["wanted"]
        answer = self.model.predict(given)
        if not self.decoupled:
            return self.outputs_of(answer, "return")
        self.parts = answer
        return self.next(request, fds)

    def next(self, _request, _fds):
        """The next of several answers; it lies where the last one lay, which the server has taken."""
        answer = next(self.parts, self)
        if answer is self:
            return self.stop(None, None)
        body, fds = self.outputs_of(answer, "yield")
        return {"part": True, **body}, fds

    def stop(self, _request, _fds):
        self.parts.close()
        self.parts = None
        return {"part": False}, []

    def outputs_of(self, answer, how):
        if not isinstance(answer, dict):
            raise Refusal(INTERNAL, f"predict must {how} a dict of outputs, got {type(answer).__name__}"
                          + (" (a predict that contains `yield` itself may answer several times)"
                             if inspect.isgenerator(answer) else ""))
        return self.write([self.output(spec, answer) if wanted else None
                           for spec, wanted in zip(self.outputs, self.wanted)])

    def view(self, tensor):
        number, shape, offset, size = tensor
        name, kind = self.types.by_number[number]
        if name == "BYTES":
            return unpack_strings(self.input_region.map[offset:offset + size], shape)
        return self.input_region.array(kind, shape, offset) if size else np.empty(shape, kind)

    def output(self, spec, answer):
        if spec.name not in answer:
            raise Refusal(INTERNAL, f'predict returned no "{spec.name}"; it returned: {", ".join(map(str, answer)) or "nothing"}')
        name, kind = self.types.by_number[spec.number]
        value = answer[spec.name]
        if not isinstance(value, np.ndarray):
            value = np.asarray(value, dtype=kind)
        fits = len(value.shape) == len(spec.shape) and all(d in (-1, n) for d, n in zip(spec.shape, value.shape))
        if not fits or (value.dtype != kind and not (name == "BYTES" and value.dtype.kind in "SU")):
            raise Refusal(INTERNAL, f'output "{spec.name}": declared {name} {spec.shape}, predict returned '
                          f"{value.dtype} {list(value.shape)}")
        return value.shape, (pack_strings(value, spec.name) if name == "BYTES" else value)

    def write(self, values):
        offset, table, parts = 0, [], []
        for spec, value in zip(self.outputs, values):
            if value is None:
                table.append(None)
                continue
            shape, data = value
            size = len(data) if isinstance(data, bytes) else data.nbytes
            table.append([spec.number, list(shape), offset, size])
            parts.append((offset, size, data))
            offset = (offset + size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        fds = []
        if self.output_region is None or len(self.output_region.map) < offset:
            fd, self.output_region = make_output_region(offset)
            fds = [fd]
        for at, size, data in parts:
            if isinstance(data, bytes):
                self.output_region.map[at:at + size] = data
            elif size:
                self.output_region.array(data.dtype, data.shape, at)[...] = data
        return {"outputs": table, "region": bool(fds)}, fds

    def answer(self, request, fds):
        loading = request["op"] == "load"
        try:
            body, out_fds = getattr(self, request["op"])(request, fds)
            return {"code": OK, **body}, out_fds
        except Refusal as e:
            return {"code": e.code, "text": str(e)[:TEXT_CHARS_MAX]}, []
        except BaseException as e:  # SystemExit too: a model must not end its worker by accident
            # From the model's first line on: how it was called is ours.
            own = [f for f in traceback.walk_tb(e.__traceback__) if f[0].f_code.co_filename != __file__]
            begin = own[0][0] if own else None
            trace = e.__traceback__
            while trace.tb_next is not None and trace.tb_frame is not begin:
                trace = trace.tb_next
            traceback.print_exception(type(e), e, trace)
            code = FAILED_PRECONDITION if loading else next((c for kind, c in CODES if isinstance(e, kind)), INTERNAL)
            last = traceback.format_exception_only(type(e), e)[-1].strip()
            return {"code": code, "text": ("model.py: " if loading else "") + last[:TEXT_CHARS_MAX]}, []

    def run(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.channel, MESSAGE_BYTES_MAX, 1)
            if not data:
                return
            body, out_fds = self.answer(json.loads(data), fds)
            sys.stdout.flush()
            self.send(json.dumps(body, separators=(",", ":")).encode(), out_fds)

    def send(self, data, fds):
        if len(data) > MESSAGE_BYTES_MAX:
            data = json.dumps({"code": INTERNAL, "text": "the model's description is too long"}).encode()
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.channel.sendmsg([data], ancillary)
        for fd in fds:
            os.close(fd)


def main():
    ctypes.CDLL(None).prctl(15, b"snug-python", 0, 0, 0)  # PR_SET_NAME
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server's to handle: it drains first
    channel = socket.socket(fileno=CHANNEL_FD)
    for fd in (1, 2):
        os.dup2(LOG_FD, fd)
    os.close(LOG_FD)
    os.set_inheritable(CHANNEL_FD, False)
    Worker(channel).run()


if __name__ == "__main__":
    main()
