# SPDX-License-Identifier: MIT
"""The systems that bench.py compares: how each is prepared, mounted and taken down.

Every system ends as one file of `size` bytes at .path, served by processes whose command line
holds the private directory .dir. All ciphertext lies on the tmpfs that holds .dir.
"""
import os
import shutil
import subprocess
import tempfile
import time


class Unavailable(Exception):
    """This system cannot run here; the text says why, for the table."""


def kernel():
    """Major and minor alone: the rest says who built it."""
    return ".".join(os.uname().release.split(".")[:2])


def run(*argv):
    """Runs a command that must succeed; its output is shown only if it does not."""
    # Into a file, not a pipe: a daemon that keeps its standard error open would hold the pipe.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=60, check=False)
        out.seek(0)
        said = out.read()
    if done.returncode:
        raise Unavailable(f"`{' '.join(argv[:3])} ...` exited {done.returncode}: {said.strip()[-300:]}")
    return said


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Unavailable(f"{program} is not installed; run scripts/install-deps --bench")


def wait_until(what, test, seconds=15):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise Unavailable(f"{what} did not happen within {seconds} s")
        time.sleep(0.02)


def is_mounted(path):
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return any(line.split()[1] == path for line in mounts)


def pids_naming(text):
    """Processes, ours excepted, whose command line holds this text."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as f:
                if text.encode() in f.read() and int(name) != os.getpid():
                    found.append(int(name))
        except OSError:
            pass
    return found


def parent_of(pid):
    """0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return int(f.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


class System:
    key = name = ""
    creates_file = False  # the file is made by the first write, as in a directory of files

    def __init__(self, where, tools, size):
        self.dir = os.path.join(where, self.key)
        self.mnt = os.path.join(self.dir, "mnt")
        self.tools, self.size = tools, size
        self.path = ""
        self.child = None

    def start(self):
        os.makedirs(self.mnt)
        self.mount()
        if self.creates_file:
            self.path = os.path.join(self.mnt, "disk")
        wait_until(f"{self.name}: its file", lambda: self.creates_file or
                   (os.path.exists(self.path) and os.path.getsize(self.path) == self.size))

    def spawn(self, *argv):
        with open(os.path.join(self.dir, "daemon.out"), "w", encoding="utf-8") as log:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          start_new_session=True)  # a ^C is for us to handle

    def backing(self):
        path = os.path.join(self.dir, "backing")
        with open(path, "wb") as f:
            f.truncate(self.size)
        return path

    def pids(self):
        return pids_naming(self.dir)

    def mount(self):
        raise NotImplementedError

    def stop(self):
        """Takes it down, whatever state it is in. Never raises."""
        for target in (self.mnt, self.path):
            if target and is_mounted(target):
                lazily = subprocess.run(["umount", target], stderr=subprocess.DEVNULL).returncode
                if lazily:
                    subprocess.run(["fusermount3", "-uz", target], stderr=subprocess.DEVNULL)
        if self.child:
            self.child.terminate()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        end = time.monotonic() + 10
        while self.pids() and time.monotonic() < end:
            time.sleep(0.05)
        for pid in self.pids():
            os.kill(pid, 9)


class Cmkdisk(System):
    key, name = "ours", "cmkdisk"

    def create(self, name, size):
        backing = os.path.join(self.dir, name)
        run(self.tools["cmkdisk"], "create", "--size", str(size), "--key", f"file:{self.dir}/key", backing)
        return backing

    def agents(self):
        """The key agents: processes apart, children of the daemon, so they are counted apart."""
        daemons = self.pids()
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and parent_of(name) in daemons]

    def new_key(self):
        run(self.tools["cmkdisk"], "keyfile", "new", f"{self.dir}/key")

    def mount(self):
        self.new_key()
        run(self.tools["cmkdisk"], "mount", self.create("disk.img", self.size), self.mnt)
        self.path = os.path.join(self.mnt, "disk.img")

    def stop(self):
        if is_mounted(self.mnt):
            subprocess.run([self.tools["cmkdisk"], "umount", self.mnt], stderr=subprocess.DEVNULL)
        super().stop()


class PassThrough(System):
    key, name = "fuse", "FUSE limit, no cipher"

    def mount(self):
        self.path = os.path.join(self.mnt, "disk")
        self.spawn(self.tools["fuse_passthrough"], self.backing(), self.mnt)


class Qemu(System):
    key, name = "qemu", "qemu-storage-daemon LUKS"

    def mount(self):
        need("qemu-storage-daemon", "qemu-img")
        if "type=]fuse" not in run("qemu-storage-daemon", "--help"):
            raise Unavailable("this build of qemu-storage-daemon has no FUSE export")
        secret, image = f"{self.dir}/secret", f"{self.dir}/backing"
        with open(secret, "w", encoding="ascii") as f:
            f.write("bench")
        run("qemu-img", "create", "-q", "-f", "luks", "--object", f"secret,id=s,file={secret}",
            "-o", "key-secret=s,iter-time=100", image, str(self.size))
        self.path = os.path.join(self.dir, "disk")
        with open(self.path, "wb"):
            pass
        self.spawn("qemu-storage-daemon", "--object", f"secret,id=s,file={secret}",
                   "--blockdev", f"driver=file,node-name=f,filename={image}",
                   "--blockdev", "driver=luks,node-name=l,file=f,key-secret=s",
                   "--export", f"type=fuse,id=e,node-name=l,mountpoint={self.path},writable=on,growable=off")


class Gocryptfs(System):
    key, name, creates_file = "gocryptfs", "gocryptfs", True

    def mount(self):
        need("gocryptfs")
        secret, store = f"{self.dir}/secret", f"{self.dir}/store"
        os.mkdir(store)
        with open(secret, "w", encoding="ascii") as f:
            f.write("bench\n")
        run("gocryptfs", "-q", "-init", "-scryptn", "10", "-passfile", secret, store)
        self.spawn("gocryptfs", "-q", "-fg", "-passfile", secret, store, self.mnt)
        wait_until("gocryptfs: its mount", lambda: is_mounted(self.mnt))


class Securefs(System):
    key, name, creates_file = "securefs", "securefs", True

    def mount(self):
        need("securefs")
        store, secret = f"{self.dir}/store", f"{self.dir}/secret"
        os.mkdir(store)
        with open(secret, "w", encoding="ascii") as f:
            f.write("bench")
        run("securefs", "create", "--keyfile", secret, "--pbkdf", "pkcs5-pbkdf2-hmac-sha256", "-r", "1000",
            store)
        self.spawn("securefs", "mount", "--keyfile", secret, store, self.mnt)
        wait_until("securefs: its mount", lambda: is_mounted(self.mnt))


ALL = (Cmkdisk, PassThrough, Qemu, Gocryptfs, Securefs)
