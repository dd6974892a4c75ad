"""A page of text through detector, crops and recogniser, deployed as one model: examples/page_ocr on scanned pages."""
import json
import subprocess
import sys

import pytest
from snug_platform import ROOT, http

sys.path.insert(0, str(ROOT / "tests/support"))
from pages import PAGES, accuracy  # noqa: E402

MODELS = ROOT / "build/models-src"
# Of the characters without spaces.
ACCURACY_MIN = {"novel.png": 0.95, "typewriter.png": 0.95, "textbook.png": 0.9}


@pytest.fixture(scope="module")
def page_ocr(platform, tmp_path_factory):
    if not (MODELS / "ocr/pages/novel.png").exists():
        pytest.skip("build/models-src/ocr is missing: make models")
    folder = tmp_path_factory.mktemp("page_ocr") / "page_ocr"
    subprocess.run([ROOT / "examples/page_ocr/assemble.sh", folder, MODELS], check=True)
    platform.snug("deploy", folder, "--name", "page_ocr", "--share", "0.5")
    return platform


def read(platform, page):
    status, answer = http("POST", f"http://{platform.door}/v1/predict/page_ocr", (MODELS / "ocr/pages" / page).read_bytes(),
                          timeout=300)
    assert status == 200, answer
    return json.loads(answer)


@pytest.mark.parametrize("page", PAGES)
def test_reads_a_scanned_page(page_ocr, page):
    answer = read(page_ocr, page)
    reached = accuracy(answer["text"], PAGES[page])
    assert reached >= ACCURACY_MIN[page], f"{reached:.3f} of\n{answer['text']}"
    assert [line["text"] for line in answer["lines"]] == answer["text"].split("\n")
    for line in answer["lines"]:
        assert 0.6 <= line["score"] <= 1
        assert all(0 <= x <= answer["width"] and 0 <= y <= answer["height"] for x, y in line["box"])


def test_is_a_model_like_any_other(page_ocr):
    assert "page_ocr" in page_ocr.snug("models").stdout
    status, metadata = http("GET", f"http://{page_ocr.door}/v2/models/page_ocr")
    assert status == 200
    metadata = json.loads(metadata)
    assert metadata["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, -1, 3]}]
    assert [output["name"] for output in metadata["outputs"]] == ["text", "score", "box"]
    status, error = http("POST", f"http://{page_ocr.door}/v1/predict/page_ocr", b"no image")
    assert status == 400 and b"PNG" in error


def test_a_pipeline_without_its_models_is_not_taken(page_ocr, tmp_path):
    folder = tmp_path / "half"
    subprocess.run([ROOT / "examples/page_ocr/assemble.sh", folder, MODELS], check=True)
    (folder / "1/steps/detector").rename(tmp_path / "detector")
    done = page_ocr.snug("deploy", folder, "--name", "half", code=None)
    assert done.returncode != 0 and 'model "detector" is not in the upload' in done.stderr
