"""A snug-server over the models of models.py, for as long as a with statement lasts."""
import contextlib
import os
import pathlib
import sys
import tempfile
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from server_process import ServerProcess  # noqa: E402
from waiting import wait_for  # noqa: E402

import models  # noqa: E402

BIN = pathlib.Path(os.environ.get("SNUG_BIN_DIR", ROOT / "build/release/bin"))


def is_ready(server):
    try:
        with urllib.request.urlopen(f"http://{server.rest}/v2/health/ready", timeout=30):
            return True
    except urllib.error.HTTPError:  # 503
        return False


@contextlib.contextmanager
def simple_server(*options, others=0):
    """Once it is ready. `others`: how many models more there are, which nothing can load."""
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        models.write(directory / "models")
        for i in range(others):
            (directory / f"models/other_{i}/1").mkdir(parents=True)
        server = ServerProcess(BIN / "snug-server", directory, *options)
        try:
            wait_for(lambda: is_ready(server), server.log.read_text)
            yield server
        finally:
            server.stop()
