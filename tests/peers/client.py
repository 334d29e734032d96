"""Python's client talks to our echo server: client.py URL PARAMETERS

PARAMETERS are those of permessage-deflate as JSON, or `false` for no compression.
"""
import asyncio
import json
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from deflate import Counting, check_costs, is_compressed, noise, prose

TEXTS = ["", "hello", "소통 👩‍👩‍👧 🏳️‍🌈", prose(1 << 20)]
BINARIES = [b"", b"\0\1\xff", b"\7" * (1 << 16), noise(1 << 20)]
REPETITIVE = b"\7" * (1 << 20)


class Connection(Counting, websockets.ClientConnection):
    pass


async def main(url, parameters):
    compresses = parameters is not False

    def connect():
        extensions = [ClientPerMessageDeflateFactory(**parameters)] if compresses else None
        return websockets.connect(
            url, compression=None, extensions=extensions, max_size=None, create_connection=Connection)

    async with connect() as ws:
        assert is_compressed(ws) == compresses

        async def echo(message):
            await ws.send(message)
            assert await ws.recv() == message

        for message in TEXTS + BINARIES:
            await echo(message)
        if compresses:
            async def cost(text):
                sent, received = ws.sent, ws.received
                await echo(text)
                return ws.sent - sent, ws.received - received
            await check_costs(cost, parameters)
        else:
            await echo(REPETITIVE)
        await (await ws.ping(b"there?"))
        for fragments in ["one ", "메시지"], [prose(400_000), "", prose(600_000)]:
            await ws.send(fragments)
            assert await ws.recv() == "".join(fragments)
        many = [f"message {i}{' 소통' * (i % 50)}" for i in range(2000)]
        for message in many:
            await ws.send(message)
        assert [await ws.recv() for _ in many] == many
        await ws.close(4001, "안녕히")
        assert ws.close_code == 4001, ws.close_code
    # The second is compressed a thousandfold.
    for message in [prose((1 << 20) + 1)] + [REPETITIVE] * compresses:
        async with connect() as ws:
            await ws.send(message)
            try:
                await ws.recv()
            except websockets.ConnectionClosed as closed:
                assert closed.rcvd.code == 1009, closed
            else:
                raise AssertionError("a message too large was echoed")


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
