#!/usr/bin/env python
"""Runs any client of the player's socket through all that the protocol asks of it.

    python tests/contracts/conformance.py --client "node tests/contracts/player_socket/client.mjs"

The client is a program in any language. It is started once for each case, with these variables:

    CLARION_URL     where this script plays the server, such as http://127.0.0.1:40001; the socket is
                    at /ws/v1/player below it, and ws instead of http
    CLARION_DEVICE  the name of the device, for `connect`
    CLARION_STATE   a folder for what the client stores; the same one when it is killed and started again

It gets a player's token from GET CLARION_URL/token (as text), whenever it needs one, connects, and
prints one line of JSON for each notification that it shows: {"shown": "<id>"}. Other lines do not
count. It runs until it is killed. After a reset it loads GET CLARION_URL/api/v1/inbox, with its token.

Every message of the client's is also checked against the schema, notifications/api/socket.schema.json,
which a running Clarion serves at /api/schema/socket.json. Exit code 1 if any case fails.
"""

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.contracts.player_socket.cases import CASES
from tests.contracts.player_socket.line import Broken
from tests.contracts.player_socket.stage import Stage

AT_ONCE = 4
LONGEST_S = 60.0


async def run(command: str, name: str) -> tuple[str, list[str]]:
    """Run one case; return what went wrong, or nothing, and what was said meanwhile."""
    stage = Stage(command)
    try:
        async with asyncio.timeout(LONGEST_S), stage:
            await CASES[name](stage)
    except (Broken, TimeoutError) as error:
        return str(error) or f"it took longer than {LONGEST_S:.0f} s", stage.transcript
    return "", stage.transcript


async def run_all(command: str, names: list[str], *, verbose: bool = False) -> int:
    """Run cases, a few at a time, and report; return how many failed."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> bool:
        async with turns:
            problem, transcript = await run(command, name)
        print(f"{'FAILED' if problem else 'ok':6} {name}{': ' + problem if problem else ''}", flush=True)
        for said in transcript if problem and verbose else ():
            print(f"       {said}")
        return not problem

    passed = await asyncio.gather(*(one(name) for name in names))
    print(f"{passed.count(True)} of {len(passed)} cases passed")
    return passed.count(False)


def main() -> int:
    """Read the options, run the cases."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--client", help="the command that starts the client")
    parser.add_argument(
        "--only", action="append", choices=sorted(CASES), metavar="CASE", help="only this case"
    )
    parser.add_argument("--list", action="store_true", help="say what is asked for, and run nothing")
    parser.add_argument("--verbose", action="store_true", help="tell what was said in cases that fail")
    options = parser.parse_args()
    if options.list:
        for name, case in CASES.items():
            print(f"{name}\n    {case.__doc__}")
        return 0
    if not options.client:
        parser.error("--client is needed, such as: --client 'node client.mjs'")
    failed = asyncio.run(run_all(options.client, options.only or list(CASES), verbose=options.verbose))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
