#!/usr/bin/env python3
"""KServe's own clients of its protocol, over REST and gRPC.

Run by tests/peers/run.sh with the Python of build/venv/peer-kserve.
"""
import asyncio
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

from simple_server import simple_server

A = np.arange(16, dtype=np.int32).reshape(1, 16)
B = np.ones((1, 16), dtype=np.int32)


def request(binary):
    inputs = []
    for name, values in (("INPUT0", A), ("INPUT1", B)):
        inputs.append(InferInput(name=name, shape=list(values.shape), datatype="INT32"))
        inputs[-1].set_data_from_numpy(values, binary_data=binary)
    return InferRequest(model_name="simple", infer_inputs=inputs)


def check(response):
    outputs = {output.name: output.as_numpy() for output in response.outputs}
    np.testing.assert_array_equal(outputs["OUTPUT0"].reshape(1, 16), A + B)
    np.testing.assert_array_equal(outputs["OUTPUT1"].reshape(1, 16), A - B)


async def rest(server):
    client = InferenceRESTClient(config=RESTConfig(protocol="v2"))
    url = f"http://{server.rest}"
    assert await client.is_server_live(url) and await client.is_server_ready(url)
    assert await client.is_model_ready(url, "simple")
    for binary in (False, True):
        check(await client.infer(url, request(binary), model_name="simple"))


async def grpc(server):
    client = InferenceGRPCClient(url=server.grpc, timeout=30)
    assert await client.is_server_live() and await client.is_server_ready()
    assert await client.is_model_ready("simple")
    check(await client.infer(request(True)))
    await client.close()


async def main():
    failed = 0
    with simple_server() as server:
        for protocol in (rest, grpc):
            error = None
            try:
                await protocol(server)
            except Exception as caught:  # whatever the client says, the others are to be tried too
                error = caught
                failed += 1
            print(f"{'FAIL' if error else 'pass':5} kserve's client, {protocol.__name__} {repr(error)[:200] if error else ''}",
                  flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
