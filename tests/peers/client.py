"""Python's client talks to our echo server: client.py URL"""
import asyncio
import sys

import websockets

MESSAGES = ["", "hello", "소통 👩‍👩‍👧 🏳️‍🌈", "가" * 300_000, b"", b"\0\1\xff", b"\7" * (1 << 20)]


async def main(url):
    async with websockets.connect(url, compression=None, max_size=None) as ws:
        for message in MESSAGES:
            await ws.send(message)
            assert await ws.recv() == message
        await (await ws.ping(b"there?"))
        await ws.send(["one ", "메시지"])
        assert await ws.recv() == "one 메시지"
        many = [f"message {i}" for i in range(2000)]
        for message in many:
            await ws.send(message)
        assert [await ws.recv() for _ in many] == many
        await ws.close(4001, "안녕히")
        assert ws.close_code == 4001, ws.close_code
    async with websockets.connect(url, compression=None) as ws:
        await ws.send(b"\0" * ((1 << 20) + 1))
        try:
            await ws.recv()
        except websockets.ConnectionClosed as closed:
            assert closed.rcvd.code == 1009, closed
        else:
            raise AssertionError("a message too large was echoed")


asyncio.run(main(sys.argv[1]))
