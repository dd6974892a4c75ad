"""The main job on real input: one OCR recogniser, deployed four ways, asked through the front door, measured.

The table is that of 58.com's talk (a TensorFlow model without and with MKL) with two more rows. Called by demo.sh, which
has built everything; standard library only.
"""
import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import measure  # noqa: E402

OCR = ROOT / "build/models-src/ocr"
ROUNDS = 2
# Beside one at a time: while one executes, others are being received, read or answered, and the engine never idles.
FULL_CLIENTS = 3
WARM_UP = 6  # requests before each timed pass
CPU_FLAGS_OF_BF16 = {"avx512_bf16", "amx_bf16"}

ROWS = [
    {"name": "ocr-tf", "title": "TensorFlow, oneDNN off", "engine": "tensorflow", "onednn": False, "precision": "f32",
     "files": "saved_model", "flags": ["--engine", "tensorflow", "--onednn", "off"]},
    {"name": "ocr-tf-onednn", "title": "TensorFlow, oneDNN on", "engine": "tensorflow", "onednn": True,
     "precision": "f32", "files": "saved_model", "flags": ["--engine", "tensorflow", "--onednn", "on"]},
    {"name": "ocr-ov", "title": "OpenVINO FP32", "engine": "openvino", "onednn": False, "precision": "f32",
     "files": "ir", "flags": ["--engine", "openvino", "--precision", "f32"]},
    {"name": "ocr-ov-bf16", "title": "OpenVINO BF16", "engine": "openvino", "onednn": False, "precision": "bf16",
     "files": "ir", "flags": ["--engine", "openvino", "--precision", "bf16"]},
]


class Platform:
    """The running platform, through its CLI and its REST API."""

    def __init__(self, snug, state):
        self.snug, self.state = snug, state
        self.load = snug.resolve().parent.parent / "bench/snug-load"  # of the same build

    def run(self, *args, check=True):
        command = [str(self.snug), *args]
        env = dict(os.environ, SNUG_STATE=str(self.state))
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        if check and done.returncode != 0:
            sys.exit(f"demo: `snug {' '.join(args)}` failed:\n{done.stderr or done.stdout}")
        return done

    def up(self, port, front_door_port):
        print("[demo] starting the platform")
        self.run("up", "--port", str(port), "--front-door-port", str(front_door_port))
        controller = json.loads((self.state / "controller.json").read_text())
        self.api = controller["api"]
        self.front_door = self.get("/api/v1/status")["front_door"]

    def get(self, path):
        try:
            with urllib.request.urlopen(self.api + path, timeout=180) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def pids_of(self, model):
        """Processes that work for a request to this model: its servers with their engine processes, and Envoy."""
        servers = {s["id"]: s["pid"] for s in self.get("/api/v1/servers")["servers"]}
        homes = {c["server"] for c in self.get(f"/api/v1/models/{model}")["copies"]}
        door = [p["pid"] for p in self.get("/api/v1/status")["processes"] if p["name"] == "front-door"]
        return [pid for home in homes for pid in measure.process_tree(servers[home])] + door


def digest_of(row):
    """Changes when the model's files or how it is deployed do."""
    digest = hashlib.sha256(" ".join(row["flags"]).encode())
    for file in sorted((OCR / row["files"]).rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


def deploy_all(platform):
    """What an earlier demo deployed stays, unless it is made differently now."""
    record = platform.state / "demo-deployed.json"
    before = json.loads(record.read_text()) if record.exists() else {}
    now = {row["name"]: digest_of(row) for row in ROWS}
    for row in ROWS:
        deployed = platform.get(f"/api/v1/models/{row['name']}") is not None
        if deployed and before.get(row["name"]) != now[row["name"]]:
            print(f"[demo] {row['name']} has changed: taking away the old one")
            platform.run("undeploy", row["name"])
            deployed = False
        if not deployed:
            print(f"[demo] deploying {row['name']}: {row['title']}")
            platform.run("deploy", str(OCR / row["files"]), "--name", row["name"], "--parser", "ocr", "--threads", "1",
                         "--instances", "1", "--wait", "0", *row["flags"], check=True)
    record.write_text(json.dumps(now))
    for row in ROWS:
        begin = time.monotonic()
        model = platform.get(f"/api/v1/models/{row['name']}?wait_ready_ms=180000")
        if model["state"] != "READY":
            sys.exit(f"demo: {row['name']} is {model['state']}: {model['reason']}")
        row["description"] = next(c["description"] for c in model["copies"] if c["state"] == "READY")
        print(f"[demo] {row['name']} is ready ({time.monotonic() - begin:.1f} s more): {row['description']}")


def load_lines():
    manifest = json.loads((OCR / "lines/manifest.json").read_text())
    lines = manifest["lines"] if isinstance(manifest, dict) else manifest
    for line in lines:
        line["file"] = OCR / "lines" / line["name"]
    return lines


def run(row, platform, lines, clients):
    """One pass over the lines; adds what it took to the row's totals for that many clients.

    The client is snug-load, because it is light: one in Python, on the same cores and in the same caches, makes each
    request dearer for the platform. A few requests go before, uncounted: another engine's turn has just emptied the
    caches.
    """
    with tempfile.TemporaryDirectory() as folder:
        record = pathlib.Path(folder) / "record.json"
        command = [platform.load, "rest", "--json", "--target", platform.front_door, "--model", row["name"],
                   "--content-type", "image/png", "-c", clients, "--requests", len(lines), "--warmup-requests", WARM_UP,
                   "--record", record, "--payload", *(line["file"] for line in lines)]
        for pid in row["pids"]:
            command += ["--pid", pid]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"demo: requests to {row['name']} failed: {done.stdout}{done.stderr}")
        report, record = json.loads(done.stdout), json.loads(record.read_text())
    total = row["totals"].setdefault(clients, {"cpu": 0.0, "wall": 0.0, "latencies": []})
    total["cpu"] += sum(process["cpu_seconds"] for process in report["processes"].values())
    total["wall"] += report["seconds"]
    total["latencies"] += [us * 1e-6 for us in record["latencies_us"]]
    row["texts"] = [json.loads(answer)["text"] for answer in record["answers"]]


def measure_all(platform, lines):
    """Rounds over the rows in turn, A B C D A B C D, so that a busy moment of the machine hits all of them."""
    for row in ROWS:
        row.update(totals={}, pids=platform.pids_of(row["name"]))
    for turn in range(ROUNDS):
        print(f"[demo] measuring: round {turn + 1} of {ROUNDS}, {len(lines)} images to each of the four: one at a "
              f"time, then from {FULL_CLIENTS} clients", flush=True)
        for row in ROWS:
            for clients in (1, FULL_CLIENTS):
                run(row, platform, lines, clients)


def summarise():
    base = None
    for row in ROWS:
        alone, full = row["totals"][1], row["totals"][FULL_CLIENTS]
        n = len(full["latencies"])
        row["p50_ms"] = measure.percentile(alone["latencies"], 50) * 1e3
        row["p99_ms"] = measure.percentile(alone["latencies"], 99) * 1e3
        row["requests_per_s"] = n / full["wall"]
        row["cores"] = full["cpu"] / full["wall"]
        row["cpu_ms_per_request"] = full["cpu"] / n * 1e3
        row["cpu_ms_per_request_alone"] = alone["cpu"] / len(alone["latencies"]) * 1e3
        base = base or row
        row["cpu_ratio"] = row["cpu_ms_per_request"] / base["cpu_ms_per_request"]
        row["agree"] = sum(a == b for a, b in zip(row["texts"], base["texts"]))


def print_texts(lines):
    print("\nWhat was read (image: text by OpenVINO FP32, score is in the answer):")
    for line, text in list(zip(lines, ROWS[2]["texts"]))[:10]:
        print(f"  {line['name']:<28} {text}")
    print(f"  … {max(0, len(lines) - 10)} more in build/demo/results.json")


def print_table(lines):
    print(f"\n{'':<24}{'p50 ms':>9}{'p99 ms':>9}{'req/s':>8}{'cores':>7}{'CPU ms/req':>12}{'ratio':>7}  same texts")
    for row in ROWS:
        print(f"{row['title']:<24}{row['p50_ms']:>9.1f}{row['p99_ms']:>9.1f}{row['requests_per_s']:>8.1f}"
              f"{row['cores']:>7.2f}{row['cpu_ms_per_request']:>12.1f}{row['cpu_ratio']:>7.2f}"
              f"  {row['agree']}/{len(lines)}")
    print(f"  p50 and p99: one request at a time; the rest: {FULL_CLIENTS} clients, which keep the engine's thread busy")
    print("  CPU of Envoy, snug-server and its engine process together; one request at a time costs "
          + ", ".join(f"{row['cpu_ms_per_request_alone']:.1f}" for row in ROWS) + " ms")
    print("  58.com, 2020, Xeon E5-2630 v4: 150.0 ms, 6.6 req/s, 1.19 cores -> MKL: 60.6 ms, 16.4 req/s, 3.30 cores")
    print("  The SavedModel's depthwise convolutions are native ones: the converter writes them as grouped")
    print("  convolutions, which TensorFlow without oneDNN runs several times slower; the plain row is a fair one.")
    name, flags, cpus = measure.cpu_name()
    print(f"  this machine: {name}, {cpus} CPUs, {' '.join(flags) or 'no AVX2'}")
    if not CPU_FLAGS_OF_BF16 & set(flags):
        print("  This CPU has no BF16 arithmetic: the BF16 row ran in f32, so expect the figures of the row above it.")
    else:
        print("  In the BF16 row the first layers and the channels' gates stay in f32: in BF16 they change texts.")


def write_results(path):
    keys = ["name", "engine", "onednn", "precision", "p50_ms", "p99_ms", "requests_per_s", "cores",
            "cpu_ms_per_request", "cpu_ms_per_request_alone", "cpu_ratio", "description", "texts"]
    name, flags, cpus = measure.cpu_name()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": {"cpu": name, "flags": flags, "cpus": cpus},
                                "rows": [{k: row[k] for k in keys} for row in ROWS]}, indent=1, ensure_ascii=False))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--snug", type=pathlib.Path, default=ROOT / "build/bin/snug")
    arguments.add_argument("--state", type=pathlib.Path, default=ROOT / "build/demo/state")
    arguments.add_argument("--results", type=pathlib.Path, default=ROOT / "build/demo/results.json")
    arguments.add_argument("--port", type=int, default=8080)
    arguments.add_argument("--front-door-port", type=int, default=8090)
    options = arguments.parse_args()

    begin = time.monotonic()
    platform = Platform(options.snug, options.state)
    platform.up(options.port, options.front_door_port)
    deploy_all(platform)
    print(f"[demo] all four are ready after {time.monotonic() - begin:.1f} s")
    lines = load_lines()
    measure_all(platform, lines)
    summarise()
    print_texts(lines)
    print_table(lines)
    write_results(options.results)
    print("\nAlso written to build/demo/results.json")
    disagree = [row["title"] for row in ROWS if row["agree"] != len(lines)]
    if disagree:
        sys.exit(f"demo: not the same texts: {', '.join(disagree)}")
    example = os.path.relpath(OCR / "lines" / lines[0]["name"], ROOT)
    print(f"\n  API         {platform.api}\n  front door  http://{platform.front_door}   (gRPC and REST)\n")
    print(f"  curl --data-binary @{example} http://{platform.front_door}/v1/predict/ocr-ov")
    print(f"  SNUG_STATE={os.path.relpath(options.state, ROOT)} build/bin/snug predict ocr-ov --file {example}")


if __name__ == "__main__":
    main()
