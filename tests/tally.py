#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tally.py BUILD...: counts the test cases of the last "meson test" of build directories.

Meson counts programs; each of ours runs many cases. cmocka's summary and our runners' last
line ("N passed, N failed, N skipped") tell how many. A program that says nothing counts as
one case, and one that failed without naming a failed case as one failed case: it crashed, or
took too long. Prints what failed or was skipped, then the sum; exit status 1 when anything
failed or nothing was counted.
"""
import json
import re
import sys
from pathlib import Path

RUNNER = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
CMOCKA = re.compile(r"^\[  (PASSED |SKIPPED|FAILED ) \] (\d+) test\(s\)", re.M)
NOTABLE = re.compile(r"^(?:FAILED|skip)\b.*|^\[  (?:FAILED  |SKIPPED )\] (?!\d+ test).*", re.M)


def cases(result, output):
    runner, cmocka = RUNNER.findall(output), CMOCKA.findall(output)
    if runner:
        passed, failed, skipped = map(int, runner[-1])
    elif cmocka:
        passed, failed, skipped = (
            sum(int(n) for what, n in cmocka if what.strip() == name)
            for name in ("PASSED", "FAILED", "SKIPPED"))
    else:
        passed, failed, skipped = int(result == "OK"), 0, int(result == "SKIP")
    if result not in ("OK", "SKIP") and not failed:
        failed = 1
    return passed, failed, skipped


def main():
    total = [0, 0, 0]
    for build in sys.argv[1:]:
        log = Path(build, "meson-logs/testlog.json")
        for line in log.read_text(encoding="utf-8").splitlines():
            test = json.loads(line)
            output = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
            counts = cases(test["result"], output)
            total = [a + b for a, b in zip(total, counts)]
            name = test["name"].rpartition(" / ")[2]
            for match in sorted(set(NOTABLE.findall(output))):
                print(f"{name}: {match}")
            if counts[1] and test["result"] not in ("OK", "FAIL"):
                print(f"{name}: {test['result']}")
    print("{} passed, {} failed, {} skipped".format(*total))
    return int(bool(total[1]) or not total[0])


if __name__ == "__main__":
    sys.exit(main())
