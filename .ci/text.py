#!/usr/bin/env python3
"""Holds every tracked text file to lines of at most 120 columns, and to no path of a machine.

    .ci/text.py [FILE..]

Longer may be: a lock file, what is generated or is data (JSON, TSV, SVG, pages of results, the baseline, the paper's
numbers and the experiments' notes, which are strings of TOML), a Markdown table's row, and a line that is one word or
URL with what belongs before it.
"""

import re
import subprocess
import sys
from pathlib import Path

MOST = 120
# Names, endings and folders whose lines are data.
DATA = re.compile(
    r"(^|/)(Cargo\.lock|LICENSE-MIT)$|\.(json|tsv|svg)$|^results/|^harness/(baseline|claims|paper)\.toml$"
    r"|^harness/experiments/.*\.toml$"
)
TABLE_ROW = re.compile(r"\s*\|.*\|\s*$")
ONE_WORD = re.compile(r"\s*\S{0,12}\s*\S+$")
# Homes and working folders; those of examples are spelled `/home/you` or `~`.
MACHINE = re.compile(r"(/home/(?!you\b)|/Users/(?!you\b)|/root/|/work/|[A-Z]:\\\\Users)\w")


def faults(path: str, text: str):
    """Each fault as `path:line: what`."""
    for number, line in enumerate(text.splitlines(), 1):
        table = path.endswith(".md") and TABLE_ROW.match(line)
        if len(line) > MOST and not DATA.search(path) and not table and not ONE_WORD.match(line):
            yield f"{path}:{number}: {len(line)} columns, at most {MOST}"
        if path != ".ci/text.py" and (found := MACHINE.search(line)):
            yield f"{path}:{number}: a path of a machine, `{found[0]}..`"


def main():
    tracked = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    found = []
    for path in sys.argv[1:] or tracked.split("\0")[:-1]:
        try:
            found.extend(faults(path, Path(path).read_text(encoding="utf-8")))
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # no text, or removed and not committed yet
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
