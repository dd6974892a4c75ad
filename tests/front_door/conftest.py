"""The processes of a front door: Envoy, the driver in the controller's place, and stand-ins for model servers."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from waiting import wait_for  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SNUG_BUILD", ROOT / "build/release"))


def envoy_path():
    if "SNUG_ENVOY" in os.environ:
        return os.environ["SNUG_ENVOY"]
    return str(next((ROOT / "build/venv/runtime/lib").glob("python3*/site-packages/envoy/_bin/envoy")))


def get(url):
    """Status and body of a GET, None while nothing listens."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return None


class Program:
    def __init__(self, argv, **options):
        self.process = subprocess.Popen(
            [str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)
        self.hello = json.loads(self.process.stdout.readline())

    def kill(self):
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Upstream(Program):
    def __init__(self, name, grpc_port=0):
        super().__init__([BUILD / "tests/front-door-upstream", name, grpc_port])
        self.name = name
        self.grpc_port, self.rest_port = self.hello["grpc_port"], self.hello["rest_port"]

    def endpoint(self, weight=1):
        return ["127.0.0.1", self.grpc_port, self.rest_port, weight]

    def mode(self, **settings):
        query = "&".join(f"{k}={v}" for k, v in settings.items())
        assert get(f"http://127.0.0.1:{self.rest_port}/mode?{query}")[0] == 200

    def count(self, protocol="grpc"):
        return json.loads(get(f"http://127.0.0.1:{self.rest_port}/counts")[1])[protocol]


class Driver(Program):
    def __init__(self, directory, options=()):
        super().__init__([BUILD / "tests/front-door-driver", "--envoy", envoy_path(), "--plugins",
                          BUILD / "lib/snug", "--dir", directory, *options])
        self.ads_port = self.hello["ads_port"]

    def ask(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def publish(self, models, wait=True):
        answer = self.ask(publish=models)
        assert answer == {"ok": True}, answer
        if wait:
            assert self.ask(wait_ms=10000)["applied"], self.ask(stats=1)


class FrontDoor:
    """Envoy with its driver. `port` is known once something has been published."""

    def __init__(self, directory, options=()):
        self.directory = directory
        self.driver = Driver(directory, options)
        self.log = open(directory / "envoy.log", "wb")
        self.envoy = subprocess.Popen(self.driver.hello["argv"], stdout=self.log, stderr=self.log,
                                      env={**os.environ, **self.driver.hello["environment"]})
        self._port = None

    @property
    def admin(self):
        text = wait_for(lambda: (self.directory / "admin").exists() and (self.directory / "admin").read_text(),
                        "admin address")
        return f"http://{text}"

    @property
    def port(self):
        def listener():
            answer = get(self.admin + "/listeners")
            found = re.search(rb"front_door::127\.0\.0\.1:(\d+)", answer[1]) if answer else None
            return found and int(found[1])

        self._port = self._port or wait_for(listener, "listener")
        return self._port

    @property
    def url(self):
        return f"127.0.0.1:{self.port}"

    def is_ready(self):
        answer = get(self.admin + "/ready")
        return answer is not None and answer[0] == 200

    def publish(self, models):
        self.driver.publish(models)
        wait_for(self.is_ready, "front door ready")

    def stat(self, name):
        answer = get(f"{self.admin}/stats?filter=^{re.escape(name)}$")
        found = re.search(rb": (\d+)", answer[1]) if answer else None
        return int(found[1]) if found else 0

    def restart_driver(self):
        self.driver = Driver(self.directory, ["--ads-port", self.driver.ads_port])

    def close(self):
        self.driver.kill()
        self.envoy.terminate()
        self.envoy.wait()
        self.log.close()


@pytest.fixture
def upstream():
    started = []

    def start(name, grpc_port=0):
        started.append(Upstream(name, grpc_port))
        return started[-1]

    yield start
    for program in started:
        program.kill()


@pytest.fixture
def door(tmp_path):
    front_door = FrontDoor(tmp_path, ["--access-log", tmp_path / "access.log"])
    yield front_door
    front_door.close()
