"""The balancer of the suite is no weather of its own."""

import asyncio

from tests.chaos.proxy import Proxy
from tests.config.processes import free_port

CLIENTS = 100


async def test_whoever_listens_is_found_whatever_turns_others_take_meanwhile() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    with Proxy([free_port(), server.sockets[0].getsockname()[1]]) as proxy:

        async def ask(n: int) -> str:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(f"{n}\n".encode())
            told = (await reader.read()).decode()
            writer.close()
            return told

        assert await asyncio.gather(*(ask(n) for n in range(CLIENTS))) == [f"{n}\n" for n in range(CLIENTS)]
        assert proxy.unanswered == []

    server.close()
