"""Python's server is talked to by our client: server.py PARAMETERS CLIENT [ARGUMENT...]

PARAMETERS are those of permessage-deflate as JSON, or `false` for no compression.
"""
import asyncio
import json
import sys

import websockets
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from deflate import Counting, check_costs, is_compressed


class Connection(Counting, websockets.ServerConnection):
    pass


async def main(parameters, program, *arguments):
    compresses = parameters is not False and "--deflate" in arguments
    extensions = None if parameters is False else [ServerPerMessageDeflateFactory(**parameters)]
    visits = asyncio.Queue()

    async def serve(ws):
        assert ws.request.path == "/room?n=1" and ws.request.headers["X-Token"] == "a b"
        assert is_compressed(ws) == compresses
        visits.put_nowait(ws)
        async for message in ws:
            await ws.send(f"echo {message}")
            if message == "second":
                return await ws.close(4002, "그만")

    async with websockets.serve(
            serve, "127.0.0.1", 0, compression=None, extensions=extensions, subprotocols=["chat"],
            create_connection=Connection) as server:
        port = server.sockets[0].getsockname()[1]
        client = await asyncio.create_subprocess_exec(
            program, *arguments, "--subprotocol", "other", "--subprotocol", "chat", "--header", "X-Token: a b",
            f"ws://127.0.0.1:{port}/room?n=1", limit=1 << 20,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        ws = await visits.get()
        if compresses:
            async def cost(line):
                received, sent = ws.received, ws.sent
                client.stdin.write(f"{line}\n".encode())
                assert (await client.stdout.readline()).decode() == f"echo {line}\n"
                return ws.received - received, ws.sent - sent
            # Our client asks for messages that are compressed each on its own.
            alone = {"server_no_context_takeover": True, "client_no_context_takeover": True}
            await check_costs(cost, parameters | alone)
        output, errors = await client.communicate("안녕\nsecond\n".encode())
        assert output.decode() == "echo 안녕\necho second\n", output
        connected = "connected, subprotocol chat" + ", compression" * compresses
        assert errors.decode().splitlines() == [connected, "closed with 4002 그만"], errors
        assert client.returncode == 0


asyncio.run(main(json.loads(sys.argv[1]), *sys.argv[2:]))
