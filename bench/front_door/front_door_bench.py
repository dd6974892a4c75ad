#!/usr/bin/env python3
"""The front door's two figures: how soon a change takes effect, and what a request costs beside nginx.

    build/venv/test/bin/python bench/front_door/front_door_bench.py [--changes 20] [--rounds 5] [--json FILE]

Needs a build with front-door-driver, front-door-upstream and snug-load, and `make models`; nginx (Debian) for the
comparison. The requests are KServe v2 gRPC to a real snug-server with the tiny model (16 floats in, 4 out). Envoy and
nginx have one worker each. Rounds alternate between the ways, so that what else the machine does hits all of them alike;
trust the ratios of one run, not its absolute times.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/front_door"), str(ROOT / "bench/server")]
from conftest import BUILD, FrontDoor, Upstream, wait_for  # noqa: E402
from model_server import ModelServer  # noqa: E402

PREDICT = "/snug.v1.Prediction/Predict"
NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  client_max_body_size 64m; keepalive_requests 1000000000;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port} http2; location / {{ grpc_pass grpc://model; }} }}
}}
"""


def predict_message(model, payload=b""):
    def field(number, content):
        length, out = len(content), b""
        while length >= 0x80:
            out, length = out + bytes([length & 0x7F | 0x80]), length >> 7
        return bytes([number << 3 | 2]) + out + bytes([length]) + content

    return field(1, model.encode()) + (field(4, payload) if payload else b"")


class Asker:
    """One caller; answers the name of the copy, or the code of the error."""

    def __init__(self, door):
        self.stub = grpc.insecure_channel(door.url).unary_unary(
            PREDICT, request_serializer=lambda b: b, response_deserializer=lambda b: b)

    def ask(self, model):
        try:
            return self.stub(predict_message(model), timeout=5)[2:].decode()
        except grpc.RpcError as error:
            return error.code().name


def effect_ms(door, asker, models, model, expected):
    """From the call of Publish to the first answer that shows the change."""
    begin = time.perf_counter()
    door.driver.publish(models, wait=False)
    while asker.ask(model) != expected:
        if time.perf_counter() - begin > 10:
            raise RuntimeError(f"no effect of {models} within 10 s")
    return (time.perf_counter() - begin) * 1e3


def bench_changes(door, a, b, changes):
    asker, rest = Asker(door), {f"other{i}": [a.endpoint()] for i in range(20)}
    kinds = {"another copy": [], "weights reversed": [], "new model": [], "model removed": []}
    most = 1 << 20
    for i in range(changes):
        one, two = (a, b) if i % 2 else (b, a)
        door.publish({**rest, "m": [one.endpoint()]})
        wait_for(lambda: asker.ask("m") == one.name, "the copy before")
        kinds["another copy"].append(effect_ms(door, asker, {**rest, "m": [two.endpoint()]}, "m", two.name))
        door.publish({**rest, "m": [a.endpoint(most), b.endpoint(1)]})
        for _ in range(20):
            asker.ask("m")
        kinds["weights reversed"].append(
            effect_ms(door, asker, {**rest, "m": [a.endpoint(1), b.endpoint(most)]}, "m", "b"))
        kinds["new model"].append(effect_ms(door, asker, {**rest, "n": [a.endpoint()]}, "n", "a"))
        kinds["model removed"].append(effect_ms(door, asker, rest, "n", "NOT_FOUND"))
    return {k: {"median_ms": statistics.median(v), "max_ms": max(v), "changes": len(v)} for k, v in kinds.items()}


def load(target, concurrency, seconds, pids):
    argv = [BUILD / "bench/snug-load", "infer", "--json", "--target", target, "--model", "tiny", "--input",
            "x:FP32:1,16", "-c", concurrency, "--seconds", seconds, "--warmup-seconds", 0.5]
    for pid in pids:
        argv += ["--pid", pid]
    out = subprocess.run([str(x) for x in argv], stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(out.stdout)


def start_nginx(directory, server):
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not program:
        return None, 0
    port = 20000 + os.getpid() % 20000
    conf = directory / "nginx.conf"
    conf.write_text(NGINX.format(dir=directory, port=port, upstream=server.grpc_port))
    master = subprocess.Popen([program, "-c", str(conf), "-e", str(directory / "nginx.log")])
    children = pathlib.Path(f"/proc/{master.pid}/task/{master.pid}/children")
    worker = wait_for(lambda: children.read_text().split(), "nginx's worker")[0]
    return master, (f"127.0.0.1:{port}", int(worker))


def summary(results, direct_p50_us, server_pid, proxy_pid):
    def median(of):
        return statistics.median(of(r) for r in results)

    def cpu_us(pid):
        return median(lambda r: r["processes"][str(pid)]["cpu_us_per_request"])

    p50 = median(lambda r: r["p50_us"])
    return {"p50_us": p50, "added_p50_us": p50 - direct_p50_us, "p99_us": median(lambda r: r["p99_us"]),
            "requests_per_s": median(lambda r: r["requests_per_s"]), "server_cpu_us": cpu_us(server_pid),
            "proxy_cpu_us": cpu_us(proxy_pid) if proxy_pid else 0.0, "errors": sum(r["errors"] for r in results)}


def bench_overhead(ways, server, rounds, seconds):
    """`ways`: name -> (address, the proxy's pid or None); the one named "direct" is what the others add to."""
    cases = {}
    for concurrency in (1, 32):
        runs = {name: [] for name in ways}
        for _ in range(rounds):
            for name, (target, proxy) in ways.items():
                runs[name].append(load(target, concurrency, seconds, [server.pid] + ([proxy] if proxy else [])))
        direct = statistics.median(r["p50_us"] for r in runs["direct"])
        for name, results in runs.items():
            cases[f"{name}, c={concurrency}"] = summary(results, direct, server.pid, ways[name][1])
    return cases


def print_overhead(overhead):
    print(f"\n{'tiny model, ModelInfer':<24}{'p50 us':>9}{'added':>8}{'p99 us':>9}{'req/s':>9}"
          f"{'proxy CPU us':>14}{'server CPU us':>15}{'errors':>8}")
    for name, r in overhead.items():
        print(f"{name:<24}{r['p50_us']:>9.0f}{r['added_p50_us']:>8.0f}{r['p99_us']:>9.0f}{r['requests_per_s']:>9.0f}"
              f"{r['proxy_cpu_us']:>14.1f}{r['server_cpu_us']:>15.1f}{r['errors']:>8}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="snug-front-door-"))
    a, b, door, nginx = Upstream("a"), Upstream("b"), FrontDoor(directory), None
    server = None
    try:
        door.publish({"m": [a.endpoint()]})
        changes = bench_changes(door, a, b, arguments.changes)
        print(f"{'change':<20}{'median ms':>10}{'max ms':>10}   ({arguments.changes} each, over 20 other models)")
        for kind, r in changes.items():
            print(f"{kind:<20}{r['median_ms']:>10.1f}{r['max_ms']:>10.1f}")
        tiny = ROOT / "build/models-src/tiny/ir"
        server = ModelServer({"tiny": (list(tiny.iterdir()), "engine: openvino\nthreads: 1\n")})
        door.publish({"tiny": [server.endpoint()]})
        ways = {"direct": (server.grpc, None), "front door": (door.url, door.envoy.pid)}
        nginx, nginx_way = start_nginx(directory, server)
        if nginx:
            ways["nginx grpc_pass"] = nginx_way
        overhead = bench_overhead(ways, server, arguments.rounds, arguments.seconds)
        print_overhead(overhead)
        if arguments.json:
            pathlib.Path(arguments.json).write_text(json.dumps({"changes": changes, "overhead": overhead}, indent=1))
    finally:
        if nginx:
            nginx.terminate()
            nginx.wait()
        if server:
            server.close()
        door.close()
        a.kill()
        b.kill()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
