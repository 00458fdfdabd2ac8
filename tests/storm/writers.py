"""Game servers that append all at once, and what they were answered."""

import asyncio
from collections import Counter, defaultdict
from typing import Any

import httpx

from tests.storm.plan import Event, Script, scripts

SINGLE = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
TRIES = 20
Place = tuple[str, int, int, int]


class Answers:
    """What all writers were told, by the event's id."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.places: dict[str, set[Place]] = defaultdict(set)
        self.appended: Counter[str] = Counter()
        self.duplicates = 0
        self.conflicts = 0
        self.unknown = 0
        """Answers 503: whether the events were stored was unknown, and the same ids were sent again."""
        self.dropped = 0
        """Of these, requests whose connection ended without an answer."""

    def note(self, result: dict[str, Any]) -> None:
        """Take what one item came to."""
        if result["status"] not in {"appended", "duplicate"}:
            raise AssertionError(f"an event was answered {result}")
        place = (result["stream"], result["version"], result["partition"], result["offset"])
        self.places[result["id"]].add(place)
        self.appended[result["id"]] += result["status"] == "appended"
        self.duplicates += result["status"] == "duplicate"


class Writer:
    """One game server, which waits for each answer before its next post."""

    def __init__(self, http: httpx.AsyncClient, script: Script, answers: Answers) -> None:
        """Take what it is to do."""
        self._http, self._script, self._answers = http, script, answers
        self._contested_at = 0

    async def run(self) -> None:
        """Do all of it."""
        script = self._script
        every = len(script.posts) // len(script.contested)
        between = iter(zip(script.contested, script.refused, strict=True))
        for n, post in enumerate(script.posts):
            await self._append(post)
            if n % every == every - 1 and (pair := next(between, None)) is not None:
                await self._win(pair[0])
                await self._be_refused(pair[1])

    async def _append(self, events: list[Event]) -> None:
        if len(events) == 1:
            answer = await self._post(events[0], SINGLE)
            assert answer.status_code in {200, 201}, answer.text
            self._answers.note(answer.json())
            return
        answer = await self._post(events, BATCH)
        assert answer.status_code == 200, answer.text[:1_000]
        body = answer.json()
        assert [result["id"] for result in body["results"]] == [event["id"] for event in events]
        assert body["appended"] + body["duplicate"] == len(events)
        for result in body["results"]:
            self._answers.note(result)

    async def _win(self, event: Event) -> None:
        """Append to a stream that all want, with the version that it has: whoever is late tries again."""
        while True:
            answer = await self._post(event | {"expectedversion": self._contested_at}, SINGLE)
            if answer.status_code != 409:
                assert answer.status_code in {200, 201}, answer.text
                self._contested_at = answer.json()["version"]
                self._answers.note(answer.json())
                return
            self._answers.conflicts += 1
            self._contested_at = answer.json()["actual"]

    async def _be_refused(self, event: Event) -> None:
        answer = await self._post(event, SINGLE)
        assert answer.status_code == 409, answer.text

    async def _post(self, content: Any, headers: dict[str, str]) -> httpx.Response:
        """Send, and send the same ids again as often as the answer is that it is unknown."""
        for _ in range(TRIES):
            answer = await self._http.post("/api/v1/events", json=content, headers=headers)
            if answer.status_code != 503:
                return answer
            self._answers.unknown += 1
            await asyncio.sleep(float(answer.headers["retry-after"]))
        raise AssertionError(f"{TRIES} times in a row: {answer.text}")


async def write_all(url: str, key: str) -> Answers:
    """Let twenty writers append everything, and return what they were answered."""
    answers = Answers()
    limits = httpx.Limits(max_connections=32, max_keepalive_connections=32)
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=60) as http,
        asyncio.TaskGroup() as writers,
    ):
        for script in scripts():
            writers.create_task(Writer(http, script, answers).run())
    return answers
