"""Works on a replica until it is killed, and takes in what another one has: URL PEER KEY SEED."""

import asyncio
import random
import sys

from tests.secrets._vaults import OneKey
from tests.sync._fleet import Device, act, exchange


async def main(url: str, peer_url: str, key: str, seed: str) -> None:
    rng, keys = random.Random(seed), OneKey(key=bytes.fromhex(key))
    device, peer = Device(url, keys), Device(peer_url, keys)
    for each in (device, peer):
        await each.open()
    print("ready", flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.readline)
    while True:
        work = [act(rng, device.store) for _ in range(3)]
        await asyncio.gather(exchange(rng, peer, device), *work)
        print("done", flush=True)  # noqa: T201


asyncio.run(main(*sys.argv[1:]))
