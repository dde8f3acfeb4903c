#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots other kernels in virtual machines, and sees whether pwhy is right there, too.

Each scene is made inside and judged outside, by the rows of test_scenes.py; every stack that
pwhy --raw shows is compared with the kernel's own; and what pwhy does without privileges, or
without the kernel modules it would like, is looked at. Another kernel is a row of KERNELS.
"""
import argparse
import itertools
import os
import platform
import re
import subprocess
import sys
import tempfile
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


X86_64 = ("x86_64", "qemu-system-x86_64 -machine q35 -cpu max",
          "console=ttyS0")
AARCH64 = ("aarch64", "qemu-system-aarch64 -machine virt -cpu max",
           "console=ttyAMA0")

KERNELS = (
    Kernel("debian-6.1", "linux-image-amd64", *X86_64),
    Kernel("debian-6.12", "linux-image-6.12-amd64", *X86_64),
    Kernel("debian-6.1-rt", "linux-image-rt-amd64", *X86_64),
    Kernel("debian-6.1-arm64", "linux-image-arm64:arm64", *AARCH64),
)
DEFAULT = ("debian-6.1",)
MACHINES = 2  # of one kernel, at the same time; each has its share of the cases

# What the machine itself is made of, and what some scenes need.
MODULES = ("virtio_pci virtio_console virtio_blk crc32c_generic ext4 loop fuse autofs4 overlay "
           "ipv6 mbcache veth vsock").split()
# What pwhy likes to have: loaded after the scenes that must do without.
DIAGS = "unix_diag tcp_diag udp_diag raw_diag netlink_diag af_packet_diag vsock_diag".split()
MOUNTS = """
devpts /dev/pts devpts mode=620,ptmxmode=666
tmpfs /dev/shm tmpfs mode=1777
mqueue /dev/mqueue mqueue -
/dev/vda /tmp ext4 -
tmpfs /sys/fs/cgroup tmpfs -
cpu /sys/fs/cgroup/cpu cgroup cpu
blkio /sys/fs/cgroup/blkio cgroup blkio
freezer /sys/fs/cgroup/freezer cgroup freezer
memory /sys/fs/cgroup/memory cgroup memory
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
# pwhy's options, by what the case is called.
AS_USER_COMMANDS = {"raw": "--raw 1", "other": "--json 1", "all": "--json --all"}
# An emulated processor is slow, the more so for a throttled process.
PATIENT = "--timeout=15s"
# What takes longer than most, how many times.
WEIGHTS = {"identity": 6, "poll-million": 20, "running": 15, "runnable": 8, "throttled": 6,
           "many-threads": 4}
# What the cases are called with each source of facts, and how pwhy is told to use it.
SOURCES = {"proc": "--source=proc", "bpf": "--source=bpf"}


@dataclass(frozen=True)
class Case:
    part: str
    name: str
    line: str  # of the plan
    weight: int = 1


def make_cases(scenes):
    """All there is to do, in order; a part is told from its first word how pwhy is to look."""
    def scene_cases(part, names, prefix=""):
        for name in names:
            if name in scenes:
                yield Case(part, name, f"{prefix}scene {name} {wanted_by(name)}",
                           WEIGHTS.get(name, 1))

    yield from scene_cases("without-diag", WITHOUT_DIAG)
    for source in SOURCES:
        yield from scene_cases(source, scenes if source == "proc" else BY_BPF)
        held = [name for name in HELD if name in scenes]
        yield Case(source, "identity", " ".join(("identity", *held)), WEIGHTS["identity"])
    yield from scene_cases("proc-user", AS_USER, f"as {USER} ")
    for name, words in AS_USER_COMMANDS.items():
        yield Case("proc-user", name, f"as {USER} command {name} {machine.PWHY} {words}")
    yield from scene_cases("proc-no-sys-admin", WITHOUT_CAPABILITY, f"without {CAP_SYS_ADMIN} ")


def wanted_by(name):
    """What is looked at besides the thread: the text, processes by a word of the ready line."""
    row = ROWS.get(name)
    return " ".join(filter(None, (row.check and "text", row.ask))) if row else ""


def share_out(cases, n):
    """The cases of each machine, in their order: the heaviest first to who has the least."""
    shares = [[] for _ in range(n)]
    for case in sorted(cases, key=lambda case: -case.weight):
        min(shares, key=lambda share: sum(c.weight for c in share)).append(case)
    return [[case for case in cases if case in share] for share in shares]


def make_plan(cases, diags, modules):
    """The agent's plan; see kernel/agent.c."""
    diags = {f"{name}.ko" for name in diags} | {"inet_diag.ko"}
    modules = list(modules)
    yield from ("mount proc /proc proc -", "mount sysfs /sys sysfs -",
                "mount devtmpfs /dev devtmpfs -")
    yield from (f"module /modules/{name}" for name in modules if name not in diags)
    yield f"port {machine.PORT}"
    yield from (f"mount {words}" for words in MOUNTS)
    yield "loopback"
    later = [f"module /modules/{name}" for name in modules if name in diags]
    for part, lines in itertools.groupby(cases, lambda case: case.part):
        if part != "without-diag":
            yield from later
            later = []
        yield f"options {SOURCES.get(part.partition('-')[0], '')} {PATIENT}"
        yield f"part {part}"
        yield from (case.line for case in lines)


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
    """Scenes, the identity's stacks and commands, in order; errors; the kernel's release."""
    part, group, errors, release = "", None, [], ""
    groups = []
    for name, data in records:
        if name == "part":
            part = data.decode()
        elif name == "release":
            release = data.decode()
        elif name == "doing":
            group = None
        elif name == "error":
            errors.append(data.decode(errors="replace"))
        elif name in ("scene", "identity"):
            group = Group(part, name, data.decode() or name)
            groups.append(group)
        elif name == "look":
            group.looks.append({})
        elif group is None and name.endswith(".out"):
            group = Group(part, "command", name[:-len(".out")])
            group["out"] = data
            groups.append(group)
        elif group is not None and group.kind == "command":
            group[name.rpartition(".")[2]] = data
        elif group is not None and group.looks and name != "end":
            group.looks[-1][name] = data
        elif group is not None:
            group[name] = data
    return groups, errors, test_scenes.read_release(release)


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
        documents=documents, text=look.get("text.out", b"").decode(),
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
        name = f"{group.part}/{group.name}"
        try:
            if group.kind == "scene":
                why = judge_scene(group, release)
                self.say("skipped" if why else "passed", name, why or "")
            elif group.kind == "identity":
                self.say("passed", name, judge_identity(group))
            else:
                judge_command(group)
                self.say("passed", name)
        except (Failure, AssertionError) as failure:
            self.say("failed", name, str(failure)[:1500])
        except (KeyError, ValueError, IndexError) as e:
            self.say("failed", name, f"expected a record got {e!r}")

    def judge_all(self, cases, machines):
        """Returns what was not done, in words."""
        groups, all_errors = {}, {}
        for one in machines:
            found, errors, release = group_records(one.records())
            all_errors.update(dict.fromkeys(errors))
            groups.update({(group.part, group.name): (group, release) for group in found})
        for error in all_errors:
            self.say("failed", "machine", error)
        # Where a machine stopped, its last case lacks records, and has failed, too.
        for case in cases:
            if found := groups.get((case.part, case.name)):
                self.judge(*found)
        left = [case for case in cases if (case.part, case.name) not in groups]
        names = ", ".join(f"{case.part}/{case.name}" for case in left[:3])
        return f"{len(left)} cases were not tried: {names}, ..." if left else ""


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
    # Of another C library, where its compiler was installed; the scenes say so if not.
    if (musl := build / "tests/lock-musl").exists():
        programs["/bin/lock-musl"] = musl
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
        cases = list(make_cases(arguments.scenes or kernel.scenes.split() or listed))
        machines = make_machines(kernel, place, programs, cases, scratch)
        machine.machines_run(machines, LIMIT_S)
    except (Unavailable, OSError) as why:
        tally.say("skipped", "boot", why)
        return tally.counts
    if arguments.keep:
        Path(arguments.keep).write_text(repr([one.records() for one in machines]),
                                        encoding="utf-8")
    wrong = [f"machine {i} of {len(machines)}: {one.stopped} after {one.seconds:.0f} s, "
             f"boot {one.boots}, doing: {one.doing()}"
             for i, one in enumerate(machines, 1) if one.stopped]
    if left := tally.judge_all(cases, machines):
        wrong.append(left)
    if wrong:
        tally.say("failed", "boot", "; ".join(wrong))
    else:
        seconds = " and ".join(f"{one.seconds:.0f}" for one in machines)
        again = "".join(", one stood still and was booted again" for one in machines
                        if one.boots > 1)
        tally.say("passed", "boot", f"{place.name}, {seconds} s in the machines{again}, "
                  f"{time.monotonic() - begin:.0f} s in all")
    for one in machines:
        if one.stopped:
            print(one.console()[-4000:], file=sys.stderr)
    return tally.counts


def make_machines(kernel, place, programs, cases, scratch):
    """The same machine as often as it takes, each with a plan for its share of the cases."""
    modules = machine.modules_ordered(place, MODULES + DIAGS)
    root = Path(scratch, "root")
    machine.initramfs_make(root, kernel.arch, programs, modules)
    machines = []
    for share in filter(None, share_out(cases, MACHINES)):
        directory = Path(tempfile.mkdtemp(dir=scratch))
        plan = make_plan(share, DIAGS, (path.name for path in modules))
        (root / "plan").write_text("".join(line + "\n" for line in plan), encoding="utf-8")
        machines.append(machine.Machine(kernel, place, root, directory))
    return machines


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
