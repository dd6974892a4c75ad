"""Copies come and go under load without a request noticing."""
from load import Load
from snug_platform import wait_until


def test_scaling_under_load_loses_no_request(platform):
    platform.deploy("add", 1, "--copies", 2)
    with Load(platform.door, "add", 1, threads=3) as load:
        load.wait_more(100)
        platform.snug("scale", "add", 1)
        platform.wait_state("add", copies=1)
        load.wait_more(100)
        platform.snug("scale", "add", 2)
        platform.wait_state("add", copies=2)
        load.wait_more(100)
    assert load.errors == {}, load.texts[:5]


def test_a_new_version_takes_over_without_a_gap(platform):
    platform.deploy("swap", 1)
    with Load(platform.door, "swap", 1, threads=2) as load:
        load.wait_more(50)
        platform.deploy("swap", 2)
        wait_until(lambda: platform.infer("swap") == (200, 2), "the new version answers")
    assert set(load.errors) <= {"wrong answer"}, load.texts[:5]  # 2 instead of 1: the new version's


def test_one_of_two_servers_killed_costs_few_requests(platform):
    platform.deploy("pair", 1, "--copies", 2)
    model = platform.wait_state("pair", copies=2)
    servers = {s["id"]: s["pid"] for s in platform.api("GET", "/api/v1/servers")[1]["servers"]}
    with Load(platform.door, "pair", 1, threads=3) as load:
        load.wait_more(100)
        platform.kill(servers[model["copies"][0]["server"]])
        load.wait_more(300)
        platform.wait_state("pair", copies=2)
        load.wait_more(50)
    assert set(load.errors) <= {"StatusCode.UNAVAILABLE"}, (load.errors, load.texts[:5])
    assert sum(load.errors.values()) <= 30, (load.errors, load.texts[:5])
