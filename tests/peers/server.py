"""Python's server is talked to by our client: server.py CLIENT"""
import asyncio
import sys

import websockets


async def main(program):
    heard = []

    async def serve(ws):
        assert ws.request.path == "/room?n=1" and ws.request.headers["X-Token"] == "a b"
        for _ in range(2):
            message = await ws.recv()
            heard.append(message)
            await ws.send(f"echo {message}")
        await ws.close(4002, "그만")

    async with websockets.serve(serve, "127.0.0.1", 0, compression=None, subprotocols=["chat"]) as server:
        port = server.sockets[0].getsockname()[1]
        client = await asyncio.create_subprocess_exec(
            program, "--subprotocol", "other", "--subprotocol", "chat", "--header", "X-Token: a b",
            f"ws://127.0.0.1:{port}/room?n=1",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        output, errors = await client.communicate("안녕\nsecond\n".encode())
        assert heard == ["안녕", "second"], heard
        assert output.decode() == "echo 안녕\necho second\n", output
        assert "subprotocol chat" in errors.decode() and "closed with 4002 그만" in errors.decode(), errors
        assert client.returncode == 0


asyncio.run(main(sys.argv[1]))
