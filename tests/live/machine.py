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
from pathlib import Path

PORT = "pwhy"
PWHY = "/bin/pwhy"  # inside
USER = 65534  # whose the disk is, so that not only root can write there
DISK_BYTES = 256 << 20
# A machine takes a few seconds to its first record, and a scene its own time limits to the next.
# Beyond these it stands still; one that does so at boot is booted once more.
FIRST_S = 90
SILENT_S = 180
BOOTS = 2
POLL_S = 0.1
# The same on every machine: a disk, a port for records, a console for the kernel. Its CPUs take
# turns in one thread: two threads gain little, and what the CPUs do at a time would depend on
# what else runs here. Two machines are the better use of two processors.
QEMU_COMMON = """-accel tcg,thread=single -smp 2 -m 768 -nodefaults -no-user-config -display none -no-reboot
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


def initramfs_make(root, arch, programs, modules):
    """Fills a directory, but for the plan; programs: {path inside: path outside}."""
    files = dict(programs)
    for outside in programs.values():
        libraries_of(outside, f"{arch}-linux-gnu", files)
    for inside, outside in files.items():
        target = root / inside.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(outside, target)
        target.chmod(0o755)
    (root / "modules").mkdir(parents=True)
    for path in modules:
        shutil.copy(path, root / "modules")


def initramfs_pack(root, archive):
    names = "\0".join(str(p.relative_to(root)) for p in sorted(root.rglob("*")))
    with open(archive, "wb") as file:
        subprocess.run(["cpio", "--quiet", "-o", "-0", "-H", "newc", "-R", "0:0"], cwd=root,
                       input=names.encode(), stdout=file, check=True)


# Running it


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


class Machine:
    """One that is made in a directory, booted, and watched until it ends or stands still."""

    def __init__(self, row, kernel, root, scratch):
        """row: of the table of kernels; kernel: its directory; root: what the initramfs has."""
        names = ("console", "initrd", "disk", "port", "said")
        self.paths = {name: scratch / name for name in names}
        initramfs_pack(root, self.paths["initrd"])
        with open(self.paths["disk"], "wb") as file:
            file.truncate(DISK_BYTES)
        run("mke2fs", "-q", "-t", "ext4", "-E", f"root_owner={USER}:{USER}", "-F",
            self.paths["disk"])
        self.command = f"{row.qemu} {QEMU_COMMON}".format(
            kernel=kernel / "vmlinuz", **self.paths).split()
        self.command += ["-append", f"{row.cmdline} {CMDLINE_COMMON}"]
        self.process = None
        self.boots = 0
        self.begin = self.news = 0  # when it was booted, when the last record came
        self.size = 0  # of the records
        self.seconds = 0
        self.stopped = ""  # why it did not come to the end of its plan

    def boot(self):
        for name in ("console", "port"):
            self.paths[name].write_bytes(b"")
        with open(self.paths["said"], "wb") as said:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=said,
                                            stderr=subprocess.STDOUT)
        self.boots += 1
        self.begin = self.news = time.monotonic()
        self.size = 0

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    def running(self, limit_s):
        """False when it is over. To be asked again and again; boots once more if it must."""
        now, size = time.monotonic(), self.paths["port"].stat().st_size
        ended = self.process.poll() is not None
        if size != self.size:
            self.size, self.news = size, now
        quiet_s = SILENT_S if size else FIRST_S
        if not ended and now - self.news < quiet_s and now - self.begin < limit_s:
            return True
        self.kill()
        if not size and self.boots < BOOTS:
            self.boot()
            return True
        self.seconds = now - self.begin
        if ended:
            self.stopped = "" if ("done", b"") in self.records() else "it ended"
        elif now - self.news >= quiet_s:
            self.stopped = f"no record came for {quiet_s} s"
        else:
            self.stopped = f"it took more than {limit_s} s"
        return False

    def records(self):
        return records_read(self.paths["port"].read_bytes())

    def doing(self):
        """The part and the line of its plan that it was at."""
        last = {name: data.decode(errors="replace") for name, data in self.records()}
        return " ".join(filter(None, (last.get("part"), last.get("doing", "booting"))))

    def console(self):
        return "".join(self.paths[name].read_text(errors="replace") for name in ("console", "said"))


def machines_run(machines, limit_s):
    """All at the same time; whatever happens here, none is left running."""
    try:
        for one in machines:
            one.boot()
        left = list(machines)
        while left := [one for one in left if one.running(limit_s)]:
            time.sleep(POLL_S)
    finally:
        for one in machines:
            one.kill()
