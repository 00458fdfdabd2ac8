"""What import-linter cannot see: names of files, who reads the environment, no signals."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.processes import ROOT

ROOMS = ("config", "events", "players", "notifications")
DUMPING_GROUNDS = frozenset(
    {"util", "utils", "helper", "helpers", "common", "base", "manager", "managers", "misc", "shared"}
)
ASKED_FOR_BY_DJANGO = {
    ROOT / "config/sqlite/base.py",
    ROOT / "config/postgres/base.py",
    ROOT / "tests/chaos/broken/database/base.py",
}
"""A database backend's file has this name."""
ENTRIES = {ROOT / "manage.py", ROOT / "config" / "asgi.py", ROOT / "config" / "celery.py"}
"""They say how Clarion was started, before Django loads; they read nothing."""
SETTINGS = ROOT / "config" / "settings.py"


def sources(*folders: str) -> Iterator[Path]:
    """Return all Python files of some folders, and manage.py."""
    yield ROOT / "manage.py"
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def environment_uses(tree: ast.AST) -> Iterator[ast.Attribute | ast.Name]:
    """Find ``os.environ``, ``os.getenv`` and whatever was imported from ``os`` under those names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "getenvb"}:
            if isinstance(node.value, ast.Name) and node.value.id == "os":
                yield node
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (ast.Name(each.name) for each in node.names if each.name in {"environ", "getenv"})


def only_sets(tree: ast.Module) -> bool:
    """Tell whether every use of the environment is ``setdefault`` or an assignment to one of its names."""
    setting = {
        id(node.func.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "setdefault"
    } | {
        id(target.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Subscript)
    }
    return all(id(use) in setting for use in environment_uses(tree))


def test_no_file_is_a_dumping_ground() -> None:
    found = {
        path
        for path in sources(*ROOMS, "tests")
        if path.stem in DUMPING_GROUNDS or path.parent.name in DUMPING_GROUNDS
    }
    assert found == ASKED_FOR_BY_DJANGO


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_but_the_settings_reads_the_environment(room: str) -> None:
    for path in sources(room):
        tree = ast.parse(path.read_text())
        if path in ENTRIES:
            assert only_sets(tree), f"{path.relative_to(ROOT)} reads the environment"
        elif path != SETTINGS:
            assert not list(environment_uses(tree)), f"{path.relative_to(ROOT)} reads the environment"


def test_only_the_settings_know_django_environ() -> None:
    users = {path for path in sources(*ROOMS) if "import environ" in path.read_text()}
    assert users == {SETTINGS}


@pytest.mark.parametrize("room", ROOMS)
def test_the_log_is_the_signal(room: str) -> None:
    """Django's signals would be a second flow beside it, which ``queryset.update()`` does not even send."""
    for path in sources(room):
        imported = {
            node.module or ""
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
        }
        assert not imported & {"django.db.models.signals", "django.dispatch", "django.core.signals"}, path


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("import os\nos.environ['A']", True),
        ("import os\nos.getenv('A')", True),
        ("import os\nx = os.environ.get('A')", True),
        ("from os import environ", True),
        ("import os\nos.environ.setdefault('A', 'b')", False),
        ("import os\nos.environ['A'] = 'b'", False),
    ],
)
def test_reading_is_told_from_setting(source: str, reads: bool) -> None:
    assert only_sets(ast.parse(source)) is not reads
