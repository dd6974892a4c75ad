"""`snug up --foreground` and Ctrl-C."""
import signal
import subprocess

import pytest
from snug_platform import PATIENCE_S, wait_until


def start(platform):
    process = subprocess.Popen(platform.command("up", "--foreground", "--port", 0, "--front-door-port", 0),
                               env=platform.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               start_new_session=True)
    lines = []
    while "front door" not in "".join(lines):
        line = process.stdout.readline()
        assert line, f"ended: {lines}{platform.logs()}"
        lines.append(line)
    return process


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_it_leaves_nothing_behind(stopped, ends):
    process = start(stopped)
    assert "running already" in stopped.snug("up").stdout
    assert "running already" in stopped.snug("up", "--foreground", code=1).stderr
    if ends == signal.SIGINT:
        stopped.deploy("add", 1)
        assert stopped.infer("add") == (200, 1)
    process.send_signal(ends)
    assert process.wait(PATIENCE_S) == 0, process.stdout.read()
    assert stopped.processes() == {}


def test_ctrl_c_while_it_starts(stopped):
    process = subprocess.Popen(stopped.command("up", "--foreground", "--port", 0, "--front-door-port", 0),
                               env=stopped.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    wait_until(lambda: stopped.pids("snug-controller") or process.poll() is not None, "a controller starts")
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 0
    assert stopped.processes() == {}


def test_a_port_in_use_is_named(stopped):
    process = start(stopped)
    port = stopped.addresses["api"].rsplit(":", 1)[1]
    done = subprocess.run([stopped.command()[0], "--state", str(stopped.directory / "other"), "up", "--port", port],
                          env=stopped.env, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1 and f"port {port} is in use" in done.stderr and "--port" in done.stderr
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 0
