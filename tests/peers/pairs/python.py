"""Python's `websockets`, doing what it is told: python.py server|client [--deflate] [--trust FILE]

Orders and events are those of `peer.mjs`, as lines of JSON; payloads of messages are hexadecimal.
"""
import argparse
import asyncio
import json
import ssl
import sys

import websockets


def tell(event, **details):
    print(json.dumps({"event": event, **details}), flush=True)


# Bytes that cannot be compressed become a little more in a compressed message, and it is those that are counted.
LIMIT = 2 << 20


class Peer:
    ws = None

    async def receive(self, ws):
        self.ws = ws
        tell("open", compressed=bool(ws.protocol.extensions))
        try:
            while True:
                message = await ws.recv()
                text = isinstance(message, str)
                tell("message", text=text, payload=(message.encode() if text else message).hex())
        except websockets.ConnectionClosed:
            tell("closed", code=ws.close_code, reason=ws.close_reason)

    async def carry_out(self, order, text=None, parts=(), payload="", code=None, reason="", **_):
        if order == "send":
            parts = [bytes.fromhex(part) for part in parts]
            parts = [part.decode() for part in parts] if text else parts
            await self.ws.send(parts[0] if len(parts) == 1 else parts)
        elif order == "ping":
            await (await self.ws.ping(payload))
            tell("pong", payload=payload)
        elif code is not None:
            await self.ws.close(code, reason)
        else:
            async with self.ws.send_context():
                self.ws.protocol.send_close()  # one without a code, which `close` has no word for


async def main(role, deflate, trust):
    tls = trust and ssl.create_default_context(cafile=trust)
    peer, tasks = Peer(), set()
    if role == "server":
        server = await websockets.serve(peer.receive, "127.0.0.1", 0, compression="deflate" if deflate else None, max_size=LIMIT)
        tell("listening", port=server.sockets[0].getsockname()[1])
    orders = asyncio.StreamReader(limit=8 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    async for line in orders:
        order = json.loads(line)
        if order["order"] != "open":
            await peer.carry_out(**order)
            continue
        try:
            ws = await websockets.connect(
                order["url"], origin=order.get("origin"), compression="deflate" if order.get("deflate") else None,
                max_size=LIMIT, proxy=None, ssl=tls if order["url"].startswith("wss:") else None)
        except websockets.InvalidStatus as refused:
            tell("refused", status=refused.response.status_code)
        else:
            tasks.add(asyncio.create_task(peer.receive(ws)))


parser = argparse.ArgumentParser()
parser.add_argument("role", choices=["server", "client"])
parser.add_argument("--deflate", action="store_true")
parser.add_argument("--trust")
asyncio.run(main(**vars(parser.parse_args())))
