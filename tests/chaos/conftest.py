"""What the scenarios share: servers of their own, a form, a seed, a report."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import servers as own
from tests.chaos.fleet import Deployment
from tests.chaos.scene import LONG, RECOVERY_S, SEED, SHORT, Fault, Form, Told, Where, play
from tests.conftest import CI

FORMS = {each.name: each for each in (SHORT, LONG)}
REPORT = os.environ.get("CHAOS_REPORT")
"""A file that gets one line of JSON for each scenario."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the form that was asked for by CHAOS_FORM."""
    if "form" in metafunc.fixturenames:
        name = os.environ.get("CHAOS_FORM", "short")
        metafunc.parametrize("form", [FORMS[name]], ids=[name])


def pytest_report_header() -> str:
    """Say how to have the same again."""
    return f"chaos: CHAOS_SEED={SEED}"


@pytest.fixture(scope="session")
def servers() -> Iterator[own.Servers]:
    """Start PostgreSQL, Redis and RabbitMQ; under CI what is missing is a failure."""
    missing = own.missing()
    if missing and not CI:
        pytest.skip(f"there is no {', no '.join(missing)} on this machine")
    assert not missing, f"there is no {', no '.join(missing)} on this machine"
    with own.Servers() as started:
        if REPORT:
            Path(f"{REPORT}.versions").write_text(json.dumps(started.versions))
        yield started


@pytest.fixture
def weather(request: pytest.FixtureRequest, form: Form, tmp_path: Path) -> Callable[..., Told]:
    """Return a function that lets a fault happen to a deployment, and demands that all promises were kept."""

    def happens(fault: Fault, deployment: Any, **options: Any) -> Told:
        where = Where(
            url=deployment.url, environment=deployment.environment, form=form, seed=SEED, folder=tmp_path,
            **options,
        )  # fmt: skip
        told = play(request.node.originalname, fault, where)
        line = json.dumps(asdict(told))
        print(line)  # noqa: T201 - pytest shows it where a scenario fails, and with -s
        if REPORT:
            with Path(REPORT).open("a") as report:
                report.write(line + "\n")
        assert told.wrong == []
        assert told.recovered_s <= RECOVERY_S, told
        assert told.figures["events"] >= form.events
        return told

    return happens


@pytest.fixture
def deployment(servers: own.Servers) -> Iterator[Deployment]:
    """Start Clarion."""
    with Deployment(servers) as started:
        yield started
