"""One try: the name is looked up, its addresses are checked, and the call goes to just those.

Whoever answers drip by drip, for ever or with gigabytes costs a call its time and no more.
"""

import asyncio
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache

import httpx

from events.webhooks.addresses import IP, AddressRefused, Target, check_url, resolve
from events.webhooks.answers import Answer, Verdict, judged

DEADLINE_S = 15.0
"""For the whole call: looking up, connecting, sending, and the beginning of the answer."""
CONNECT_S = 5.0
EXCERPT_S = 1.0
EXCERPT_BYTES = 1_000
AGENT = "Clarion-Webhooks/1"

_resolver = ThreadPoolExecutor(8, thread_name_prefix="webhook-names")  # of its own: none waits for its end


def post(url: str, body: bytes, headers: Mapping[str, str], *, deadline_s: float = DEADLINE_S) -> Answer:
    """Send a body as JSON with these headers and judge the answer; never raises for what others do.

    No redirect is followed, no proxy of the environment is used, nothing is kept between calls.
    It must not be called from a running event loop.
    """
    try:
        return asyncio.run(_post(url, body, dict(headers), deadline_s))
    except AddressRefused as error:
        return Answer(verdict=Verdict.PERMANENT, error="address refused", detail=str(error))


async def _post(url: str, body: bytes, headers: dict[str, str], deadline_s: float) -> Answer:
    try:
        async with asyncio.timeout(deadline_s):
            loop = asyncio.get_running_loop()
            target = await loop.run_in_executor(_resolver, resolve, check_url(url))
            return await _call(target, body, headers)
    except TimeoutError:
        return _failed("timeout", f"there was no whole answer within {deadline_s:g} s")
    except httpx.TimeoutException:
        return _failed("timeout", f"the connection stood still, or was not made within {CONNECT_S:g} s")
    except httpx.HTTPError as error:
        return _failed(*_named(error))
    except (OSError, UnicodeError):
        return _failed("name not found", "the name of the endpoint's host cannot be looked up")


async def _call(target: Target, body: bytes, headers: dict[str, str]) -> Answer:
    """Try one address after the other until a connection is made; what was sent is not sent again."""
    *others, last = target.ips
    timeout = httpx.Timeout(DEADLINE_S, connect=CONNECT_S)
    async with httpx.AsyncClient(verify=_trusted(), trust_env=False, timeout=timeout) as client:
        for ip in others:
            try:
                return await _ask(client, target, ip, body, headers)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await _ask(client, target, last, body, headers)


async def _ask(
    client: httpx.AsyncClient, target: Target, ip: IP, body: bytes, headers: dict[str, str]
) -> Answer:
    request = client.build_request(
        "POST",
        target.at(ip),
        content=body,
        headers={
            "content-type": "application/json",
            "user-agent": AGENT,
            "accept-encoding": "identity",
            **headers,
            "host": target.url.netloc.decode("ascii"),
        },
        extensions={"sni_hostname": target.name},
    )
    response = await client.send(request, stream=True, follow_redirects=False)
    try:
        excerpt = await _beginning(response)
    finally:
        await response.aclose()
    after = response.headers.get("retry-after", "")
    return judged(response.status_code, after, datetime.now(UTC), excerpt)


async def _beginning(response: httpx.Response) -> str:
    """Read as much as somebody wants to see of the answer; its status counts, however its body ends."""
    kept = b""
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(EXCERPT_S):
            async for chunk in response.aiter_raw():
                kept += chunk
                if len(kept) >= EXCERPT_BYTES:
                    break
    return kept[:EXCERPT_BYTES].decode("utf-8", "replace").replace("\x00", "")


@cache
def _trusted() -> ssl.SSLContext:
    """Load the certificates of authorities once: it takes 20 ms. SSL_CERT_FILE may name others."""
    return httpx.create_ssl_context()


def _named(error: httpx.HTTPError) -> tuple[str, str]:
    """Return a class and a sentence for a fault of the connection; its own text may hold addresses."""
    if isinstance(error, httpx.ConnectError) and "certificate" in str(error).lower():
        return "certificate", "the endpoint's certificate is not valid for its name"
    if isinstance(error, httpx.ConnectError):
        return "not connected", "the endpoint does not take connections"
    return "connection lost", f"the connection ended without an answer ({type(error).__name__})"


def _failed(error: str, detail: str) -> Answer:
    return Answer(verdict=Verdict.TRANSIENT, error=error, detail=detail)
