#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libpwhy as others get it: installed into an empty place, found through pkg-config, compiled
against from C and C++, shared and static; and what it must not do to the program around it.

    tests/live/test_library.py [--pwhy build/pwhy] [TEST...]
"""
import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from livetest import SOURCE, Skip, check, check_equal, main, options, python, test, wait_asleep

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
scratch = tempfile.TemporaryDirectory(prefix="pwhy-library-")  # pylint: disable=consider-using-with

# Writable data of a kind that the loader makes read-only after it has relocated it.
CONSTANT_SECTIONS = re.compile(r"^\.(data\.rel\.ro|rodata|eh_frame|text|note)")


def run(*args, env=None, status=0, timeout=120):
    done = subprocess.run(list(map(str, args)), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, errors="replace", timeout=timeout, check=False,
                          env={**os.environ, **(env or {})})
    check(done.returncode == status, f"{' '.join(map(str, args))}: exit status "
          f"{done.returncode}\n{done.stdout[-800:]}\n{done.stderr[-1500:]}")
    return done


def need(*names):
    """The first of these programs that is there."""
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise Skip(f"no {' or '.join(names)} here")


def one(pattern):
    found = sorted(installed().rglob(pattern))
    check(found, f"{pattern} was not installed")
    return found[0]


@functools.cache
def installed():
    """The prefix below DESTDIR, with everything in it."""
    meson = need("meson")
    destination = Path(scratch.name) / "root"
    build = Path(options.pwhy).parent
    run(meson, "install", "-C", build, "--no-rebuild", "--quiet",
        "--destdir", destination)
    headers = list(destination.rglob("pwhy.h"))
    check_equal(len(headers), 1, "headers installed")
    return headers[0].parent.parent


def flags(*words):
    """What pkg-config says, moved to where the files are."""
    directory = one("pwhy.pc").parent
    prefix = installed()
    said = run(need("pkg-config"), f"--define-variable=prefix={prefix}", *words, "pwhy",
               env={"PKG_CONFIG_PATH": str(directory)}).stdout.split()
    check("--cflags" not in words or f"-I{prefix}/include" in said,
          f"pkg-config {words} said {said}")
    return said


@functools.cache
def sanitized():
    """Sanitizers want their run-time library linked into the program that uses the library."""
    return bool(re.search(r"\bU __(asan|ubsan|tsan|msan)", run(need("nm"), "-u",
                                                               one("libpwhy.a")).stdout))


def compile_program(source, output, *more, compiler=None):
    if sanitized():
        raise Skip("built with sanitizers; others get it without")
    output = Path(scratch.name) / output
    run(compiler or need("gcc", "cc"), *WARNINGS, source, "-o", output, *more)
    return output


def library_path():
    return {"LD_LIBRARY_PATH": str(one("libpwhy.so").parent)}


def exports():
    """The functions that the header declares."""
    return set(re.findall(r"\b(pwhy_\w+)\(", re.sub(r"/\*.*?\*/", "", one("pwhy.h").read_text(),
                                                    flags=re.S)))


def check_example(program):
    with python("import time; time.sleep(1000)") as sleeper:
        wait_asleep(sleeper.pid)
        done = run(program, sleeper.pid, env=library_path())
        check(re.fullmatch(rf"{sleeper.pid} {sleeper.pid} sleep: sleeping .+\n", done.stdout),
              f"it said {done.stdout!r}")
        done = run(program, "no-such-program-at-all", env=library_path(), status=1)
        check("no-such-program-at-all" in done.stderr and not done.stdout, f"{done.stderr!r}")


@test
def files():
    """Everything is there, at the places where others look."""
    prefix = installed()
    for pattern in ("bin/pwhy", "include/pwhy.h", "share/man/man1/pwhy.1*",
                    "share/bash-completion/completions/pwhy", "share/zsh/site-functions/_pwhy",
                    "share/fish/vendor_completions.d/pwhy.fish", "share/doc/pwhy/json.md",
                    "share/doc/pwhy/LICENSE"):
        check(list(prefix.glob(pattern)), f"{pattern} was not installed")
    for pattern in ("libpwhy.so", "libpwhy.so.0", "libpwhy.so.0.*", "libpwhy.a", "pwhy.pc"):
        one(pattern)
    check_equal(run(one("bin/pwhy"), "--version").stdout.split()[1],
                flags("--modversion")[0], "version")


@test
def symbols():
    """Exactly the functions of the header, each with its version."""
    text = run(need("nm"), "-D", "--defined-only", "--with-symbol-versions",
               one("libpwhy.so")).stdout
    names = {line.split()[2] for line in text.splitlines() if line.split()[1] != "A"}
    check_equal(names, {f"{name}@@LIBPWHY_0" for name in exports()}, "exported symbols")
    dynamic = run(need("readelf"), "-d", one("libpwhy.so")).stdout
    check("[libpwhy.so.0]" in dynamic, f"soname: {dynamic}")


@test
def no_mutable_state():
    """No object of the library has data that anybody could write to."""
    if sanitized():
        raise Skip("built with sanitizers, which keep data of their own")
    text = run(need("objdump"), "-t", one("libpwhy.a")).stdout
    writable = []
    for line in text.splitlines():
        # 0000000000000040 l     O .data.rel.ro.local  0000000000000018 names
        match = re.match(r"[0-9a-f]+ .{7} (\S+)\s+([0-9a-f]+)\s+(.*)", line)
        if not match or int(match[2], 16) == 0 or match[1] in ("*UND*", "*ABS*"):
            continue
        if re.match(r"\.(data|bss|tdata|tbss|sdata|sbss)|\*COM\*", match[1]) and \
                not CONSTANT_SECTIONS.match(match[1]):
            writable.append(f"{match[3]} in {match[1]}")
    check_equal(writable, [], "writable data")


@test
def quiet_functions():
    """Nothing that prints, exits, or changes or shares what belongs to the whole program."""
    text = run(need("nm"), "-u", one("libpwhy.a")).stdout
    used = set(re.findall(r"\bU (\w+)", text))
    bad = {"exit", "abort", "puts", "printf", "perror", "stdout", "stderr", "stdin", "err", "errx",
           "signal", "sigaction", "chdir", "fchdir", "umask", "setlocale", "setenv", "putenv",
           "strtok", "getpwnam", "getpwuid", "localtime", "gmtime", "ctime", "asctime", "readdir_r",
           "strerror", "system", "popen", "wait", "tmpnam", "rand", "srand", "atexit", "ptrace"}
    check_equal(sorted(used & bad), [], "functions used")


@test
def shared():
    program = compile_program(SOURCE / "examples/why.c", "why-shared",
                              *flags("--cflags", "--libs"))
    check("libpwhy.so.0" in run(need("readelf"), "-d", program).stdout, "not linked to the library")
    check_example(program)


@test
def static():
    """The library from its archive; what it needs from the system as it is."""
    said = [str(one("libpwhy.a")) if word == "-lpwhy" else word
            for word in flags("--static", "--cflags", "--libs")]
    check("-ljson-c" in said, f"pkg-config --static forgot json-c: {said}")
    program = compile_program(SOURCE / "examples/why.c", "why-static", *said)
    check("libpwhy" not in run(need("readelf"), "-d", program).stdout, "linked to the shared one")
    check_example(program)


@test
def all_static():
    try:
        program = compile_program(SOURCE / "examples/why.c", "why-all-static", "-static",
                                  *flags("--static", "--cflags", "--libs"),
                                  "-Wl,--no-fatal-warnings")
    except AssertionError as why:
        if "cannot find -l" in str(why):
            raise Skip("no static C library or json-c here") from None
        raise
    check_example(program)


@test
def c_plus_plus():
    """The header alone, and a program."""
    text = "#include <pwhy.h>\nint main() { return pwhy_version()[0] != '0'; }\n"
    source = Path(scratch.name) / "version.cc"
    source.write_text(text)
    compilers = [path for path in map(shutil.which, ("g++", "clang++")) if path]
    if not compilers:
        raise Skip("no C++ compiler here")
    for compiler in compilers:
        for standard in ("c++11", "c++20"):
            program = compile_program(source, f"version-{Path(compiler).name}-{standard}",
                                      f"-std={standard}", *flags("--cflags", "--libs"),
                                      compiler=compiler)
            run(program, env=library_path())


@test
def strict_c():
    """The header needs no extension of the compiler."""
    source = Path(scratch.name) / "header.c"
    source.write_text("#include <pwhy.h>\nint main(void) { return pwhy_version()[0] != '0'; }\n")
    for standard in ("c99", "c11", "gnu17"):
        compile_program(source, "header", f"-std={standard}", *flags("--cflags", "--libs"))


def threads_program(name, *more):
    return compile_program(SOURCE / "tests/live/library-threads.c", name, "-std=gnu17",
                           "-D_GNU_SOURCE", "-g", "-pthread", *more)


def check_threads(program, *args):
    done = run(program, *args, env=library_path())
    check(re.fullmatch(r"\d+ threads, \d+ rounds: undisturbed\n", done.stdout) and
          not done.stderr, f"it said {done.stdout!r} {done.stderr!r}")


@test
def threads():
    """Many threads at once, in a program with signal handlers, children and descriptors."""
    check_threads(threads_program("threads", *flags("--cflags", "--libs")), "handle", 8, 50)


@test
def children_ignored():
    """SIGCHLD is ignored: the kernel reaps the worker before the library can ask how it ended."""
    check_threads(threads_program("ignore", *flags("--cflags", "--libs")), "ignore", 4, 20)


@test
def children_reaped():
    """A thread of the program reaps every child that it can get, the workers, too."""
    check_threads(threads_program("reap", *flags("--cflags", "--libs")), "reap", 4, 20)


def build_directory():
    return Path(options.pwhy).parent


def library_sources():
    """What the library is made of in this build."""
    database = json.loads((build_directory() / "compile_commands.json").read_text("utf-8"))
    return sorted({str((Path(one["directory"]) / one["file"]).resolve()) for one in database
                   if one["output"].startswith("src/libpwhy.so")})


@test
def thread_sanitizer():
    compiler = need("gcc", "clang")
    probe = Path(scratch.name) / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    try:
        run(compile_program(probe, "probe", "-fsanitize=thread", compiler=compiler))
    except AssertionError:
        raise Skip("ThreadSanitizer does not work here") from None
    output = Path(scratch.name) / "threads-tsan"
    json_c = run(need("pkg-config"), "--cflags", "--libs", "json-c").stdout.split()
    run(compiler, "-std=gnu17", "-D_GNU_SOURCE", '-DPWHY_VERSION="0"', "-DPWHY_DWARF=0",
        '-DPWHY_LIBEXEC=""', "-fsanitize=thread", "-g", "-O1", "-pthread", f"-I{SOURCE}/src",
        f"-I{SOURCE}/include", f"-I{build_directory()}/src/capture/bpf", *library_sources(),
        SOURCE / "tests/live/library-threads.c", *json_c, "-o", output)
    check_threads(output, "handle", 8, 10)


if __name__ == "__main__":
    try:
        main(__doc__.splitlines()[0])
    finally:
        scratch.cleanup()
