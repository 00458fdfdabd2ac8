"""A bare ASGI app that sends frames from a list: what the gateway's push stands beside.

``BARE_FRAMES`` names a file of lists, one for each player; a socket that says a player's number gets that list.
"""

import json
import os
from pathlib import Path
from typing import Any

frames: list[list[str]] = json.loads(Path(os.environ["BARE_FRAMES"]).read_text())


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"status": "ok"}'})
        return
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    told = await receive()
    for text in frames[int(told["text"])] if "text" in told else ():
        await send({"type": "websocket.send", "text": text})
    while told["type"] != "websocket.disconnect":
        told = await receive()
