"""The engine stands alone: no Django comes with it, and it reads no clock."""

import ast
import subprocess
import sys
from pathlib import Path

import notifications.engine

SOURCES = sorted(Path(notifications.engine.__file__).parent.rglob("*.py"))
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter", "sleep"}


def test_the_engine_brings_no_django() -> None:
    lines = "import sys, notifications.engine; print([m for m in sys.modules if m.split('.')[0] == 'django'])"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_engine_reads_no_clock() -> None:
    called = {
        (path.name, node.func.attr)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
    }
    assert called == set()
