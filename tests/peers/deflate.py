"""What compression is tested with, and what it must come to on the wire."""
import base64
import hashlib

from websockets.extensions.permessage_deflate import PerMessageDeflate


def prose(size):
    """Korean text of so many bytes that comes to about a fortieth; below a 256th our end takes it for an attack."""
    def line(i):
        return f'{{"id":{100_000 + i},"name":"준호","text":"여섯 시에 역 앞에서 봐요, 늦으면 먼저 들어갈게요"}}'
    length = len(line(0).encode())
    return "".join(map(line, range(size // length))) + "." * (size % length)


def noise(size):
    """Bytes that repeat nothing and are the same each time."""
    return hashlib.shake_256(str(size).encode()).digest(size)


def letters(length):
    """The same as letters."""
    return base64.b64encode(noise(length)).decode()[:length]


def is_compressed(ws):
    return [extension.name for extension in ws.protocol.extensions] == [PerMessageDeflate.name]


class Counting:
    """Lets a connection count what it sends and receives."""
    sent = received = 0

    def send_data(self):
        self.sent += sum(map(len, self.protocol.writes))
        super().send_data()

    def data_received(self, data):
        self.received += len(data)
        super().data_received(data)


async def check_costs(cost, parameters):
    """Whether both ends compress, and find what is repeated exactly as far back as the parameters allow.

    `cost` has a text sent by the client and sent back by the server, and tells how many bytes that was for each.
    """
    async def check(text, most, is_expected):
        for end, size in zip(["client", "server"], await cost(text)):
            context = not parameters.get(f"{end}_no_context_takeover")
            window_bits = parameters.get(f"{end}_max_window_bits", 15)
            assert (size < most) == is_expected(context, window_bits), (end, size, len(text), text[:20])

    # No compressor of raw data has a window of 8 bits: ours sends messages as they are.
    await check(prose(900_000), 900_000 / 8, lambda _, window_bits: window_bits > 8)
    for distance in [200, 700, 3000]:
        # zlib keeps 262 bytes of its window for what comes next. Letters come to three quarters of their bytes.
        await check(letters(distance) * 2, 1.3 * distance, lambda _, window_bits: distance <= 2**window_bits - 262)
    short = letters(201)
    await cost(short)
    await check(short, 60, lambda context, _: context)
