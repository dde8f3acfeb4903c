#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots other kernels in virtual machines, and sees whether pwhy is right there, too.

Each scene is made inside and judged outside, by the rows of test_scenes.py; every stack that
pwhy --raw shows is compared with the kernel's own; and what pwhy does without privileges, or
without the kernel modules it would like, is looked at. Another kernel is a row of KERNELS.
"""
import argparse
import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import machine
import test_raw
import test_scenes
from machine import USER, Unavailable
from test_scenes import Check, Evidence, Failure, ROWS

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 720
CAP_SYS_ADMIN = 21
REMEDY = re.compile(r"sudo|root|CAP_SYS_ADMIN")


@dataclass(frozen=True)
class Kernel:
    name: str
    package: str  # of the kernel, or a meta-package that depends on it
    arch: str  # as uname -m: the programs of PWHY_BUILD, or those of PWHY_BUILD-ARCH
    qemu: str
    cmdline: str
    scenes: str = ""  # only these; empty: all


X86_64 = ("x86_64", "qemu-system-x86_64 -machine q35 -accel tcg -cpu max",
          "console=ttyS0")
AARCH64 = ("aarch64", "qemu-system-aarch64 -machine virt -accel tcg -cpu max",
           "console=ttyAMA0")

KERNELS = (
    Kernel("debian-6.1", "linux-image-amd64", *X86_64),
    Kernel("debian-6.12", "linux-image-6.12-amd64", *X86_64),
    Kernel("debian-6.1-rt", "linux-image-rt-amd64", *X86_64),
    Kernel("debian-6.1-arm64", "linux-image-arm64:arm64", *AARCH64),
)
DEFAULT = ("debian-6.1",)

# What the machine itself is made of, and what some scenes need.
MODULES = ("virtio_pci virtio_console virtio_blk crc32c_generic ext4 loop fuse autofs4 overlay "
           "ipv6 mbcache").split()
# What pwhy likes to have: loaded after the scenes that must do without.
DIAGS = "unix_diag tcp_diag udp_diag raw_diag netlink_diag af_packet_diag".split()
MOUNTS = """
devpts /dev/pts devpts mode=620,ptmxmode=666
tmpfs /dev/shm tmpfs mode=1777
mqueue /dev/mqueue mqueue -
/dev/vda /tmp ext4 -
tmpfs /sys/fs/cgroup tmpfs -
cpu /sys/fs/cgroup/cpu cgroup cpu
blkio /sys/fs/cgroup/blkio cgroup blkio
freezer /sys/fs/cgroup/freezer cgroup freezer
cgroup2 /sys/fs/cgroup/unified cgroup2 -
""".split("\n")[1:-1]
# Held while all stacks are compared, so that there are some of every kind.
HELD = """tcp-accept tcp-recv udp-recvfrom unix-accept unix-recv pipe-read-empty pipe-write-full
fifo-open-read tty-read poll epoll-wait select eventfd-read inotify-read nanosleep pause
sigwaitinfo futex-wait pthread-cond many-threads wait-any vfork stopped traced-syscall frozen-v1
frozen-v2 disk-read-file userfaultfd-write flock posix-lock fuse-read fuse-stat sysv-msgrcv
mq-receive io-uring-wait""".split()
WITHOUT_DIAG = """tcp-accept tcp6-accept tcp-recv tcp-connect udp-recvfrom unix-accept unix-recv
unix-connect-full netlink-recv packet-recv raw-recv""".split()
AS_USER = """tcp-accept tcp-recv unix-accept unix-recv pipe-read-empty pipe-write-full
fifo-open-read poll epoll-wait eventfd-read timerfd-read nanosleep pause futex-wait pthread-mutex
many-threads wait-any zombie stopped flock posix-lock sysv-semop mq-receive
hostile-names""".split()
# What the program inside the kernel may see otherwise than files; the rest is the same code.
BY_BPF = HELD + """pipe-mutex position-mutex inode-rwsem userfaultfd-fault throttled stopped zombie
int80-read pid-namespace running""".split()
WITHOUT_CAPABILITY = "tcp-accept pipe-read-empty nanosleep futex-wait flock".split()
# An emulated processor is slow, the more so for a throttled process.
PATIENT = "--timeout=15s"
# What the cases are called with each source of facts, and how pwhy is told to use it.
SOURCES = {"proc": "--source=proc", "bpf": "--source=bpf"}


def make_plan(scenes, diags, modules):
    """The agent's plan; see kernel/agent.c."""
    diags = {f"{name}.ko" for name in diags}
    yield from ("mount proc /proc proc -", "mount sysfs /sys sysfs -",
                "mount devtmpfs /dev devtmpfs -")
    modules = list(modules)
    yield from (f"module /modules/{name}" for name in modules if name not in diags and
                name != "inet_diag.ko")
    yield f"port {machine.PORT}"
    yield from (f"mount {words}" for words in MOUNTS)
    yield "loopback"
    yield "command uname /bin/pwhy --json 1"
    yield "part without-diag"
    yield from (f"scene {name}" for name in WITHOUT_DIAG if name in scenes)
    yield from (f"module /modules/{name}" for name in modules if name in diags or
                name == "inet_diag.ko")
    for source, option in SOURCES.items():
        yield f"options {option} {PATIENT}"
        yield f"part {source}"
        yield from (f"scene {name}" for name in scenes if source == "proc" or name in BY_BPF)
        yield "identity " + " ".join(name for name in HELD if name in scenes)
        if source != "proc":
            continue
        yield f"part {source}-user"
        yield from (f"as {USER} scene {name}" for name in AS_USER if name in scenes)
        yield f"as {USER} command raw {machine.PWHY} --raw 1"
        yield f"as {USER} command other {machine.PWHY} --json 1"
        yield f"as {USER} command all {machine.PWHY} --json --all"
        yield f"part {source}-no-sys-admin"
        yield from (f"without {CAP_SYS_ADMIN} scene {name}" for name in WITHOUT_CAPABILITY
                    if name in scenes)


# Reading the records


class Group(dict):
    """Records of one scene or command, by name."""

    def __init__(self, part, kind, name):
        super().__init__()
        self.part, self.kind, self.name = part, kind, name
        self.looks = []  # of a scene

    def number(self, name):
        return int(self[name])


def group_records(records):
    """Scenes, the identity's stacks and commands, in order."""
    part, group, errors = "", None, []
    groups = []
    for name, data in records:
        if name == "part":
            part = data.decode()
        elif name == "error":
            errors.append(data.decode(errors="replace"))
        elif name in ("scene", "identity"):
            group = Group(part, name, data.decode())
            groups.append(group)
        elif name == "look":
            group.looks.append({})
        elif name.endswith(".out") and (group is None or group.kind == "command" or
                                        "end" in group or "stacks.after" in group):
            group = Group(part, "command", name[:-len(".out")])
            group["out"] = data
            groups.append(group)
        elif group is not None and group.kind == "command":
            group[name.rpartition(".")[2]] = data
        elif group is not None and group.looks and name != "end":
            group.looks[-1][name] = data
        elif group is not None:
            group[name] = data
    return groups, errors


def make_evidence(group, look, row, ready, root, release):
    documents = {
        name[len("json."):-len(".out")]: test_scenes.read_document(
            int(look[name[:-len("out")] + "status"]), data, look[name[:-len("out")] + "err"])
        for name, data in look.items() if name.startswith("json.") and name.endswith(".out")}
    stack = look.get("stack")
    before, after = (
        test_scenes.thread_facts(lambda name, when=when: look.get(f"{when}.{name}"), row.still)
        for when in ("before", "after"))
    return Evidence(
        ready=ready, begin=group.number("begin"), made=group.number("made"),
        asked=int(look["asked"]), answered=int(look["answered"]), before=before, after=after,
        documents=documents, text=look["text.out"].decode(),
        stack=None if stack is None else stack.decode(),
        device=tuple(look["device"].decode().split(" ")) if "device" in look else None,
        root=root, release=release)


# Judging


def judge_scene(group, release):
    """Returns a reason for skipping, or None; raises Failure."""
    row = ROWS.get(group.name)
    if row is None:
        raise Failure("a row for this scene", "none")
    if group.part == "without-diag":
        row = replace(row, on="")  # who has the other end, only these modules tell
    ready, skip = test_scenes.read_line(group["line"])
    status, _, err = group.get("end", b"-1 no end").decode(errors="replace").partition(" ")
    if ready:
        root = group.part in ("without-diag", *SOURCES)
        tries = [make_evidence(group, look, row, ready, root, release) for look in group.looks]
        test_scenes.judge_tries(row, tries)
        for evidence, look in zip(tries, group.looks):
            judge_privilege(group.part, evidence)
            judge_source(group.part, evidence)
            judge_raw(row, evidence, look)
    return test_scenes.scene_outcome(ready, skip, int(status), err)


def judge_source(part, evidence):
    for document in evidence.documents.values():
        if part in SOURCES and document["capture"]["source"] != part:
            raise Failure(f"source {part}", document["capture"])


def judge_raw(row, evidence, look):
    """pwhy --raw TID: the bytes of the kernel."""
    if row.still and evidence.stack is not None and look["raw.out"] != look["stack"]:
        raise Failure(f"pwhy --raw {look['stack']!r}", look["raw.out"])


def judge_privilege(part, evidence):
    """Without CAP_SYS_ADMIN there is no kernel stack, and pwhy says so."""
    if not part.endswith(("-user", "-no-sys-admin")):
        return
    document = evidence.documents[evidence.ready["tid"]]
    missing = document["capture"]["missing"]
    if any("kernel_stack" in thread for thread in document["threads"]):
        raise Failure("no kernel stack", "one")
    state = test_scenes.thread_of(document, evidence.ready["tid"])["state"]
    if state not in "ZR" and not any("kernel stack" in gap["what"] and REMEDY.search(gap["why"])
                                     for gap in missing):
        raise Failure("a gap for the kernel stack", missing)


def judge_identity(group):
    """Every thread that kept still, byte for byte; returns what to say about it."""
    header = re.compile(rb"^==> (\d+) (\d+) (\S) (\d+) <==\n", re.M)

    def read(data):
        parts = header.split(data)
        return {(int(pid), int(tid)): (state, switches, stack) for pid, tid, state, switches, stack
                in zip(parts[1::5], parts[2::5], parts[3::5], parts[4::5], parts[5::5])}

    before, after = read(group["stacks.before"]), read(group["stacks.after"])
    if int(group["shown.status"]) not in (0, 3):
        raise Failure("exit status 0", group["shown.err"])
    shown = test_raw.sections(group["shown.out"])
    still = {thread for thread, was in before.items() if was[0] != b"R" and
             after.get(thread) == was}
    for thread in sorted(still):
        if shown.get(thread) != before[thread][2]:
            raise Failure(f"{thread}: {before[thread][2]!r}", shown.get(thread))
    if len(still) < 0.5 * len(before) or len(still) < 50:
        raise Failure("a quiet machine", f"{len(still)} of {len(before)} threads kept still")
    return f"{len(still)} of {len(before)} threads kept still and were compared"


def judge_command(group):
    status = group.number("status")
    if group.name == "raw":
        if status != 3 or group["out"].strip() or not REMEDY.search(group["err"].decode()):
            raise Failure("nothing but a remedy, exit status 3",
                          f"{status}: {group['out']!r} {group['err']!r}")
        return
    document = test_scenes.read_document(status, group["out"], group["err"])
    if group.name == "other":
        thread = document["threads"][0]
        known = [f for f in ("kernel_stack", "user_stack", "syscall", "exe") if f in thread]
        wait = thread["wait"]
        if known or wait["confidence"] == "certain" and wait["reason"] != "unknown":
            raise Failure("little of another user's process", thread)
    if not document["capture"]["missing"]:
        raise Failure("gaps", "none")
    if any(thread.get("kernel_stack") == [] for thread in document["threads"]):
        raise Failure("no empty stacks", "some")


# Running


class Tally:
    def __init__(self, kernel):
        self.kernel = kernel
        self.counts = dict.fromkeys(("passed", "failed", "skipped"), 0)

    def say(self, result, name, text=""):
        word = {"passed": "ok", "failed": "FAILED", "skipped": "skip"}[result]
        self.counts[result] += 1
        print(f"{word} {self.kernel}/{name}{': ' if text else ''}{text}", flush=True)

    def judge(self, group, release):
        name = "/".join(filter(None, (group.part, group.name or group.kind)))
        try:
            if group.kind == "scene":
                why = judge_scene(group, release)
                self.say("skipped" if why else "passed", name, why or "")
            elif group.kind == "identity":
                self.say("passed", name, judge_identity(group))
            elif group.name != "uname":
                judge_command(group)
                self.say("passed", name)
        except (Failure, AssertionError) as failure:
            self.say("failed", name, str(failure)[:1500])
        except (KeyError, ValueError, IndexError) as e:
            self.say("failed", name, f"expected a record got {e!r}")


def programs_for(kernel, build, scratch):
    """The programs inside; the agent is built here and now, as it is part of no build."""
    if kernel.arch != platform.machine():
        build, prefix = Path(f"{build}-{kernel.arch}"), f"{kernel.arch}-linux-gnu-"
    else:
        prefix = ""
    agent = Path(scratch, "agent")
    programs = {machine.PWHY: build / "pwhy", "/bin/pwhy-elf": build / "pwhy-elf",
                "/bin/scene": build / "tests/scene"}
    for path in programs.values():
        if not os.access(path, os.X_OK):
            raise Unavailable(f"{path} was not built")
    machine.run(f"{prefix}gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-static", "-o", agent,
                *sorted((ROOT / "tests/live/kernel").glob("*.c")))
    # What glibc loads when a thread ends.
    library = machine.run(f"{prefix}gcc", "-print-file-name=libgcc_s.so.1").decode().strip()
    return programs | {"/bin/agent": agent, "/lib/libgcc_s.so.1": library}


def test_kernel(kernel, arguments, scratch):
    tally = Tally(kernel.name)
    begin = time.monotonic()
    try:
        programs = programs_for(kernel, arguments.build, scratch)
        place = machine.kernel_fetch(kernel.package, MODULES + DIAGS, arguments.cache)
        listed = subprocess.run([arguments.build / "tests/scene", "--list"], check=True,
                                capture_output=True, text=True).stdout.split()
        scenes = arguments.scenes or kernel.scenes.split() or listed
        done = machine.machine_run(kernel, place, programs, MODULES + DIAGS,
                                   lambda names: make_plan(scenes, DIAGS, names), LIMIT_S)
    except (Unavailable, OSError) as why:
        tally.say("skipped", "boot", why)
        return tally.counts
    if arguments.keep:
        Path(arguments.keep).write_text(repr(done.records), encoding="utf-8")
    groups, errors = group_records(done.records)
    for error in errors:
        tally.say("failed", "machine", error)
    release = (0, 0)
    for group in groups:
        if group.name == "uname" and group.kind == "command":
            document = test_scenes.read_document(group.number("status"), group["out"],
                                                 group["err"])
            release = test_scenes.read_release(document["host"]["kernel"])
        tally.judge(group, release)
    if done.done:
        tally.say("passed", "boot", f"{place.name}, {done.seconds:.0f} s in the machine, "
                  f"{time.monotonic() - begin:.0f} s in all")
    else:
        tally.say("failed", "boot", f"ended after {done.seconds:.0f} s at "
                  f"{groups[-1].name if groups else 'the beginning'}")
        print(done.console[-4000:], file=sys.stderr)
    return tally.counts


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", type=Path, metavar="DIR",
                        default=Path(os.environ.get("PWHY_BUILD", ROOT / "build")))
    parser.add_argument("--cache", type=Path, default=ROOT / "build/kernels", metavar="DIR",
                        help="where unpacked kernels are kept (%(default)s)")
    parser.add_argument("--keep", metavar="FILE", help="write the records there, too")
    parser.add_argument("--scene", dest="scenes", action="append", metavar="NAME",
                        help="only this scene")
    parser.add_argument("names", nargs="*", metavar="KERNEL",
                        help=f"{', '.join(k.name for k in KERNELS)}, or all; "
                        f"without: {', '.join(DEFAULT)}")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    names = arguments.names or DEFAULT
    chosen = [k for k in KERNELS if k.name in names or "all" in names]
    if unknown := set(names) - {k.name for k in KERNELS} - {"all"}:
        sys.exit(f"no such kernel: {' '.join(sorted(unknown))}")
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for kernel in chosen:
        with machine.scratch_directory() as scratch:
            for key, n in test_kernel(kernel, arguments, scratch).items():
                total[key] += n
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**total))
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
