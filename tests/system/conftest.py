import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from snug_platform import BIN, Platform  # noqa: E402


def pytest_collection_modifyitems(items):
    if not (BIN / "snug").exists():
        pytest.exit(f"{BIN}/snug is missing: build first (make build), or set SNUG_BIN_DIR", returncode=1)


@pytest.fixture
def stopped(tmp_path):
    """A platform that is not up; whatever the test starts is stopped, and nothing may be left."""
    platform = Platform(tmp_path)
    yield platform
    platform.stop()


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A platform that is up, shared by the tests of a file."""
    platform = Platform(tmp_path_factory.mktemp("snug"))
    try:
        platform.up()
        yield platform
    finally:
        platform.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the ends of the platform's logs."""
    outcome = yield
    report = outcome.get_result()
    platform = item.funcargs.get("platform") or item.funcargs.get("stopped") if hasattr(item, "funcargs") else None
    if report.failed and platform is not None:
        report.sections.append(("platform logs", platform.logs()))
