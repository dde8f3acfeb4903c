#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every file of the tree has a line in docs/architecture.md, and no line is about a file that is
not there. "`name.c`, `.h`" are two files; "*" stands for anything but a slash."""
import fnmatch
import re
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
FOLDERS = ("src", "cli", "include", "tests", "bench", "docs", "man", "completions", "examples")
# A folder of these has a line, not each file.
WHOLE = ("tests/golden/trees/", "tests/golden/text/", "tests/fuzz/corpus/")


def named_in(text):
    """Patterns of paths that the tables of "The tree, file by file" have, with their folders."""
    folders = [""]
    for line in text[text.index("## The tree, file by file"):].splitlines():
        if line.startswith("`") or line == "In the root":
            folders = re.findall(r"`([\w/.-]+/)`", line.partition(":")[0]) or [""]
        if not line.startswith("| `"):
            continue
        last = ""
        for word in re.findall(r"`([^`]+)`", line.split("|")[1]):
            last = re.sub(r"\.\w+$", "", last) + word if re.fullmatch(r"\.[a-z]+", word) else word
            for folder in folders:
                yield folder + last if not last.startswith(folder) else last


def main():
    text = (SOURCE / "docs/architecture.md").read_text(encoding="utf-8")
    patterns = set(named_in(text))
    files = [name for name in subprocess.run(
        ["git", "-C", str(SOURCE), "ls-files", "-co", "--exclude-standard", *FOLDERS], check=True,
        stdout=subprocess.PIPE, text=True).stdout.split("\n") if name and (SOURCE / name).exists()]
    missing = [name for name in files if not name.startswith(WHOLE) and
               not any(fnmatch.fnmatchcase(name, pattern) and
                       name.count("/") == pattern.count("/") for pattern in patterns)]
    for name in missing:
        print(f"docs/architecture.md: no line about {name}")
    sys.exit(bool(missing))


main()
