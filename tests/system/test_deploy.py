"""Deployments that cannot work are refused, or shown as failed, with the reason; others are not disturbed."""
import io
import tarfile

import wire


def tar_of(*entries):
    """(name, bytes or a link's target)…"""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            if isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def upload(platform, body, name="bad"):
    status, answer = platform.api("POST", f"/api/v1/models/{name}/versions", body, {"Content-Type": "application/x-tar"})
    return status, answer.get("error", {}).get("message", answer)


def test_what_is_no_model_is_refused_before_it_is_sent(platform, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    done = platform.snug("deploy", tmp_path, "--name", "bad", code=1)
    assert "saved_model.pb" in done.stderr and "--engine" in done.stderr
    assert platform.snug("deploy", tmp_path / "nowhere", "--name", "bad", code=3).stderr
    assert platform.snug("deploy", tmp_path, "--name", "../bad", code=2).stderr
    assert platform.json("models")["models"] == []


def test_bad_uploads_are_refused(platform):
    for body in (b"not a tar at all", b"", tar_of(("../escape", b"x")), tar_of(("/etc/escape", b"x")),
                 tar_of(("model.onnx", "/etc/passwd")), tar_of(("model.onnx", wire.onnx_add(1)))[:700]):
        status, text = upload(platform, body)
        assert status == 400, (body[:40], text)
        assert text
    status, text = upload(platform, tar_of(("model.onnx", wire.onnx_add(1))), name="-bad")
    assert status == 400 and "1-128 letters" in text
    assert platform.json("models")["models"] == []


def test_a_file_that_only_looks_like_a_model_fails_with_the_engines_reason(platform, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"this is no protobuf" * 50)
    done = platform.snug("deploy", tmp_path, "--name", "broken", "--wait", 90, code=1)
    assert "cannot be loaded" in done.stderr and "snug logs broken" in done.stderr
    platform.deploy("good", 3)
    assert platform.infer("good") == (200, 3)
    assert "FAILED" in platform.snug("models").stdout
    platform.snug("undeploy", "broken")


def test_a_version_is_never_overwritten(platform):
    platform.deploy("twice", 1, "--version", 5)
    done = platform.deploy("twice", 2, "--version", 5, code=1)
    assert "has a version 5 already" in done.stderr
    assert platform.infer("twice") == (200, 1)
    assert "version 6" in platform.deploy("twice", 2).stdout


def test_a_layout_with_versions_and_a_single_file(platform, tmp_path):
    for version in (1, 4):
        (tmp_path / f"lay/{version}").mkdir(parents=True)
        (tmp_path / f"lay/{version}/model.onnx").write_bytes(wire.onnx_add(version))
    assert "version 4" in platform.snug("deploy", tmp_path / "lay").stdout
    assert platform.infer("lay") == (200, 4)
    platform.snug("deploy", tmp_path / "lay/1/model.onnx", "--name", "single")
    assert platform.infer("single") == (200, 1)


def test_too_little_time_is_told_apart(platform):
    done = platform.snug("deploy", platform.model_dir(1), "--name", "slow", "--wait", 0.001, code=None)
    assert done.returncode in (0, 5)
    platform.wait_answer("slow", 1)


def test_unknown_engine_and_parser(platform):
    for flag in ("--engine", "--parser"):
        done = platform.snug("deploy", platform.model_dir(1), "--name", "odd", flag, "nonesuch", "--wait", 90, code=1)
        assert "nonesuch" in done.stderr
        platform.snug("undeploy", "odd", code=None)


def test_what_is_asked_of_placement_holds(platform):
    def groups(name):
        return set(platform.model(name)["groups"])

    platform.deploy("first", 1)
    platform.deploy("apart", 2, "--keep-apart", "first")
    assert groups("apart").isdisjoint(groups("first"))
    [group] = groups("first")
    platform.deploy("pinned", 3, "--pin", group, "--sharing", "guaranteed")
    assert groups("pinned") == {group}
    assert platform.infer("pinned") == (200, 3)
    assert "kept apart from first" in platform.snug("models", "apart").stdout
    assert f"pinned to {group}" in platform.snug("models", "pinned").stdout
    assert "there is no group g999; there are: g" in platform.deploy("lost", 4, "--pin", "g999", code=1).stderr
    assert platform.deploy("lost", 4, "--sharing", "both", code=2).stderr
    assert all(model["name"] != "lost" for model in platform.json("models")["models"])
