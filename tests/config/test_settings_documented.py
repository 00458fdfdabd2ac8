"""Every variable that Clarion reads stands in the README, and the README names no other."""

import ast
import re

import pytest

from tests.config.processes import ROOT

README = (ROOT / "README.md").read_text()
ROW = re.compile(r"^\| (`[A-Z][A-Z0-9_]*`(?:, `[A-Z][A-Z0-9_]*`)*) \|", re.MULTILINE)
NAME = re.compile(r"`([A-Z][A-Z0-9_]*)`")
SHELL = re.compile(r"\$\{([A-Z][A-Z0-9_]*)(?::-[^}]*)?\}")
OTHERS = frozenset({"PROMETHEUS_MULTIPROC_DIR"})
"""Read by the libraries that Clarion uses."""


def read_by_settings() -> set[str]:
    """Return the names that config/settings.py asks its environment for."""
    tree = ast.parse((ROOT / "config" / "settings.py").read_text())
    return {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def read_by_the_procfile() -> set[str]:
    """Return the names that its commands take from their shell."""
    return set(SHELL.findall((ROOT / "Procfile").read_text()))


def rows() -> set[str]:
    """Return the names that the README's tables have a row for."""
    return {name for row in ROW.findall(README) for name in NAME.findall(row)}


def test_the_readers_find_what_they_look_for() -> None:
    assert {"DATABASE_URL", "REDIS_URL", "CLARION_DATA", "CLARION_HTTPS"} <= read_by_settings()
    assert "PORT" in read_by_the_procfile()


@pytest.mark.parametrize("name", sorted(read_by_settings() | read_by_the_procfile()))
def test_every_variable_stands_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README


def test_no_row_of_the_readme_is_about_a_variable_that_nobody_reads() -> None:
    assert rows() - read_by_settings() - read_by_the_procfile() == OTHERS


def test_every_variable_of_the_checks_has_a_row() -> None:
    from config.checks import EXAMPLES  # noqa: PLC0415 - it needs Django, the rest does not

    assert EXAMPLES.keys() <= rows()
