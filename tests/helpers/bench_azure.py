# SPDX-License-Identifier: MIT
"""Measures cmkdisk with keys in a vault, the emulator on this machine, and prints Markdown tables;
called by scripts/bench --azure.

How long a check takes, what a key set costs in requests, and what many disks on one key ask of a
vault. The network between a host and a true vault comes on top of every time here.
"""
import argparse
import concurrent.futures
import datetime
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import bench_systems as systems

# What a vault permits in 10 seconds of operations with RSA keys, other than making them:
# (bits, in software, in an HSM). Source: the service's documented limits.
LIMITS = ((2048, 4000, 2000), (3072, 1000, 500), (4096, 500, 250))
DEFAULT_INTERVAL = 60


def call(*argv, timeout=60, cwd=None):
    """What a command printed that must succeed."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=timeout, cwd=cwd, check=False)
    if done.returncode:
        raise SystemExit(f"bench: `{' '.join(argv[:3])} ...` exited {done.returncode}: {done.stdout.strip()[-400:]}")
    return done.stdout


class Vault:
    def __init__(self, where, build):
        self.state, self.program = os.path.join(where, "vault"), f"{build}/bin/cmkdisk-vault"
        self.child = subprocess.Popen([self.program, "serve", "--state", self.state, "--print", "json"],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit("bench: cmkdisk-vault did not get ready")
        self.url = json.loads(line)["keyUrls"]["contoso"].rpartition("/")[0]

    def do(self, *action):
        return json.loads(call(self.program, "do", "--state", self.state, *action))

    def key(self, name, bits):
        self.do("key.create", f"key={name}", "kty=RSA", f"size={bits}")
        self.do("access.grant", "identity=disk-host", "vault=contoso", f"key={name}")

    def key_set(self, where, name, interval):
        with open(os.path.join(self.state, "keyset.json"), encoding="utf-8") as f:
            key_set = json.load(f)
        key_set["activeKey"]["keyUrl"] = f"{self.url}/{name}"
        key_set["cmkdisk"]["interval"] = interval
        path = os.path.join(where, f"{name}-set.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(key_set, f)
        return path

    def counts(self):
        """Requests so far, by operation."""
        found = {}
        for one in self.do("audit.count")["counts"]:
            # The first request of all has no token yet, on purpose: it is answered with the challenge.
            found[one["operation"]] = found.get(one["operation"], 0) + one["count"]
        return found

    def busiest(self, since, seconds=10):
        """The most operations with keys that came within so many seconds, of those since a time."""
        times = []
        with open(os.path.join(self.state, "audit.log"), encoding="utf-8") as f:
            for line in f:
                record = json.loads(line)
                if record["operationName"] in ("KeyUnwrap", "KeyWrap"):
                    when = datetime.datetime.strptime(record["time"][:26] + "+0000", "%Y-%m-%dT%H:%M:%S.%f%z")
                    times.append(when.timestamp())
        times = sorted(t for t in times if t >= since)
        best = first = 0
        for last, t in enumerate(times):
            while times[first] <= t - seconds:
                first += 1
            best = max(best, last - first + 1)
        return best

    def stop(self):
        self.child.terminate()
        self.child.wait(20)


class Mount:
    """Disks of one key set, mounted."""

    def __init__(self, tools, where, key_set, backings):
        self.cmkdisk, self.where = tools["cmkdisk"], tempfile.mkdtemp(prefix="mnt-", dir=where)
        begun = time.monotonic()
        # Standard error stays with the daemon: not a pipe, which would wait for it.
        with open(os.path.join(where, "mount.out"), "w+", encoding="utf-8") as out:
            done = subprocess.run([self.cmkdisk, "mount", "--set", key_set, *backings, self.where],
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=900, check=False)
            out.seek(0)
            if done.returncode:
                raise SystemExit(f"bench: mount exited {done.returncode}: {out.read().strip()[-400:]}")
        self.took = time.monotonic() - begun

    def disks(self):
        return json.loads(call(self.cmkdisk, "status", "--json", self.where))[0]["disks"]

    def agent_rss_kib(self):
        with open(f"/proc/{self.disks()[0]['checks']['agentPid']}/status", encoding="utf-8") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def stop(self):
        if systems.is_mounted(self.where):
            call(self.cmkdisk, "umount", self.where, timeout=300)


def create(tools, key_set, path):
    call(tools["cmkdisk"], "create", "--size", "1M", "--data-offset", "1M", "--set", key_set, path)
    return path


def difference(after, before):
    return {k: n - before.get(k, 0) for k, n in sorted(after.items()) if n > before.get(k, 0)}


def wait_for_checks(mount, more):
    """Until so many more of the daemon's own checks are done; how many there were, and in what time."""
    first, begun = mount.disks()[0]["checks"]["total"], time.monotonic()
    while True:
        done, took = mount.disks()[0]["checks"]["total"] - first, time.monotonic() - begun
        if done >= more:
            return done, took
        time.sleep(0.02)


def check_times(a, vault, where, tools):
    """Of each RSA size: ms of the daemon's question, of the command, and of a command without a mount."""
    rows = {}
    for bits, _, _ in LIMITS:
        vault.key(f"rsa{bits}", bits)
        key_set = vault.key_set(where, f"rsa{bits}", "1h")
        backing = create(tools, key_set, os.path.join(where, f"rsa{bits}.img"))
        mount = Mount(tools, where, key_set, [backing])
        took, asked, alone = [], [], []
        try:
            for _ in range(a.rounds):
                begun = time.monotonic()
                call(tools["cmkdisk"], "check", mount.where)
                took.append((time.monotonic() - begun) * 1000)
                asked.append(mount.disks()[0]["checks"]["lastTookMs"])
                said = call(tools["cmkdisk"], "check", "--set", key_set, backing)
                alone.append(int(re.search(r"asked in (\d+) ms", said)[1]))
        finally:
            mount.stop()
        rows[bits] = {"daemon_ms": asked, "command_ms": took, "first_ms": alone}
        print(f"bench: RSA-{bits}, {a.rounds} checks", file=sys.stderr)
    return rows


def requests(a, vault, where, tools):
    """What one disk on one key set asks for: at create, at mount, and at each check."""
    key_set = vault.key_set(where, "rsa3072", f"{a.interval}s")
    before = vault.counts()
    backing = create(tools, key_set, os.path.join(where, "requests.img"))
    made = vault.counts()
    mount = Mount(tools, where, key_set, [backing])
    try:
        mounted = vault.counts()
        wait_for_checks(mount, 1)
        steady = vault.counts()
        checks, took = wait_for_checks(mount, max(3, round(a.span / a.interval)))
        end = vault.counts()
        rss = mount.agent_rss_kib()
    finally:
        mount.stop()
    return {"create": difference(made, before), "mount": difference(mounted, made), "checks": checks,
            "seconds": took, "steady": difference(end, steady), "agent_rss_kib": rss}


def many(a, vault, where, tools):
    key_set = vault.key_set(where, "rsa3072", f"{a.interval}s")
    os.mkdir(os.path.join(where, "many"))
    paths = [os.path.join(where, "many", f"d{i:05}.img") for i in range(a.disks)]
    print(f"bench: making {a.disks} disks", file=sys.stderr)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda path: create(tools, key_set, path), paths))
    since, before = time.time(), vault.counts()
    mount = Mount(tools, where, key_set, paths)
    try:
        mounted, busiest = vault.counts(), vault.busiest(since)
        wait_for_checks(mount, 1)
        steady = vault.counts()
        checks, took = wait_for_checks(mount, max(3, round(a.span / a.interval)))
        end = vault.counts()
        active = sum(d["state"] == "active" for d in mount.disks())
        if active != a.disks:
            raise SystemExit(f"bench: of {a.disks} disks {active} are active")
    finally:
        mount.stop()
    return {"disks": a.disks, "mount_s": mount.took, "mount": difference(mounted, before), "busiest_10s": busiest,
            "checks": checks, "seconds": took, "steady": difference(end, steady)}


def listed(counts):
    return ", ".join(f"{n} {operation}" for operation, n in counts.items()) or "none"


def per_check(found):
    return {k: n / found["checks"] for k, n in found["steady"].items()}


def lines(a, times, asks, crowd):
    found = [f"Against the emulator on loopback; a check: median of {a.rounds}.", "",
             "| check, ms | daemon's question (lastTookMs) | `cmkdisk check MOUNTPOINT` | `cmkdisk check BACKING`, with sign-in |",
             "|---|---|---|---|"]
    for bits, t in times.items():
        found.append(f"| RSA-{bits} | {statistics.median(t['daemon_ms']):.0f} | {statistics.median(t['command_ms']):.0f} | "
                     f"{statistics.median(t['first_ms']):.0f} |")
    hourly = {k: n * 3600 / DEFAULT_INTERVAL for k, n in per_check(asks).items()}
    found += ["", "| requests of one disk on one key set | |", "|---|---|",
              f"| create | {listed(asks['create'])} |", f"| mount | {listed(asks['mount'])} |",
              f"| {asks['checks']} checks in {asks['seconds']:.1f} s | {listed(asks['steady'])} |",
              f"| an hour at the default interval of {DEFAULT_INTERVAL} s | "
              + ", ".join(f"{n:.0f} {k}" for k, n in hourly.items()) + f": {sum(hourly.values()):.0f} |",
              f"| key agent, resident | {asks['agent_rss_kib'] / 1024:.1f} MiB |"]
    if crowd:
        found += ["", f"| {crowd['disks']} disks on one key set, RSA-3072 | |", "|---|---|",
                  f"| mount | {crowd['mount_s']:.1f} s |", f"| requests of the mount | {listed(crowd['mount'])} |",
                  f"| most operations with the key in 10 s | {crowd['busiest_10s']} |",
                  "| a vault's limit in 10 s | " + ", ".join(
                      f"RSA-{bits}: {soft} (HSM {hsm})" for bits, soft, hsm in LIMITS) + " |",
                  f"| {crowd['checks']} checks in {crowd['seconds']:.1f} s | {listed(crowd['steady'])} |",
                  "| a check of all disks | " + ", ".join(f"{n:.2f} {k}" for k, n in per_check(crowd).items()) + " |"]
    return found


def parse(argv):
    p = argparse.ArgumentParser(prog="scripts/bench --azure", description="Measures cmkdisk with keys in a vault.")
    p.add_argument("--build", required=True, help=argparse.SUPPRESS)
    p.add_argument("--rounds", type=int, default=31, help="checks of each key size (default %(default)s)")
    p.add_argument("--disks", type=int, default=1000, help="disks on one key; 0: none (default %(default)s)")
    p.add_argument("--interval", type=int, default=2, help="seconds between checks (default %(default)s)")
    p.add_argument("--span", type=int, default=60, help="seconds in which requests are counted (default %(default)s)")
    p.add_argument("--tmpfs", default="/dev/shm", help="where the backing files go (default %(default)s)")
    p.add_argument("--json", metavar="FILE", help="also write every single figure to FILE")
    a = p.parse_args(argv)
    if min(a.rounds, a.interval, a.span) < 1 or a.disks < 0:
        p.error("--rounds, --interval and --span are numbers from 1 on, --disks from 0 on")
    return a


def main():
    a = parse(sys.argv[1:])
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda *_: sys.exit(143))
    tools, load = {"cmkdisk": f"{a.build}/bin/cmkdisk"}, os.getloadavg()[0]
    where, vault, crowd = tempfile.mkdtemp(prefix="cmkdisk-bench-", dir=a.tmpfs), None, None
    try:
        vault = Vault(where, a.build)
        times = check_times(a, vault, where, tools)
        asks = requests(a, vault, where, tools)
        crowd = many(a, vault, where, tools) if a.disks else None
    except KeyboardInterrupt:
        raise SystemExit("bench: interrupted; everything was taken down") from None
    finally:
        if vault:
            vault.stop()
        subprocess.run(["rm", "-rf", "--one-file-system", where], check=False)
    print(f"{os.cpu_count()} cores, Linux {systems.kernel()}, load {load:.1f} at the start.")
    if load > 1:
        print("The machine was not quiet: the times are too long.")
    print("\n".join(lines(a, times, asks, crowd)))
    if a.json:
        with open(a.json, "w", encoding="utf-8") as f:
            json.dump({"load": load, "checks": times, "requests": asks, "many": crowd}, f, indent=1)


if __name__ == "__main__":
    main()
