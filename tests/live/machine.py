# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtual machine with a packaged kernel: what it boots, and what its agent says.

The kernel and the modules wanted come out of a Debian package that is unpacked and not
installed. The initramfs has the programs under test, the libraries they need and a plan;
kernel/agent.c is init and follows the plan. A file system of its own is below /tmp, because
some waits are for a disk.
"""
import io
import lzma
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PORT = "pwhy"
PWHY = "/bin/pwhy"  # inside
USER = 65534  # whose the disk is, so that not only root can write there
DISK_BYTES = 256 << 20
# The same on every machine: a disk, a port for records, a console for the kernel.
QEMU_COMMON = """-smp 2 -m 768 -nodefaults -no-user-config -display none -no-reboot
    -serial file:{console} -kernel {kernel} -initrd {initrd}
    -drive file={disk},if=none,id=disk,format=raw,cache=unsafe -device virtio-blk-pci,drive=disk
    -device virtio-serial-pci -chardev file,id=port,path={port}
    -device virtserialport,chardev=port,name=""" + PORT
CMDLINE_COMMON = "quiet panic=-1 rdinit=/bin/agent"


class Unavailable(Exception):
    """Why there is no such machine here."""


def run(*args, **more):
    done = subprocess.run(args, capture_output=True, check=False, **more)
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise Unavailable(f"{args[0]}: {words[-1] if words else done.returncode}")
    return done.stdout


def scratch_directory():
    return tempfile.TemporaryDirectory(prefix="pwhy-kernel-")


# The kernel out of its package


def package_name(package):
    """The package of the kernel itself: a meta-package depends on one of a version."""
    depends = run("apt-cache", "depends", package).decode()
    real = re.search(r"^\s*\|?Depends: (linux-image-\d\S*)", depends, re.M)
    return real[1] if real else package


def package_download(package, directory):
    run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package, cwd=directory)
    return next(Path(directory).glob("*.deb"))


def package_unpack(deb, directory):
    """vmlinuz and all modules, flat."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                module = re.fullmatch(r"(.+\.ko)(\.xz)?", name)
                if not member.isfile() or not (module or name.startswith("vmlinuz-")):
                    continue
                data = archive.extractfile(member).read()
                if module:
                    data = lzma.decompress(data) if module[2] else data
                    name = "modules/" + module[1].replace("-", "_")
                else:
                    name = "vmlinuz"
                (directory / name).write_bytes(data)
    if process.returncode != 0 or not (directory / "vmlinuz").exists():
        raise Unavailable(f"{deb.name}: no kernel could be unpacked")


def kernel_fetch(package, wanted, cache):
    """The directory of a kernel and the modules wanted, downloaded if this is the first time."""
    package = package_name(package)
    place = cache / package
    stamp = " ".join(wanted)
    if place.is_dir() and (place / "wanted").read_text(encoding="utf-8") == stamp:
        return place
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".new-") as scratch:
        new = Path(scratch, "kernel")
        (new / "modules").mkdir(parents=True)
        package_unpack(package_download(package, scratch), new)
        # All of them are 400 MB, a few are needed.
        for path in set((new / "modules").iterdir()) - set(modules_ordered(new, wanted)):
            path.unlink()
        (new / "wanted").write_text(stamp, encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        new.rename(place)
    return place


def modules_ordered(place, wanted):
    """The module files wanted and what they depend on, in the order of loading.

    What the package does not have is built in, or has another name in that version.
    """
    order = []

    def add(name):
        path = place / "modules" / f"{name.replace('-', '_')}.ko"
        if path in order or not path.exists():
            return
        # ".modinfo" is a list of strings: "depends=virtio,virtio_ring"
        depends = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
        for other in depends[1].decode().split(",") if depends else ():
            if other:
                add(other)
        order.append(path)

    for name in wanted:
        add(name)
    return order


# The initramfs


def library_find(name, triplet):
    for directory in (f"/lib/{triplet}", f"/usr/lib/{triplet}", f"/usr/{triplet}/lib"):
        if (path := Path(directory, name)).exists():
            return path
    raise Unavailable(f"{name} is missing for {triplet}")


def libraries_of(program, triplet, found):
    """Adds what a program needs, {path inside: path outside}; of any architecture, unlike ldd."""
    text = run("readelf", "-W", "-l", "-d", program).decode()
    # "[Requesting program interpreter: /lib64/ld-linux-x86-64.so.2]"
    for path in re.findall(r"program interpreter: ([^\]]+)\]", text):
        found[path] = library_find(path.rpartition("/")[2], triplet)
    # "0x0000000000000001 (NEEDED)  Shared library: [libc.so.6]"
    for name in re.findall(r"\(NEEDED\).*\[([^\]]+)\]", text):
        if f"/lib/{name}" not in found:
            found[f"/lib/{name}"] = library_find(name, triplet)
            libraries_of(found[f"/lib/{name}"], triplet, found)
    return found


def initramfs_make(root, arch, programs, modules, plan):
    """Fills a directory; programs: {path inside: path outside}."""
    files = dict(programs)
    for outside in programs.values():
        libraries_of(outside, f"{arch}-linux-gnu", files)
    for inside, outside in files.items():
        target = root / inside.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(outside, target)
        target.chmod(0o755)
    (root / "modules").mkdir()
    for path in modules:
        shutil.copy(path, root / "modules")
    (root / "plan").write_text("".join(line + "\n" for line in plan), encoding="utf-8")


def initramfs_pack(root, archive):
    names = "\0".join(str(p.relative_to(root)) for p in sorted(root.rglob("*")))
    with open(archive, "wb") as file:
        subprocess.run(["cpio", "--quiet", "-o", "-0", "-H", "newc", "-R", "0:0"], cwd=root,
                       input=names.encode(), stdout=file, check=True)


# Running it


@dataclass(frozen=True)
class Run:
    records: list  # (name, bytes)
    seconds: float
    console: str
    done: bool  # to the end of its plan


def records_read(data):
    """ "NAME LENGTH\\n", the bytes, a newline; the last may be cut off."""
    stream, records = io.BytesIO(data), []
    while line := stream.readline():
        name, _, length = line.decode(errors="replace").rstrip("\n").rpartition(" ")
        body = stream.read(int(length) + 1)
        if not body.endswith(b"\n") or len(body) != int(length) + 1:
            break
        records.append((name, body[:-1]))
    return records


def machine_run(row, kernel, programs, modules, plan, limit_s):
    """Boots, waits for the end of the plan or of the time, and leaves nothing behind.

    row: of the table of kernels; kernel: its directory; plan(modules) gives the lines.
    """
    with scratch_directory() as directory:
        scratch = Path(directory)
        paths = {name: scratch / name for name in ("console", "initrd", "disk", "port")}
        (scratch / "root").mkdir()
        modules_in = modules_ordered(kernel, modules)
        initramfs_make(scratch / "root", row.arch, programs, modules_in,
                       plan(p.name for p in modules_in))
        initramfs_pack(scratch / "root", paths["initrd"])
        with open(paths["disk"], "wb") as file:
            file.truncate(DISK_BYTES)
        run("mke2fs", "-q", "-t", "ext4", "-E", f"root_owner={USER}:{USER}", "-F", paths["disk"])
        command = f"{row.qemu} {QEMU_COMMON}".format(kernel=kernel / "vmlinuz", **paths).split()
        begin = time.monotonic()
        with subprocess.Popen(command + ["-append", f"{row.cmdline} {CMDLINE_COMMON}"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as process:
            try:
                said, _ = process.communicate(timeout=limit_s)
            except subprocess.TimeoutExpired:
                process.kill()
                said = process.communicate()[0] + b"(killed after the time limit)"
            finally:
                process.kill()
        console = paths["console"].read_text(errors="replace") if paths["console"].exists() else ""
        records = records_read(paths["port"].read_bytes() if paths["port"].exists() else b"")
        return Run(records, time.monotonic() - begin,
                   console + said.decode(errors="replace"), ("done", b"") in records)
