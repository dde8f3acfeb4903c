#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live test of the ELF server's answers: files compiled here, and the system's own, compared with
what binutils and elfutils say of them. Asked by elfask.c.
"""
import bisect
import http.server
import os
import random
import re
import shutil
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from livetest import SOURCE, Skip, built, check, check_equal, main, need_root, running, test

FILES = SOURCE / "tests/live/elf"
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
REGISTERS = ("rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip").split()


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            raise Skip(f"needs {tool}")


def need_x86():
    if os.uname().machine != "x86_64":
        raise Skip("expectations are of x86-64")


def run(*words, text=None, ok=(0,)):
    done = subprocess.run([str(word) for word in words], input=text, capture_output=True,
                          text=True, check=False, timeout=240)
    check(done.returncode in ok, f"{words[:4]}: {done.stderr[-1500:]}")
    return done.stdout


def ask(what, *files, addresses=(), ok=True, env=()):
    """Lines of elfask's answer."""
    environment = {**os.environ, "PWHY_ELF": built("pwhy-elf"), **dict(env)}
    done = subprocess.run([built("tests/elfask"), what, *map(str, files)], check=False,
                          input="".join(f"{a:x}\n" for a in addresses), capture_output=True,
                          text=True, timeout=240, env=environment)
    check((done.returncode == 0) == ok, f"elfask {what} {files}: {done.stderr}")
    return done.stdout if ok else done.stderr


def compiled(directory, name, *options, source="plain.c", compiler="gcc"):
    need(compiler)
    path = Path(directory, name)
    run(compiler, "-o", path, *options, FILES / source)
    return path


def symbols(path, *options):
    """{name: (address, size)} of nm."""
    found = {}
    for line in run("nm", "-S", *options, path).splitlines():
        words = line.split()
        if len(words) == 4:
            found[words[3].split("@")[0]] = int(words[0], 16), int(words[1], 16)
        elif len(words) == 3 and words[1] in "tT":
            found[words[2]] = int(words[0], 16), 0
    return found


def text_addresses(path, step):
    """Addresses all over .text that functions cover, and not only parts of them: of these,
    eu-addr2line leaves out the function itself.
    """
    covered = sorted((start, start + size) for name, (start, size) in symbols(path).items()
                     if not re.search(r"\.(cold|part)", name))
    for line in run("readelf", "-SW", path).splitlines():
        match = re.search(r"\] \.text\s+PROGBITS\s+(\w+) (\w+) (\w+)", line)
        if match:
            start, size = int(match[1], 16), int(match[3], 16)
            ends = [first for first, _ in covered]
            return [a for a in range(start, start + size, step)
                    if (i := bisect.bisect_right(ends, a)) and a < covered[i - 1][1]]
    raise AssertionError(f"no .text in {path}")


# ---- rows

def readelf_rows(path):
    """{pc: {register: rule}} of readelf's table, "CFA" among the registers."""
    rows, columns, end = {}, [], 0
    # Its exit status is 1 where it warns of anything.
    done = subprocess.run(["readelf", "--debug-dump=frames-interp", "-W", path], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=240)
    for line in done.stdout.splitlines():
        words = re.sub(r"(r\d+) \(\w+\)", r"\1", line).split()
        if "FDE cie=" in line:
            columns = []
            end = int(line.rpartition("..")[2], 16)
        elif "CIE" in line:
            columns = None
        elif words[:1] == ["LOC"] and columns is not None:
            columns = words[1:]
        elif columns and re.fullmatch(r"[0-9a-f]{16}", words[0] if words else ""):
            if int(words[0], 16) < end: # a program may go on behind its FDE's end
                rows.setdefault(int(words[0], 16), dict(zip(columns, words[1:])))
    return rows


def our_rows(path, addresses):
    """{pc: (status, flags, {register: rule})}."""
    rows = {}
    for line in ask("rows", path, addresses=addresses).splitlines():
        words = line.split()
        flags, _, rules = line.partition(" cfa ")
        rules = rules.split()
        rows[int(words[0], 16)] = (words[1], flags.split()[4:], rules[:1] + [
            rule for rule in rules[1:]])
    return rows


def rule_said(rule):
    """Ours, as readelf has it."""
    number, how = rule.split(":", 1)
    match = re.fullmatch(r"(reg|at|cfa|register)([+-]\d+)?(=\w+)?", how)
    if how == "same":
        said = "u"
    elif "expr" in how:
        said = "vexp" if how.startswith("expr") else "exp"
    elif match[1] == "reg":
        said = REGISTERS[int(number)] + match[2]
    elif match[1] == "register":
        said = f"r{int(match[2])}"
    else:
        said = {"at": "c", "cfa": "v"}[match[1]] + match[2]
    return int(number), said


def rows_compare(path, most=20000):
    """Each row that readelf has: same CFA, same rules. How many were compared."""
    theirs = readelf_rows(path)
    pcs = sorted(theirs)
    if len(pcs) > most:
        pcs = sorted(random.Random(1).sample(pcs, most))
    ours = our_rows(path, pcs)
    for pc in pcs:
        wanted = theirs[pc]
        status, flags, rules = ours[pc]
        check_equal(status, "row", f"{path}: row of {pc:x}")
        cfa = rule_said(rules[0])[1]
        check_equal("exp" if "exp" in cfa else cfa, wanted.pop("CFA"), f"{path}: CFA of {pc:x}")
        said = dict(map(rule_said, rules[1:]))
        for register, rule in wanted.items():
            number = REGISTERS.index("rip" if register == "ra" else register)
            got = said.get(number, "u")
            if rule == "u" and register == "ra":
                check("outermost" in flags, f"{path}: {pc:x} is outermost")
            elif rule in ("u", "s"):
                check(got == "u" or number == 7, f"{path}: {register} at {pc:x}: {got}, not {rule}")
            else:
                check_equal(got, rule, f"{path}: {register} at {pc:x}")
    return len(pcs)


@test
def rows_of_the_system():
    """Libraries and programs that are here, against readelf."""
    need_x86()
    need("readelf")
    compared = 0
    for path in (LIBC, "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libm.so.6",
                 "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/bin/bash",
                 "/usr/lib/x86_64-linux-gnu/libdw.so.1"):
        if os.path.exists(path):
            compared += rows_compare(path, 4000)
    check(compared > 5000, f"only {compared} rows")


@test
def rows_of_compilers():
    need_x86()
    need("readelf")
    with tempfile.TemporaryDirectory() as directory:
        for compiler in filter(shutil.which, ("gcc", "clang")):
            for options in (["-O0"], ["-O2"], ["-O3", "-fomit-frame-pointer"], ["-Os"],
                            ["-O2", "-flto", "-fuse-ld=bfd"] if compiler == "gcc" else ["-O1"],
                            ["-O2", "-static"], ["-O2", "-static-pie"],
                            ["-O2", "-fPIC", "-shared"]):
                path = compiled(directory, "program", *options, compiler=compiler)
                check(rows_compare(path) > 10, f"{compiler} {options}: few rows")


@test
def rows_of_debug_frame():
    """No .eh_frame for the code: .debug_frame of the file, or of its debug file."""
    need_x86()
    need("readelf", "objcopy")
    with tempfile.TemporaryDirectory() as directory:
        path = compiled(directory, "program", "-O2", "-g", "-nostdlib", "-shared", "-fPIC",
                        "-fno-asynchronous-unwind-tables", "-Wl,--build-id")
        check(rows_compare(path) > 10, "few rows")
        address = symbols(path)["leaf"][0]
        wanted = ask("rows", path, addresses=[address])
        run("objcopy", "--only-keep-debug", path, f"{path}.debug")
        run("objcopy", "-S", path)
        check_equal(ask("rows", path, addresses=[address]).split()[1], "none", "stripped")
        check_equal(ask("rows", path, f"{path}.debug", addresses=[address]), wanted, "debug file")


@test
def rows_by_hand():
    """Expressions, registers, signal frames, the end of a stack: exactly."""
    need_x86()
    with tempfile.TemporaryDirectory() as directory:
        path = compiled(directory, "odd.so", "-shared", "-nostdlib", source="odd.S")
        names = symbols(path)
        start = names["by_expression"][0]
        addresses = [start + 1, start + 2, start + 3, start + 4, names["by_signal"][0],
                     names["by_nonsense"][0], names["by_nobody"][0], names["without_cfi"][0]]
        rows = our_rows(path, addresses)
        kept = ["6:same", "7:cfa+0"]
        rest = ["13:same", "14:same", "15:same", "16:at-8"]
        check_equal(rows[start + 1], ("row", ["ra=16"], [
            "0:expr=77102300", "3:at-expr=481c", *kept, "12:same", *rest]), "expressions")
        value = "12:expr=770833242f010096"
        check_equal(rows[start + 2][2][4], value, "a value with a branch")
        check_equal(rows[start + 3][2][4:7], [value, "13:register+0", "14:cfa+32"], "registers")
        check_equal(rows[start + 4][1], ["ra=16", "outermost"], "undefined return address")
        check_equal(rows[names["by_signal"][0]][1], ["ra=16", "signal"], "signal frame")
        check_equal(rows[names["by_signal"][0]][2][0], "6:reg+1234567", "large offset")
        check_equal(rows[names["by_nonsense"][0]][0], "bad", "operation out of place")
        check_equal(rows[names["by_nobody"][0]][0], "bad", "instruction that does not exist")
        check_equal(rows[names["without_cfi"][0]][0], "none", "no CFI")


@test
def rows_of_arm64():
    """Signed return addresses; a recorded file, since this machine has no compiler for it."""
    path = SOURCE / "tests/fuzz/corpus/elf/arm64"
    start, size = symbols(path)["enter"]
    seen = []
    for line in ask("rows", path, addresses=range(start, start + size, 4)).splitlines():
        words = line.split()
        check_equal(words[1], "row", "status")
        check("ra=30" in words, "x30 has the return address")
        row = int(words[2], 16), "signed" in words
        if row not in seen:
            seen.append(row)
    check_equal([signed for _, signed in seen][:2], [False, True], "signed after paciasp")
    check_equal(seen[1][0], start + 4, "from the second instruction on")
    check("29:at-" in line or "30:" in line, "x29 and x30 are told")


# ---- names

def tool_names(tool, path, addresses):
    """[[(function, file, line), …]] of an addr2line, innermost first."""
    # Its exit status is 1 if one of the addresses is not known.
    style = ["--output-style=GNU"] if tool == "llvm-symbolizer" else []
    text = run(tool, *style, "-a", "-i", "-f", "-C", "-e", path, ok=(0, 1),
               text="".join(f"0x{a:x}\n" for a in addresses))
    answers = re.split(r"^0x[0-9a-f]+\n", text, flags=re.M)[1:]
    found = []
    for answer in answers:
        lines = answer.splitlines()
        frames = []
        for function, place in zip(lines[::2], lines[1::2]):
            match = re.match(r"(.*?):(\d+|\?)(?::\d+)?(?: \(discriminator \d+\))?$", place)
            function = re.sub(r" inlined at .* in .*$", "", function)
            frames.append((function, os.path.basename(match[1]), int(match[2].replace("?", "0"))))
        found.append(frames)
    return found


def our_lines(*files, addresses, what="lines", env=()):
    found = []
    for answer in ask(what, *files, addresses=addresses, env=env).split("\n\n")[:-1]:
        frames = []
        for line in answer.splitlines():
            function, place = line.split("\t")[:2]
            file, _, number = place.rpartition(":")
            frames.append((function, os.path.basename(file), int(number)))
        found.append(frames)
    return found


def plain_name(name):
    """Without parameters and clones: the tools differ in how they write these."""
    name = re.sub(r" const$", "", name)
    name = re.sub(r"\[clone .*?\]|\.(constprop|isra|part|cold|lto_priv)\b[.\d]*", "", name)
    depth, out = 0, []
    for c in name.replace("(anonymous namespace)", "{anonymous}").replace("operator()", "call"):
        depth += c in "(<"
        if not depth:
            out.append(c)
        depth -= c in ")>" and depth > 0
    return "".join(out).strip().rpartition("::")[2].rpartition(" ")[2]


def names_compare(tool, path, addresses, ends=False):
    """Share of addresses with the same frames: functions, files and lines. ends: place of the
    innermost and function of the outermost only.
    """
    same, different = 0, []
    for address, theirs, ours in zip(addresses, tool_names(tool, path, addresses),
                                     our_lines(path, addresses=addresses)):
        theirs = [(plain_name(f), line and file, line) for f, file, line in theirs]
        ours = [(plain_name(f), line and file, line) for f, file, line in ours]
        if theirs == ours or (ends and theirs[0][1:] == ours[0][1:] and
                              theirs[-1][0] == ours[-1][0]):
            same += 1
        else:
            different.append((hex(address), ours, theirs))
    return same / len(addresses), different


@test
def names_of_compilers():
    """C++ with inlining, at each level: the frames of eu-addr2line or, for clang, whose lines
    this does not find (there is no .debug_aranges), of llvm-symbolizer, if that is here.
    """
    need("eu-addr2line", "readelf")
    with tempfile.TemporaryDirectory() as directory:
        for compiler in filter(shutil.which, ("g++", "clang++")):
            for options in (["-O0"], ["-O1"], ["-O2"], ["-O3"], ["-O2", "-gdwarf-4"],
                            ["-O2", "-gz=zlib"], ["-O2", "-static"], ["-O2", "-flto"]):
                if compiler == "clang++" and "-flto" in options:
                    if not shutil.which("ld.lld"):
                        continue
                    options = ["-O2", "-flto", "-fuse-ld=lld"]
                path = compiled(directory, "program", "-g", *options, source="calls.cc",
                                compiler=compiler)
                addresses = text_addresses(path, 13 if "-static" not in options else 4999)
                # With -flto, eu-addr2line does not find what was inlined from another unit.
                tool = "eu-addr2line" if compiler == "g++" else "llvm-symbolizer"
                # Of several names of a library's function, llvm prefers others.
                if not shutil.which(tool) or (compiler == "clang++" and "-static" in options):
                    continue
                share, different = names_compare(tool, path, addresses, ends="-flto" in options)
                check(share >= 0.99, f"{compiler} {options}: {share:.4f} of {len(addresses)} the "
                      f"same: {different[:3]}")


@test
def symbols_of_the_system():
    """Libraries and programs that are here, with debug files if there are: as eu-addr2line."""
    need("eu-addr2line", "readelf")
    compared = 0
    for path in (LIBC, "/lib64/ld-linux-x86-64.so.2", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
                 "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "/bin/bash"):
        if not os.path.exists(path):
            continue
        match = re.search(r"\] \.text\s+PROGBITS\s+(\w+) \w+ (\w+)", run("readelf", "-SW", path))
        start, size = int(match[1], 16), int(match[2], 16)
        chosen = random.Random(2)
        addresses = [start + chosen.randrange(size) for _ in range(1000)]
        text = run("eu-addr2line", "-a", "-S", "-C", "-e", path, ok=(0, 1),
                   text="".join(f"0x{a:x}\n" for a in addresses))
        theirs = re.split(r"^0x[0-9a-f]+\n", text, flags=re.M)[1:]
        for address, ours, answer in zip(
                addresses, our_lines(path, addresses=addresses, what="find"), theirs):
            lines = answer.splitlines()
            name = "??"
            if len(lines) > 1 and not lines[0].startswith("("):
                name = re.sub(r"(\+0x[0-9a-f]+)?( \([^)]*\))?$", "", lines[0]).split("@")[0]
            check_equal(ours[-1][0], name, f"{path}: {address:x}")
            compared += 1
    check(compared >= 3000, f"only {compared} compared")


@test
def names_one_by_one():
    """A module that is asked for few addresses is not gone through as one that is for many: the
    answers are the same."""
    need_x86()
    with tempfile.TemporaryDirectory() as directory:
        for path in (LIBC, "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "/bin/bash",
                     compiled(directory, "odd.so", "-shared", "-nostdlib", source="odd.S")):
            if not os.path.exists(path):
                continue
            match = re.search(r"\] \.text\s+PROGBITS\s+(\w+) \w+ (\w+)", run("readelf", "-SW", path))
            start, size = int(match[1], 16), int(match[2], 16)
            chosen = random.Random(3)
            addresses = [start + chosen.randrange(-40, size + 40) for _ in range(120)]
            many = ask("names", path, addresses=addresses).splitlines()
            few = []
            for i in range(0, len(addresses), 6):
                few += ask("names", path, addresses=addresses[i:i + 6]).splitlines()
            check_equal(few, many, f"{path}")


@test
def names_of_languages():
    """Rust's two manglings, C++, and what only looks like it; the best of several names."""
    need_x86()
    with tempfile.TemporaryDirectory() as directory:
        path = compiled(directory, "odd.so", "-shared", "-nostdlib", source="odd.S")
        found = symbols(path)
        wanted = {
            "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE": "core::fmt::Write::write_fmt",
            "_RNvCs15kBYyAo9fc_7mycrate7example": "mycrate::example",
            "_RINvNtC3std3mem8align_ofNtNtC3std3mem12DiscriminantE":
                "std::mem::align_of::<std::mem::Discriminant>",
            "_ZNSt6vectorIiSaIiEE9push_backEOi":
                "std::vector<int, std::allocator<int> >::push_back(int&&)",
            "_ZN3foo3barEv": "foo::bar()",
            "_Znot_a_mangled_name": "_Znot_a_mangled_name",
            "label_without_size": "label_without_size",
        }
        for symbol, name in wanted.items():
            line = ask("names", path, addresses=[found[symbol][0] + 1]).split("\t")
            check_equal((line[1], line[2], line[4]), (name, symbol, "1"), "function")
        # Of several names the first; programs call one that has no underscores.
        line = ask("names", path, addresses=[found["alias"][0]]).split("\t")
        check_equal((line[1], line[3]), ("__alias_inner", "alias"), "one place, four names")
        # The label ends where the next symbol with a size begins.
        line = ask("names", path, addresses=[found["without_cfi"][0] - 1]).split("\t")
        check_equal(line[1], "by_nobody", "the function before")


@test
def names_of_stripped():
    """.dynsym only; with MiniDebugInfo; with the debug file that the link names."""
    need("objcopy", "strip", "xz")
    with tempfile.TemporaryDirectory() as directory:
        path = compiled(directory, "lib.so", "-O1", "-g", "-shared", "-fPIC", "-Wl,--build-id")
        found = symbols(path)
        address, hidden = found["entry"][0] + 1, found["many"][0] + 1
        whole = our_lines(path, addresses=[address, hidden])
        check_equal(whole[1][-1][:2], ("many", "plain.c"), "with everything")

        run("objcopy", "--only-keep-debug", path, f"{path}.debug")
        run("objcopy", "--strip-debug", path, f"{path}.names")
        run("xz", "-k", f"{path}.names")
        run("strip", path)
        check_equal([a[-1][0] for a in our_lines(path, addresses=[address, hidden])],
                    ["entry", "??"], "stripped")

        mini = Path(directory, "mini.so")
        run("objcopy", "--add-section", f".gnu_debugdata={path}.names.xz", path, mini)
        check_equal([a[-1][0] for a in our_lines(mini, addresses=[address, hidden])],
                    ["entry", "many"], "MiniDebugInfo")

        check_equal(our_lines(path, f"{path}.debug", addresses=[address, hidden]), whole,
                    "debug file by build ID")

        os.mkdir(Path(directory, ".debug"))
        os.rename(f"{path}.debug", Path(directory, ".debug/lib.so.debug"))
        run("objcopy", f"--add-gnu-debuglink={directory}/.debug/lib.so.debug", path)
        check_equal(our_lines(path, addresses=[address, hidden], what="find"), whole,
                    "debug file by its link")


@test
def debug_of_another_build():
    """By CRC where there is no build ID: another file of the same name is not taken."""
    need("objcopy")
    with tempfile.TemporaryDirectory() as directory:
        for options, good in ((["-Wl,--build-id=none"], True), (["-Wl,--build-id=none"], False),
                              (["-Wl,--build-id"], False)):
            path = compiled(directory, "lib.so", "-O1", "-g", "-shared", "-fPIC", *options)
            debug = Path(directory, "lib.so.debug")
            run("objcopy", "--only-keep-debug", path, debug)
            run("objcopy", "-S", f"--add-gnu-debuglink={debug}", path)
            address = symbols(path, "-D")["entry"][0]
            if not good:
                other = compiled(directory, "other.so", "-O3", "-g", "-shared", "-fPIC", *options)
                run("objcopy", "--only-keep-debug", other, debug)
            found = our_lines(path, addresses=[address], what="find")[0][-1]
            check_equal(found[1], "plain.c" if good else "??", f"{options} {good}")


@test
def names_without_aranges():
    """clang writes no .debug_aranges; a unit among many is found all the same, and gcc's too."""
    need("gcc", "objcopy")
    with tempfile.TemporaryDirectory() as directory:
        path = compiled(directory, "lib.so", "-O1", "-g", "-shared", "-fPIC")
        found = symbols(path)
        addresses = [found[name][0] + 1 for name in ("leaf", "variable", "entry")]
        wanted = our_lines(path, addresses=addresses)
        check(all(frames[-1][1] == "plain.c" for frames in wanted), "lines are known")
        run("objcopy", "--remove-section", ".debug_aranges", path)
        check_equal(our_lines(path, addresses=addresses), wanted, "without")


@test
def names_of_split_dwarf():
    """.dwo files are never opened: lines from the skeleton, and the server lives."""
    need("gcc")
    with tempfile.TemporaryDirectory() as directory:
        for version in ("4", "5"):
            path = compiled(directory, "lib.so", "-O1", f"-gdwarf-{version}", "-gsplit-dwarf",
                            "-shared", "-fPIC")
            address = symbols(path)["leaf"][0] + 1
            check_equal(our_lines(path, addresses=[address])[0][-1][:2], ("leaf", "plain.c"),
                        f"DWARF {version}")


@test
def names_of_dwz():
    """A file that dwz has moved the common parts to."""
    need("dwz", "objcopy")
    with tempfile.TemporaryDirectory() as directory:
        paths = [compiled(directory, name, "-O2", "-g", "-shared", "-fPIC", "-Wl,--build-id",
                          source="calls.cc", compiler="g++") for name in ("one", "two")]
        addresses = text_addresses(paths[0], 11)
        wanted = our_lines(paths[0], addresses=addresses)
        common = Path(directory, "common.dwz")
        run("dwz", "-m", common, *paths)
        debug = Path(directory, "one.debug")
        run("objcopy", "--only-keep-debug", paths[0], debug)
        stripped = Path(directory, "stripped")
        run("objcopy", "-S", paths[0], stripped)
        check_equal(our_lines(stripped, debug, common, addresses=addresses), wanted, "with dwz")
        # Without the common file there is less to say, and nothing wrong.
        for ours, whole in zip(our_lines(stripped, debug, addresses=addresses), wanted):
            check_equal(ours[-1][0], whole[-1][0], "function without the dwz file")


@test
def exported_names():
    """What .dynsym calls a place, whatever the debug file calls it."""
    need("nm")
    lines = run("nm", "-D", "--defined-only", LIBC).splitlines()
    found = {}
    for line in lines:
        words = line.split()
        if words[1] in "TWi":
            found.setdefault(int(words[0], 16), set()).add(words[2].split("@")[0])
    addresses = sorted(found)
    for line, address in zip(ask("names", LIBC, addresses=addresses).splitlines(), addresses):
        check(line.split("\t")[3] in found[address], f"{line} is not of {found[address]}")
    known = {"pthread_mutex_lock", "pthread_cond_wait", "sem_wait", "read", "accept", "nanosleep"}
    said = {line.split("\t")[3] for line in ask("names", LIBC, addresses=addresses).splitlines()}
    check(known <= said, f"{known - said} are missing")


@test
def names_without_sections():
    """Section headers cut off, as some packers do: CFI is there, and nothing is wrong."""
    need("gcc")
    with tempfile.TemporaryDirectory() as directory:
        path = compiled(directory, "lib.so", "-O1", "-shared", "-fPIC")
        address = symbols(path)["entry"][0]
        wanted = ask("rows", path, addresses=[address])
        with open(path, "r+b") as file:
            file.seek(0x28)
            file.write(struct.pack("<Q", 0))
            file.seek(0x3A)
            file.write(struct.pack("<HHH", 0, 0, 0))
        check_equal(ask("rows", path, addresses=[address]), wanted, "CFI by program headers")
        check_equal(our_lines(path, addresses=[address])[0][-1][0], "entry", "dynamic symbols")


# ---- debug files that are found

def stripped(directory, name="lib.so"):
    """A stripped library, its debug file, its build ID, an address in it."""
    path = compiled(directory, name, "-O1", "-g", "-shared", "-fPIC", "-Wl,--build-id")
    build_id = re.search(r"build-id (\w+)", ask("facts", path))[1]
    address = symbols(path)["entry"][0] + 1
    debug = Path(directory, f"{name}.debug")
    run("objcopy", "--only-keep-debug", path, debug)
    run("objcopy", "-S", path)
    return path, debug, build_id, address


@test
def debug_in_another_root():
    """By build ID in the target's root: links stay inside it, and only files are opened."""
    need("objcopy")
    with tempfile.TemporaryDirectory() as directory:
        path, debug, build_id, address = stripped(directory)
        root = Path(directory, "root")
        place = root / "usr/lib/debug/.build-id" / build_id[:2] / f"{build_id[2:]}.debug"
        place.parent.mkdir(parents=True)

        def found():
            frames = our_lines(path, root, addresses=[address], what="find")
            return frames[0][-1][1] == "plain.c"

        check(not found(), "there is none yet")
        os.mkfifo(place)
        check(not found(), "a FIFO")
        place.unlink()
        place.symlink_to(debug) # which is outside
        check(not found(), "a link out of the root")
        place.unlink()
        inside = root / "elsewhere"
        shutil.copy(debug, inside)
        place.symlink_to("/elsewhere") # which is inside, from there
        check(found(), "a link within the root")
        place.unlink()
        place.symlink_to("../" * 20 + "elsewhere")
        check(found(), "a link that climbs to the root and no further")
        place.unlink()
        inside.rename(place)
        check(found(), "the file itself")


@test
def debug_from_servers():
    """debuginfod is asked if DEBUGINFOD_URLS is set, and by no means otherwise."""
    need("objcopy")
    if not list(Path("/usr/lib").glob("*/libdebuginfod.so.1")):
        raise Skip("needs libdebuginfod")
    with tempfile.TemporaryDirectory() as directory:
        path, debug, build_id, address = stripped(directory)
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                if self.path != f"/buildid/{build_id}/debuginfo":
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(debug.stat().st_size))
                self.end_headers()
                self.wfile.write(debug.read_bytes())

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            cache = {"DEBUGINFOD_CACHE_PATH": str(Path(directory, "cache")), "HOME": directory}
            url = f"http://127.0.0.1:{server.server_address[1]}"
            for urls, wanted in (("", "??"), (url, "plain.c")):
                frames = our_lines(path, addresses=[address], what="find",
                                   env={**cache, "DEBUGINFOD_URLS": urls, "no_proxy": "*"})
                check_equal(frames[0][-1][1], wanted, f"with {urls!r}")
                check_equal(bool(asked), bool(urls), f"requests with {urls!r}")
            server.shutdown()


# ---- files that do not answer

@test
def file_that_does_not_answer():
    """Reads of a file on a dead FUSE mount never return: the server is given up. Even close(2) of
    it hangs, so that elfask can tell, but not end before the mount does.
    """
    need_root()
    environment = {**os.environ, "PWHY_ELF": built("pwhy-elf")}
    # Where one has a page to be written back, even execve(2) waits for that: it closes the file.
    with running(built("tests/hang-fuse"), "map", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 text=True) as fuse:
        line = fuse.stdout.readline().split()
        if line[:1] != ["ready"]:
            raise Skip(" ".join(line[1:]))
        time.sleep(0.6) # as in test_hang.py
        pid = dict(word.split("=") for word in line[1:])["read"]
        fds = [fd for fd in os.listdir(f"/proc/{pid}/fd")
               if "data" in os.readlink(f"/proc/{pid}/fd/{fd}")]
        check(fds, "the victim has the file open")
        start = time.monotonic()
        with running(built("tests/elfask"), "facts", f"@{pid}:{fds[0]}", stderr=subprocess.PIPE,
                     text=True, env=environment) as asks:
            said = asks.stderr.readline()
            took_s = time.monotonic() - start
            fuse.stdin.close() # the hang ends here
            asks.wait(20)
        check("took too long" in said, said)
        check(took_s < 10, f"{took_s:.1f} s")


main(__doc__)
