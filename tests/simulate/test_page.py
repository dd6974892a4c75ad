"""The pages that `snug simulate --html` writes, laid out by a real Chromium that may reach nothing."""
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import zlib

import pytest

PROGRAM = pathlib.Path(os.environ["SNUG_BIN_DIR"]) / "snug-simulate"
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (tools/setup/packages.sh test)")

NODES = "sn,cpu_milli,memory_mib,gpu,model\n" + "".join(
    f"n{i},{96000 if i % 2 else 16000},393216,{8 if i % 2 else 2},{'G2' if i % 2 else 'T4'}\n" for i in range(40))
PODS = "cpu_milli,memory_mib,num_gpu,gpu_milli\n" + "".join(
    f"{8000 + 1000 * (i % 5)},16384,1,{100 + 90 * (i % 11)}\n" for i in range(120))

# What the page's boxes come to once laid out. It runs in the test's own copy, never in the page.
MEASURE = """<script>addEventListener('load', () => {
  const svgs = [...document.querySelectorAll('svg')];
  const small = svgs.filter(s => s.getBoundingClientRect().width < 300 || s.getBoundingClientRect().height < 30);
  const outside = svgs.flatMap(s => [...s.querySelectorAll('text')]).filter(t => {
    const box = t.getBoundingClientRect(), frame = t.closest('svg').getBoundingClientRect();
    return box.left < frame.left - 2 || box.right > frame.right + 2 || box.bottom > frame.bottom + 2;
  });
  document.body.dataset.measured = JSON.stringify({
    title: document.querySelector('h1').textContent, svgs: svgs.length, small: small.length,
    outside: outside.map(t => t.textContent), wide: document.documentElement.scrollWidth > innerWidth,
    paths: [...document.querySelectorAll('path')].filter(p => p.getTotalLength() > 0).length});
});</script>"""


def chromium(page, *args, width=1100):
    return subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},1400",
         f"--user-data-dir={page.parent / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND", *args, page.as_uri()],
        check=True, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "nodes.csv").write_text(NODES)
    (folder / "pods.csv").write_text(PODS)
    subprocess.run([PROGRAM, "synth", "--models", "30", "--days", "3", "--out", folder / "series.csv"], check=True)
    return folder


COMMANDS = {
    "alloc": (["alloc", "--nodes", "nodes.csv", "--pods", "pods.csv", "--policy", "random,snug", "--fail-nodes", "2"],
              "Pods on nodes", 4),
    "cards": (["cards", "--pods", "pods.csv", "--policy", "one-per-card,snug"], "Fractions on cards", 3),
    "load": (["load", "--series", "series.csv", "--policy", "one-per-card,fifty-percent,snug", "--train-days", "1"],
             "Models over time", 13),
    "queue": (["queue", "--series", "series.csv", "--policy", "one-per-card,snug", "--train-days", "1"],
              "Minutes, request by request", 2),
    "synth": (["synth", "--models", "20", "--days", "2", "--out", "more.csv"], "A series of models' rates", 2),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_browser_lays_it_out(inputs, tmp_path, name):
    args, title, pictures = COMMANDS[name]
    page = tmp_path / "page.html"
    subprocess.run([PROGRAM, *args, "--html", page], check=True, cwd=inputs, stdout=subprocess.DEVNULL)
    text = page.read_text()
    assert not re.search(r"<script|https?:|@import|url\(", text), "the page is to stand alone"

    measured_page = tmp_path / "measured.html"
    measured_page.write_text(text.replace("</body>", MEASURE + "</body>"))
    for width in (1100, 500):
        dom = chromium(measured_page, "--dump-dom", width=width).stdout
        measured = json.loads(re.search(r'data-measured="([^"]*)"', dom)[1].replace("&quot;", '"'))
        assert measured["title"] == title
        assert measured["svgs"] == pictures
        assert measured["small"] == 0 and not measured["outside"] and not measured["wide"], measured
        assert measured["paths"] > pictures


def colours(png):
    """How many different bytes there are in a PNG's rows: a blank page has a handful."""
    data, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        if kind == b"IDAT":
            data += png[at + 8:at + 8 + length]
        at += 12 + length
    return len(set(zlib.decompress(data)))


@pytest.mark.parametrize("scheme", ["0", "1"])
def test_it_is_seen_on_dark_and_on_light_ground(inputs, tmp_path, scheme):
    page = tmp_path / "page.html"
    args = COMMANDS["load"][0]
    subprocess.run([PROGRAM, *args, "--html", page], check=True, cwd=inputs, stdout=subprocess.DEVNULL)
    chromium(page, f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={tmp_path / 'page.png'}")
    assert colours((tmp_path / "page.png").read_bytes()) > 50
