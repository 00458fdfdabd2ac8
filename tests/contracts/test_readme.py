"""The README's first steps, run as a newcomer would run them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.processes import ROOT, Up, clean_environment

pytestmark = pytest.mark.needs("curl", "sh")

_BLOCK = re.compile(r"<!-- tested: (\w+) -->\n```\w+\n(.*?)```", re.DOTALL)
BLOCKS = dict(_BLOCK.findall((ROOT / "README.md").read_text()))
ASKING_QUIETLY = "curl --silent --show-error"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, Path]]:
    """A Clarion as ``make run`` starts it, and its data folder."""
    data = tmp_path_factory.mktemp("readme")
    with Up(data) as running:
        yield running, data


def typed(server: tuple[Up, Path], script: str, *, shell: bool = True) -> str:
    """Run a script in the project's folder, as README prints it but for port and Python; return what it prints."""
    running, data = server
    script = script.replace("http://127.0.0.1:8000", running.url).replace("curl", ASKING_QUIETLY)
    script = script.replace(".venv/bin/python", sys.executable)
    environment = clean_environment(CLARION_DATA=str(data), KEY=os.environ.get("KEY", ""))
    command = ["sh", "-c", script] if shell else [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def first_answer(server: tuple[Up, Path]) -> str:
    """What the first post is answered; its key is kept for the other steps, as a shell would keep it."""
    printed = typed(server, BLOCKS["curl"] + '\necho\necho "$KEY"')
    answer, key = printed.rsplit("\n", 2)[0], printed.split()[-1]
    os.environ["KEY"] = key
    return answer


@pytest.fixture(scope="module", autouse=True)
def _forget_the_key() -> Iterator[None]:
    yield
    os.environ.pop("KEY", None)


def test_the_first_event_by_curl_is_appended_and_its_repeat_is_none(
    server: tuple[Up, Path], first_answer: str
) -> None:
    answer = json.loads(first_answer)
    assert answer["status"] == "appended"
    assert answer["id"] == "invite-1"
    again = typed(server, BLOCKS["curl"].split("\n", 1)[1])
    assert json.loads(again) == answer | {"status": "duplicate"}


@pytest.mark.usefixtures("first_answer")
def test_the_first_event_by_the_public_sdk_is_appended(server: tuple[Up, Path]) -> None:
    status, _, answer = typed(server, BLOCKS["sdk"], shell=False).partition(" ")
    assert status == "201"
    assert "'status': 'appended'" in answer


@pytest.mark.usefixtures("first_answer")
def test_the_first_token_lets_a_player_in(server: tuple[Up, Path]) -> None:
    token = json.loads(typed(server, BLOCKS["token"]))["token"]
    inbox = server[0].get("/api/v1/inbox", headers={"Authorization": f"Bearer {token}"})
    assert inbox.status_code == 200


def test_every_test_behind_a_promise_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", (ROOT / "README.md").read_text())
    assert len(named) > 15
    for path, names in named:
        source = (ROOT / path).read_text()
        for name in names.split("::"):
            assert re.search(rf"(def|class) {name}\b", source), f"{path}::{names} is not there"
