#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every rule has been seen to apply: in a scene of this machine, or in a golden of another.

The rules are those of docs/reasons.md, which is compared with the table elsewhere; what scenes
come to is in scene_rules.py, and test_scenes.py proves it.
"""
import json
import re

from livetest import SOURCE, check_equal, main, test
from scene_rules import (DATABASE_RULES, INTERPRETER_RULES, JAVA_RULES, LANGUAGE_RULES,
                         LIBRARY_RULES, MEMORY_RULES, MOMENTARY, PYTHON_RULES, RULES)
from test_scenes import ROWS

# Of runtimes and libraries, which only unit tests come to yet (tests/unit/test-explain.c): whoever
# makes a scene of one takes it out here, and no new rule may be put in.
UNIT_ONLY = """go-lock condition-or-mutex stdio-lock exit-lock fork-lock
    join-memory""".split()
PROGRAMS = (*PYTHON_RULES, *INTERPRETER_RULES, *JAVA_RULES, *LANGUAGE_RULES, *DATABASE_RULES,
            *LIBRARY_RULES, *MEMORY_RULES)
GOLDEN = SOURCE / "tests/golden"


def table():
    return re.findall(r"^## (\S+)$", (SOURCE / "docs/reasons.md").read_text(encoding="utf-8"), re.M)


def golden_rules(folder):
    return {thread["wait"].get("rule")
            for path in (GOLDEN / folder).glob("*.json")
            for thread in json.loads(path.read_text(encoding="utf-8"))["threads"]}


@test
def every_rule_is_shown():
    shown = {*RULES, *PROGRAMS, *golden_rules("trees"), *golden_rules("text")}
    check_equal([rule for rule in table() if rule not in {*shown, *UNIT_ONLY}], [],
                "rules that no scene and no golden comes to")
    check_equal([rule for rule in UNIT_ONLY if rule in shown or rule not in table()], [],
                "rules that are no longer without a scene")


@test
def what_a_moment_decides_is_recorded():
    check_equal([rule for rule in MOMENTARY
                 if rule not in golden_rules("trees") | golden_rules("text")], [],
                "rules that scenes may miss and no golden has")


@test
def scenes_name_rules_that_exist():
    check_equal([rule for rule in (*RULES, *PROGRAMS) if rule not in table()], [],
                "rules without a row")
    check_equal(sorted({scene for scenes in RULES.values() for scene in scenes.split()}
                       - set(ROWS)), [], "scenes that do not exist")


@test
def goldens_come_to_rules_that_exist():
    seen = golden_rules("trees") | golden_rules("text")
    check_equal(sorted(rule for rule in seen if rule and rule not in table()), [],
                "rules without a row")


if __name__ == "__main__":
    main(__doc__.partition("\n")[0])
