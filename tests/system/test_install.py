"""An installed tree works from where it was put."""
import os
import pathlib
import subprocess

import pytest
from snug_platform import BIN, ROOT, Platform

TINY = ROOT / "build/models-src/tiny"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    directory = tmp_path_factory.mktemp("prefix")
    done = subprocess.run([os.environ.get("SNUG_CMAKE", "cmake"), "--install", str(BIN.parent), "--prefix", str(directory)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


def test_it_holds_programs_plugins_and_contracts(prefix):
    for name in ["bin/snug", "bin/snug-server", "bin/snug-engine", "bin/snug-controller", "lib/snug/openvino.so",
                 "lib/snug/tensorflow.so", "lib/snug/ocr_parser.so", "lib/snug/libsnugroute.so", "lib/snug/envoy",
                 "include/snug/engine.h", "include/snug/parser.h", "share/snug/openapi.yaml"]:
        assert (prefix / name).exists(), name
    assert not (prefix / "lib/snug/test").exists()


def test_a_platform_runs_from_it(prefix, tmp_path):
    platform = Platform(tmp_path, bin=prefix / "bin")
    try:
        platform.up()
        for name, form in [("by-openvino", "onnx"), ("by-tensorflow", "saved_model")]:
            platform.snug("deploy", TINY / form, "--name", name, "--wait", 120)
            status, answer = platform.infer(name, x=[0.5] * 16)
            assert status == 200, answer
        argv0 = {pathlib.Path(f"/proc/{pid}/exe").resolve().parent for pid in platform.pids("snug-server")}
        assert argv0 == {(prefix / "bin").resolve()}
    finally:
        platform.stop()


def test_a_tree_without_its_environment_says_what_to_set(prefix, tmp_path):
    (prefix / "lib/snug/envoy").rename(prefix / "lib/snug/away")
    try:
        platform = Platform(tmp_path, bin=prefix / "bin")
        platform.env["PATH"] = "/usr/bin:/bin"
        done = platform.snug("up", "--port", 0, "--front-door-port", 0, code=None)
        assert done.returncode == 3 and "--envoy PATH" in done.stderr, done.stderr
    finally:
        (prefix / "lib/snug/away").rename(prefix / "lib/snug/envoy")
