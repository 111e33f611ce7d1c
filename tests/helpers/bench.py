# SPDX-License-Identifier: MIT
"""Measures cmkdisk beside its neighbours and prints one Markdown table; called by scripts/bench.

All systems are mounted at once and measured in turn, cell by cell and round by round, so that a
change of the machine's mood hits all of them. A figure is the median over the rounds.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import bench_systems as systems

MIB, GIB, TIB = 1 << 20, 1 << 30, 1 << 40
# (column, fio's rw, block size, queue depth). At depth 1 a plain pread/pwrite; deeper, libaio: it
# keeps the queue full on a FUSE file opened with O_DIRECT, where io_uring hands writes to helper
# threads and gets a third less.
CELLS = (
    ("write 1M", "write", MIB, 1), ("read 1M", "read", MIB, 1),
    ("read 1M qd8", "read", MIB, 8), ("write 1M qd8", "write", MIB, 8),
    ("4K read qd1", "randread", 4096, 1), ("4K write qd1", "randwrite", 4096, 1),
    ("4K read qd32", "randread", 4096, 32), ("4K write qd32", "randwrite", 4096, 32),
)
IDLE_DISKS = 200


def cpu_seconds(pids):
    ticks = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                fields = f.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_kib(pids, field):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith(field + ":"))
        except OSError:
            pass
    return total


def fio(path, size, rw, block, depth, seconds):
    """One fio run. Returns operations a second, bytes moved and the p99 latency in us."""
    argv = ["fio", "--name=cell", f"--filename={path}", f"--rw={rw}", f"--bs={block}", f"--iodepth={depth}",
            f"--ioengine={'psync' if depth == 1 else 'libaio'}", "--direct=1", "--numjobs=1", f"--size={size}",
            "--fallocate=none", "--norandommap", "--randrepeat=0", "--output-format=json"]
    if seconds:
        argv += ["--time_based", f"--runtime={seconds}", "--allow_file_create=0"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"fio failed on {path}: {done.stderr.strip() or done.stdout.strip()}")
    job = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]
    side = job["read" if "read" in rw else "write"]
    p99 = side["clat_ns"].get("percentile", {}).get("99.000000", 0) / 1000
    return side["iops"], side["io_bytes"], p99


def measure_cell(system, cell, seconds):
    _, rw, block, depth = cell
    pids = system.pids()
    before = cpu_seconds(pids)
    iops, moved, p99 = fio(system.path, system.size, rw, block, depth, seconds)
    cpu = cpu_seconds(pids) - before
    return {"iops": iops, "mib_s": iops * block / MIB, "p99_us": p99,
            "cpu_s_per_gib": cpu * GIB / moved if moved else None,
            "rss_kib": memory_kib(pids, "VmRSS")}


def start_all(wanted, where, tools, size, notes, running):
    """Fills running, so that the caller can take down what was started also after an interruption."""
    for cls in wanted:
        system = cls(where, tools, size)
        running.append(system)
        try:
            system.start()
            # Written once in full before anything is read or timed: the tmpfs has its pages then.
            fio(system.path, size, "write", MIB, 1, 0)
        except (systems.Unavailable, RuntimeError, OSError) as why:
            notes[system.key] = str(why)
            system.stop()
            running.remove(system)
            # The first failure of ours is a failure of the whole: the table is about ours.
            if cls is systems.Cmkdisk:
                raise SystemExit(f"bench: cmkdisk could not be started: {why}") from None


def measure_all(running, rounds, seconds, results):
    for turn in range(rounds):
        for cell in CELLS:
            for i in range(len(running)):
                system = running[(i + turn) % len(running)]
                got = measure_cell(system, cell, seconds)
                results.setdefault(system.key, {}).setdefault(cell[0], []).append(got)
            print(f"bench: round {turn + 1}/{rounds}, {cell[0]}", file=sys.stderr)


def timed(fn):
    start = time.monotonic()
    fn()
    return (time.monotonic() - start) * 1000


def idle_rss(where, tools, disks, times):
    """Resident KiB of a daemon with that many disks, all idle, and of its key agents; appends its
    mount time in ms."""
    ours = systems.Cmkdisk(where, tools, 4 * MIB)
    ours.dir, ours.mnt = os.path.join(where, f"idle{disks}"), os.path.join(where, f"idle{disks}", "mnt")
    os.makedirs(ours.mnt)
    try:
        ours.new_key()
        backings = [ours.create(f"d{i:03}.img", ours.size) for i in range(disks)]
        times.append(timed(lambda: systems.run(tools["cmkdisk"], "mount", *backings, ours.mnt)))
        time.sleep(0.5)
        return memory_kib(ours.pids(), "VmRSS"), memory_kib(ours.agents(), "VmRSS")
    finally:
        ours.stop()
        shutil.rmtree(ours.dir)


def measure_ours_alone(where, tools, rounds):
    mount_ms, create_ms, many_ms = [], [], []
    one = [idle_rss(where, tools, 1, mount_ms) for _ in range(max(rounds, 3))]
    many, _ = idle_rss(where, tools, IDLE_DISKS, many_ms)
    ours = systems.Cmkdisk(where, tools, TIB)
    ours.dir = os.path.join(where, "create")
    os.makedirs(ours.dir)
    ours.new_key()
    for i in range(max(rounds, 3)):
        create_ms.append(timed(lambda i=i: ours.create(f"tib{i}.img", TIB)))
    shutil.rmtree(ours.dir)
    base = statistics.median(daemon for daemon, _ in one)
    return {"rss_agent_kib": statistics.median(agent for _, agent in one),
            "mount_ms": statistics.median(mount_ms), "create_1tib_ms": statistics.median(create_ms),
            "rss_one_idle_kib": base, "rss_many_idle_kib": many, "mount_many_ms": many_ms[0],
            "kib_per_further_disk": (many - base) / (IDLE_DISKS - 1)}


def median(results, key, column, field):
    values = [r[field] for r in results[key][column] if r[field] is not None]
    return statistics.median(values) if values else float("nan")


def speed(results, key, cell):
    return median(results, key, cell[0], "mib_s") if cell[2] == MIB else median(results, key, cell[0], "iops") / 1000


def row(label, texts):
    return f"| {label} | " + " | ".join(texts) + " |"


def table(results, notes, peaks, wanted):
    """The Markdown lines: speeds, ours as a share of the others, CPU time, memory."""
    names = {s.key: s.name for s in wanted}
    have = [s.key for s in wanted if s.key in results]
    lines = ["MiB/s at 1 MiB, thousand operations a second at 4 KiB.", "",
             row("", [c[0] for c in CELLS]), "|---" * (len(CELLS) + 1) + "|"]
    for key in have:
        cells = [speed(results, key, c) for c in CELLS]
        lines.append(row(names[key], [f"{v:.0f}" if v >= 100 else f"{v:.1f}" for v in cells]))
    lines += [row(names[key], ["-"] * len(CELLS)) for key in notes]
    if "ours" in results:
        for key in have[1:]:
            lines.append(row(f"cmkdisk / {names[key]}",
                             [f"{speed(results, 'ours', c) / speed(results, key, c):.2f}" for c in CELLS]))
    lines += ["", "CPU seconds of the daemon for each GiB, and its memory in MiB.", "",
              row("", [c[0] for c in CELLS] + ["resident under load", "peak"]), "|---" * (len(CELLS) + 3) + "|"]
    for key in have:
        cpu = [f"{median(results, key, c[0], 'cpu_s_per_gib'):.2f}" for c in CELLS]
        rss = max(r["rss_kib"] for cell in results[key].values() for r in cell) / 1024
        lines.append(row(names[key], cpu + [f"{rss:.1f}", f"{peaks[key] / 1024:.1f}"]))
    lines += [""] + [f"{names[key]} was not measured: {why}" for key, why in notes.items()]
    return lines


def ours_lines(alone):
    return ["", "| cmkdisk alone | |", "|---|---|",
            row("mount, file provider", [f"{alone['mount_ms']:.0f} ms"]),
            row(f"mount of {IDLE_DISKS} disks", [f"{alone['mount_many_ms']:.0f} ms"]),
            row("create, 1 TiB", [f"{alone['create_1tib_ms']:.0f} ms"]),
            row("resident, one idle disk", [f"{alone['rss_one_idle_kib'] / 1024:.1f} MiB"]),
            row("its key agent, a process apart", [f"{alone['rss_agent_kib'] / 1024:.1f} MiB"]),
            row("each further idle disk", [f"{alone['kib_per_further_disk']:.1f} KiB"])]


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = next((l.split(":")[1].strip() for l in f if l.startswith("model name")), os.uname().machine)
    return f"{os.cpu_count()} x {model}, Linux {systems.kernel()}"


def parse(argv):
    p = argparse.ArgumentParser(prog="scripts/bench", description="Measures cmkdisk beside its neighbours.")
    p.add_argument("--build", required=True, help=argparse.SUPPRESS)
    p.add_argument("--rounds", type=int, default=3, help="rounds; a figure is their median (default %(default)s)")
    p.add_argument("--runtime", type=int, default=3, help="seconds for each cell (default %(default)s)")
    p.add_argument("--quick", action="store_true", help="one round of one second: a look, not a measurement")
    p.add_argument("--size", type=int, default=1024, help="MiB of each disk (default %(default)s)")
    p.add_argument("--only", default=",".join(s.key for s in systems.ALL),
                   help="systems, by comma (default %(default)s)")
    p.add_argument("--tmpfs", default="/dev/shm", help="where the backing files go (default %(default)s)")
    p.add_argument("--json", metavar="FILE", help="also write every single figure to FILE")
    a = p.parse_args(argv)
    if a.quick:
        a.rounds, a.runtime = 1, 1
    known = {s.key: s for s in systems.ALL}
    unknown = [k for k in a.only.split(",") if k not in known]
    if unknown:
        p.error(f"--only: '{unknown[0]}' is none of {', '.join(known)}")
    if min(a.rounds, a.runtime, a.size) < 1:
        p.error("--rounds, --runtime and --size are numbers from 1 on")
    a.wanted = [s for s in systems.ALL if s.key in a.only.split(",")]
    room = shutil.disk_usage(a.tmpfs).free // MIB
    if room < len(a.wanted) * (a.size + 64) * 1.05:
        p.error(f"{a.tmpfs} has {room} MiB free, too little for {len(a.wanted)} disks of {a.size} MiB; "
                "choose --size or fewer systems with --only")
    return a


def main():
    a = parse(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda *_: sys.exit(143))
    tools = {"cmkdisk": f"{a.build}/bin/cmkdisk", "fuse_passthrough": f"{a.build}/bin/fuse_passthrough"}
    results, notes, peaks, alone, running = {}, {}, {}, None, []
    where = tempfile.mkdtemp(prefix="cmkdisk-bench-", dir=a.tmpfs)
    try:
        start_all(a.wanted, where, tools, a.size * MIB, notes, running)
        measure_all(running, a.rounds, a.runtime, results)
        peaks = {s.key: memory_kib(s.pids(), "VmHWM") for s in running}
        if any(s.key == "ours" for s in running):
            alone = measure_ours_alone(where, tools, a.rounds)
    except KeyboardInterrupt:
        raise SystemExit("bench: interrupted; everything was taken down") from None
    finally:
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(s, signal.SIG_IGN)  # taking down is not interrupted
        for system in running:
            system.stop()
        subprocess.run(["rm", "-rf", "--one-file-system", where], check=False)
    print("\n".join([f"{machine()}; median of {a.rounds} rounds of {a.runtime} s.", ""] +
                    table(results, notes, peaks, a.wanted) + (ours_lines(alone) if alone else [])))
    if a.json:
        with open(a.json, "w", encoding="utf-8") as f:
            json.dump({"machine": machine(), "rounds": a.rounds, "runtime_s": a.runtime, "cells": results,
                       "peak_kib": peaks, "alone": alone, "not_measured": notes}, f, indent=1)


if __name__ == "__main__":
    main()
