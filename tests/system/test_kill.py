"""Kill -9 of any process at any moment: what was acknowledged is there in the end, and nothing more runs than should.

SNUG_TEST_SEED=N repeats a run's choices."""
import os
import random
import threading
import time

from snug_platform import wait_until

KILLS = int(os.environ.get("SNUG_TEST_KILLS", 12))
VICTIMS = ["snug-server", "snug-engine", "envoy", "snug-controller", "supervisor"]


class Owner(threading.Thread):
    """Deploys and scales until told to stop, and remembers what was acknowledged."""

    def __init__(self, platform, seed):
        super().__init__(daemon=True)
        self.platform, self.random = platform, random.Random(seed)
        self.stopping = threading.Event()
        self.versions = {}   # model -> newest acknowledged version
        self.copies = {}     # model -> acknowledged copies; absent while a change of it is uncertain
        self.tries = 0

    def deploy(self):
        name = f"m{self.random.randrange(4)}"
        version = self.versions.get(name, 0) + 1 + self.tries  # never one that may have been taken by an uncertain try
        self.tries += 1
        done = self.platform.snug("deploy", self.platform.model_dir(version), "--name", name, "--version", version,
                                  "--share", "0.05", "--wait", "0", code=None)
        if done.returncode == 0:
            if name not in self.versions:
                self.copies[name] = 1
            self.versions[name] = version

    def scale(self):
        if not self.versions:
            return
        name = self.random.choice(sorted(self.versions))
        copies = self.random.choice([1, 2])
        self.copies.pop(name, None)
        if self.platform.snug("scale", name, copies, code=None).returncode == 0:
            self.copies[name] = copies

    def run(self):
        while not self.stopping.is_set():
            self.random.choice([self.deploy, self.scale])()
            time.sleep(self.random.uniform(0, 0.5))


def kill_one(platform, rng):
    kind = rng.choice(VICTIMS)
    pids = platform.pids(kind)
    if not pids:
        return f"{kind}: none runs"
    pid = rng.choice(pids)
    platform.kill(pid)
    if kind == "supervisor":
        time.sleep(rng.uniform(0, 1))
        wait_until(lambda: platform.snug("up", "--wait", 60, code=None).returncode in (0, 5), "snug up adopts")
    return f"{kind} {pid}"


def newest(platform, name):
    """The version that an automatic route leads to: an unacknowledged later one may have got in."""
    return max(v["version"] for v in platform.model(name)["versions"])


def test_acknowledged_changes_survive_every_kill(stopped):
    seed = int(os.environ.get("SNUG_TEST_SEED", random.randrange(1 << 30)))
    print(f"SNUG_TEST_SEED={seed}")
    rng = random.Random(seed)
    stopped.up()
    stopped.deploy("apart", 9, "--isolation", "process", "--share", "0.05")
    owner = Owner(stopped, seed + 1)
    owner.start()
    for _ in range(KILLS):
        time.sleep(rng.uniform(0.1, 1.5))
        print(f"{time.monotonic():.1f} killed {kill_one(stopped, rng)}")
    owner.stopping.set()
    owner.join(240)
    assert not owner.is_alive()
    stopped.snug("up", "--wait", 60, code=None)
    print(f"acknowledged: {owner.versions}, copies {owner.copies}")

    for name, version in {**owner.versions, "apart": 1}.items():
        model = stopped.wait_state(name, copies=owner.copies.get(name))
        assert version in [v["version"] for v in model["versions"]], f"{name}@{version} was acknowledged and is lost"
        stopped.wait_answer(name, 9 if name == "apart" else newest(stopped, name))
    wait_until(lambda: processes_match(stopped), lambda: f"{stopped.processes()} {stopped.api('GET', '/api/v1/servers')}")


def processes_match(platform):
    """One of each, and exactly the servers that the controller knows."""
    servers = platform.api("GET", "/api/v1/servers")[1]["servers"]
    known = sorted(s["pid"] for s in servers if s["pid"])
    singles = all(len(platform.pids(name)) == 1 for name in ("supervisor", "snug-controller", "envoy"))
    return singles and platform.pids("snug-server") == known
