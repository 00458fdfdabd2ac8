"""``make bench``: measures every row, writes docs/benchmarks.md and docs/benchmarks.json, and fails on a missed bound.

``--quick`` measures rows 1, 2, 4, 5, 7 and 12 in small, in some minutes, and prints them; nothing is
written. ``--only NAME`` measures one file of ``tests/benchmarks/measures``.
"""

import argparse
import importlib
import sys
import time
from pathlib import Path

from tests.benchmarks.page import machine, markdown, printed, stored
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Row
from tests.chaos.servers import Servers, missing

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
MEASURES = ("appending", "deciding", "pushing", "overtaking", "resting", "costing", "delivering")
QUICK = ("appending", "deciding", "pushing", "delivering")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=MEASURES, action="append")
    options = parser.parse_args()
    if lacking := missing():
        sys.stderr.write(
            f"The benchmarks start servers of their own; this machine lacks {', '.join(lacking)}.\n"
        )
        return 2
    began = time.monotonic()
    rows: list[Row] = []
    with Servers() as servers:
        about = machine(servers.versions)
        for name in options.only or (QUICK if options.quick else MEASURES):
            sys.stderr.write(f"{name}\n")
            measure = importlib.import_module(f"tests.benchmarks.measures.{name}").measure
            rows += measure(Rig(servers=servers, quick=options.quick))
    rows.sort(key=lambda row: row.number)
    sys.stdout.write(printed(rows))
    if not options.quick and not options.only:
        (DOCS / "benchmarks.json").write_text(stored(rows, about))
        (DOCS / "benchmarks.md").write_text(markdown(rows, about, minutes=(time.monotonic() - began) / 60))
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
