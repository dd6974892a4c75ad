"""A platform of a test's own: its state directory, its ports, its processes."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid

import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from waiting import wait_for  # noqa: E402

BIN = pathlib.Path(os.environ.get("SNUG_BIN_DIR", ROOT / "build/release/bin"))
MARK = "SNUG_TEST_SESSION"
# Slow, loaded machines: conditions are waited for this long, never for a fixed time.
PATIENCE_S = 120


def wait_until(condition, what):
    return wait_for(condition, what, seconds=PATIENCE_S)


def http(method, url, body=None, headers=None, timeout=60):
    """(status, body) of any answer; OSError when there is none."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def infer_body(x, name="x", datatype="FP32", shape=None):
    return json.dumps({"inputs": [{"name": name, "datatype": datatype, "shape": shape or [1, len(x)], "data": x}]}).encode()


class Platform:
    def __init__(self, directory, bin=BIN):
        self.bin = bin
        self.directory = pathlib.Path(directory)
        self.state = self.directory / "state"
        self.mark = uuid.uuid4().hex
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("SNUG_")}
        self.env.update({MARK: self.mark, "HOME": str(self.directory)})
        if "SNUG_ENVOY" in os.environ:
            self.env["SNUG_ENVOY"] = os.environ["SNUG_ENVOY"]

    # The CLI.
    def command(self, *args):
        return [str(self.bin / "snug"), "--state", str(self.state), *map(str, args)]

    def snug(self, *args, code=0, timeout=240):
        """Runs snug; `code` is the exit status to expect, None for any."""
        done = subprocess.run(self.command(*args), capture_output=True, text=True, env=self.env, timeout=timeout)
        if code is not None:
            assert done.returncode == code, f"snug {args}: {done.returncode}\n{done.stdout}{done.stderr}{self.logs()}"
        return done

    def json(self, *args):
        return json.loads(self.snug(*args, "--json").stdout)

    def up(self, *args):
        return self.snug("up", "--port", 0, "--front-door-port", 0, "--wait", PATIENCE_S, *args)

    def down(self, *args):
        return self.snug("down", *args)

    def deploy(self, name, constant=1, *args, code=0):
        return self.snug("deploy", self.model_dir(constant), "--name", name, "--wait", PATIENCE_S, *args, code=code)

    def model_dir(self, constant):
        """A folder with the ONNX model y = x + constant."""
        folder = self.directory / f"add-{constant}"
        folder.mkdir(exist_ok=True)
        (folder / "model.onnx").write_bytes(wire.onnx_add(constant))
        return folder

    # The API and the front door.
    @property
    def addresses(self):
        return json.loads((self.state / "controller.json").read_text())

    @property
    def door(self):
        return self.addresses["front_door"]

    def api(self, method, path, body=None, headers=None):
        status, answer = http(method, self.addresses["api"] + path, body, headers)
        return status, json.loads(answer)

    def model(self, name):
        return self.json("models", name)

    def infer(self, name, x=(0, 0, 0, 0), version=None, timeout=60):
        """(HTTP status, first element of y or the error's text)"""
        path = f"/v2/models/{name}" + (f"/versions/{version}" if version else "") + "/infer"
        status, answer = http("POST", f"http://{self.door}{path}", infer_body(list(x)), timeout=timeout)
        if status != 200:
            return status, answer.decode(errors="replace")
        return status, json.loads(answer)["outputs"][0]["data"][0]

    def wait_answer(self, name, value, version=None):
        def asked():
            try:
                seen[0] = self.infer(name, version=version)
            except (OSError, KeyError, ValueError) as error:
                seen[0] = (0, repr(error))
            return seen[0] == (200, value)
        seen = [None]
        wait_until(asked, lambda: f"{name} answers {seen[0]}, not {value}")

    def wait_state(self, name, state="READY", copies=None):
        """Through the CLI, which rides over a controller that is being restarted."""
        def reached():
            seen[0] = self.model(name)
            ready = sum(c["state"] == "READY" for c in seen[0]["copies"])
            return seen[0]["state"] == state and (copies is None or ready == len(seen[0]["copies"]) == copies)
        seen = [None]
        wait_until(reached, lambda: f"{name} is {seen[0]}")
        return seen[0]

    # Processes.
    def processes(self):
        """{pid: program} of everything that this platform started, at any depth."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if f"{MARK}={self.mark}".encode() not in (entry / "environ").read_bytes().split(b"\0"):
                    continue
                argv = (entry / "cmdline").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            name = os.path.basename(argv[0].decode(errors="replace"))
            if b"supervise" in argv:
                name = "supervisor"
            if name and state not in "ZX":
                found[int(entry.name)] = name
        return found

    def pids(self, program):
        return sorted(pid for pid, name in self.processes().items() if name == program)

    def kill(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def stop(self):
        """Stops everything; fails when something is left, after ending that, too."""
        done = self.snug("down", code=None)
        left = self.processes()
        deadline = time.monotonic() + 10
        while left and time.monotonic() < deadline:
            time.sleep(0.1)
            left = self.processes()
        for pid in left:
            self.kill(pid)
        assert done.returncode == 0, done.stdout + done.stderr + self.logs()
        assert not left, f"left running after `snug down`: {left}\n{done.stdout}{done.stderr}{self.logs()}"

    def logs(self):
        text = ""
        for path in [*self.state.glob("*.log"), *self.state.glob("servers/*/server.log"), *self.state.glob("envoy/*.log")]:
            tail = path.read_text(errors="replace").splitlines()[-25:]
            text += f"\n--- {path.relative_to(self.state)}\n" + "\n".join(tail)
        return text
