# SPDX-License-Identifier: GPL-2.0-or-later
"""What the cases of docs/cases.md share: programs, a place for them, what pwhy says of them.

With CASES_SHOW in the environment, what pwhy prints is printed, for the document.
"""
import contextlib
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from livetest import PARTLY, SHOWN, Skip, pwhy, task, wait_until

DEADLOCK = 4
ANY = (SHOWN, PARTLY, DEADLOCK)
QUIET = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def need(*programs):
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin"
    found = [shutil.which(p, path=path) or
             next((str(f) for f in Path("/usr/lib/postgresql").glob(f"*/bin/{p}")), None)
             for p in programs]
    if None in found:
        raise Skip(f"{programs[found.index(None)]} is not installed")
    return found


def without_stacks(text):
    """What pwhy printed, but for the lines of user stacks: they are long, and not of this machine."""
    kept, margin = [], None
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if margin is not None and indent > margin:
            continue
        margin = indent if re.match(r" +user  ", line) else None
        if margin is None and not line.startswith("missing"):
            kept.append(line)
    return kept


def show(*args, status=ANY):
    """What a user would see; printed for the document if that is wanted."""
    text = pwhy("--no-kernel", *args, status=status).decode()
    if os.environ.get("CASES_SHOW"):
        print(f"    $ pwhy {' '.join(map(str, args))}")
        print("".join(f"    {line}".rstrip() + "\n" for line in without_stacks(text)))
    return text


def say(text):
    if os.environ.get("CASES_SHOW"):
        print("".join(f"    {line}".rstrip() + "\n" for line in text.splitlines()))


def document(*args):
    return json.loads(pwhy("--json", *args, status=ANY))


@contextlib.contextmanager
def directory(**more):
    with tempfile.TemporaryDirectory(prefix="pwhy-case-", **more) as name:
        os.chmod(name, 0o755)
        yield Path(name)


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listening(number):
    def connects():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", number)) == 0
    wait_until(connects, f"something listens on {number}")


def children_of(pid):
    found = set()
    for tid in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):
            found |= set(map(int, Path(f"/proc/{pid}/task/{tid}/children").read_text().split()))
    return sorted(found)


def descendants_of(pid):
    found = []
    for child in children_of(pid):
        found += [child, *descendants_of(child)]
    return found


def user_for(name, place):
    """How to run a server that refuses to be root: keywords of Popen(); the place becomes its own."""
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise Skip(f"there is no user {name}, and root may not run it") from None
    os.chown(place, user.pw_uid, -1)
    return {"user": user.pw_uid}


def name_of(pid):
    return (task(pid) / "comm").read_text().strip()
