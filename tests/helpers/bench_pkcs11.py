# SPDX-License-Identifier: MIT
"""Measures checks of keys in a PKCS#11 token, SoftHSM on this machine, and prints Markdown tables;
called by scripts/bench --pkcs11.

Each check goes through a key agent and is what a mounted disk asks: unwrap, and tell the attributes
of the newest version. Each of the two questions initialises the module anew, finds the token, opens a
session, logs in, finds the key and closes the session; a true HSM has its own time for that.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile

import bench_systems as systems

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
KINDS = (("RSA-2048", "rsa", 2048), ("RSA-3072", "rsa", 3072), ("RSA-4096", "rsa", 4096), ("AES-256", "aes", None))
PIN = "1234"


def call(*argv):
    """What a command printed that must succeed."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=1800, check=False)
    if done.returncode:
        raise SystemExit(f"bench: `{' '.join(argv[:3])} ...` exited {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


def token(where):
    """A SoftHSM with one token; returns what the operator's key URLs say behind the '?'."""
    conf, pin_file = os.path.join(where, "softhsm2.conf"), os.path.join(where, "pin")
    os.mkdir(os.path.join(where, "tokens"))
    with open(conf, "w", encoding="utf-8") as f:
        f.write(f"directories.tokendir = {where}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    with open(os.open(pin_file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as f:
        f.write(PIN + "\n")
    os.environ["SOFTHSM2_CONF"] = conf
    call("softhsm2-util", "--init-token", "--free", "--label", "bank", "--pin", PIN, "--so-pin", "87654321")
    return f"module-path={MODULE}&pin-source=file:{pin_file}"


def measure(a, query, name, kind, bits):
    url = f"pkcs11:token=bank;object={name.lower()}"
    size = ["--bits", str(bits)] if bits else []
    call(f"{a.build}/bin/cmkdisk", "tokenkey", "new", "--key", f"{url}?{query}", "--type", kind, *size)
    config = {"cmkdisk": {"pkcs11": {"query": query, "environment": {"SOFTHSM2_CONF": os.environ["SOFTHSM2_CONF"]}}}}
    print(f"bench: {name}, {a.checks} checks", file=sys.stderr)
    return json.loads(call(f"{a.build}/bin/agent_checks", f"{a.build}/libexec/cmkdisk/cmkdisk-agent",
                           f"{a.build}/lib/cmkdisk/providers", url, json.dumps(config), str(a.checks)))


def lines(a, found):
    at = [look["checks"] for look in next(iter(found.values()))["at"]]
    def ms(of):
        return f"{of / 1000:.2f}"

    times = ["| key | algorithm | check, ms: min | median | p99 | unwrap alone, median | attributes alone, median |",
             "|---|---|---|---|---|---|---|"]
    times += [f"| {name} | {f['alg']} | " + " | ".join(map(ms, (
        f["check"]["minUs"], f["check"]["medianUs"], f["check"]["p99Us"],
        f["unwrap"]["medianUs"], f["describe"]["medianUs"]))) + " |" for name, f in found.items()]
    sizes = ["", "| key agent: resident MiB (open descriptors) | " + " | ".join(f"after {n:,} checks" for n in at) + " |",
             "|---" * (len(at) + 1) + "|"]
    sizes += [f"| {name} | " + " | ".join(f"{k['rssKib'] / 1024:.2f} ({k['descriptors']})" for k in f["at"]) + " |"
              for name, f in found.items()]
    return [f"Against SoftHSM through a key agent, {a.checks:,} checks of each key (two questions each), one after the",
            "other, by one process of the agent's (a mount renews it after 4,096 questions).", "",
            *times, *sizes]


def parse(argv):
    p = argparse.ArgumentParser(prog="scripts/bench --pkcs11", description="Measures checks of keys in a PKCS#11 token.")
    p.add_argument("--build", required=True, help=argparse.SUPPRESS)
    p.add_argument("--checks", type=int, default=10000, help="of each key (default %(default)s)")
    p.add_argument("--tmpfs", default="/dev/shm", help="where the token goes (default %(default)s)")
    p.add_argument("--json", metavar="FILE", help="also write every single figure to FILE")
    a = p.parse_args(argv)
    if not 100 <= a.checks <= 1000000:
        p.error("--checks is a number from 100 to 1000000")
    return a


def main():
    a = parse(sys.argv[1:])
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda *_: sys.exit(143))
    load, where = os.getloadavg()[0], tempfile.mkdtemp(prefix="cmkdisk-bench-", dir=a.tmpfs)
    try:
        query = token(where)
        found = {name: measure(a, query, name, kind, bits) for name, kind, bits in KINDS}
    except KeyboardInterrupt:
        raise SystemExit("bench: interrupted; everything was taken down") from None
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", where], check=False)
    print(f"{os.cpu_count()} cores, Linux {systems.kernel()}, load {load:.1f} at the start.")
    if load > 1:
        print("The machine was not quiet: the times are too long.")
    print("\n".join(lines(a, found)))
    if a.json:
        with open(a.json, "w", encoding="utf-8") as f:
            json.dump({"load": load, "checks": found}, f, indent=1)


if __name__ == "__main__":
    main()
