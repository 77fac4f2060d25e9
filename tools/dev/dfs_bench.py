# SPDX-License-Identifier: Apache-2.0
"""The file system beside its peers: the same work on each, interleaved rounds, ratios against the better peer."""
import json
import math
import os
import pathlib
import statistics

import dfs_peers
import dfs_servers
import run
import say
from say import Failure
from testbed.sandbox import Sandbox

# Metric of the benchmark, what it must be of the better peer's (at least; at most where lower is better).
TARGETS = [
    ("seq_write_fsync", 1.5), ("seq_read_cold", 1.05), ("fsync_write_4k_qd1", 1.8), ("randwrite_4k_4j", 4.0), ("randread_4k_direct_4j", 2.0),
    ("create_1t", 1.3), ("create_4t", 1.3), ("stat_cold_1t", 1.5), ("readdir_stat_cold_1t", 1.3), ("rename_1t", 1.4), ("unlink_1t", 1.3),
    ("small_write_4k", 1.7), ("small_write_4k_fsync", 1.7), ("untar", 2.0), ("git_clone", 0.5), ("sqlite_delete", 1.7), ("sqlite_wal", 1.7),
    ("pgbench_4c", 1.7),
]
LOWER_IS_BETTER = {"git_clone"}
MEMORY_MIB_MAX = 300
CPU_SECONDS_MAX = 70
MEAN_OF = {"moosefs": 2.0, "glusterfs": 5.0}  # geometric mean of our rates over a peer's


def script():
    """The benchmark is not part of this tree: it lies beside it, or where DFS_BENCH says."""
    for candidate in (os.environ.get("DFS_BENCH"), run.ROOT / "bench/dfs_bench.sh", run.ROOT.parent / "shared/bench/dfs_bench.sh"):
        if candidate and pathlib.Path(candidate).is_file():
            return pathlib.Path(candidate)
    raise Failure("the benchmark dfs_bench.sh is not here: say where with DFS_BENCH=/path/to/dfs_bench.sh")


def measure(system, out, only="", quick=False):
    """One run on a fresh file system."""
    with Sandbox(system.label) as box:
        mount = system.start(box)
        argv = [script(), "run", mount, system.label, "--out", out, "--pids", " ".join(box.pids(*system.processes))]
        argv += ["--only", only] if only else []
        argv += ["--quick"] if quick else []
        say.note(f"{system.label}: benchmark")
        log = out.with_suffix(".log")
        try:
            box.stream_to(argv, log)
        except Failure as problem:
            # A phase that failed is missing from the results, and its target counts as missed.
            said = system.logs() if hasattr(system, "logs") else ""
            say.error(f"{system.label}: {problem}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-5:]) + f"\n{said}")


def rounds(folder, count, peers, only="", quick=False):
    """Results by label: a list of the phases of each round."""
    systems = [dfs_servers.Servers, dfs_peers.Disk, *(dfs_peers.PEERS if peers else ())]
    files = []
    for number in range(1, count + 1):
        for system in systems:
            out = folder / f"{system.label}-{number}.json"
            measure(system(), out, only, quick)
            if out.exists():
                files.append(out)
    results = {}
    for file in files:
        one = json.loads(file.read_text())
        results.setdefault(one["label"], []).append(one["phases"])
    return results, files


def median(results, label, metric):
    values = [phases[metric]["value"] for phases in results.get(label, []) if metric in phases]
    return statistics.median(values) if values else None


def over_disk(results):
    """Each rate as a part of what the disk itself gives, for the rows that have a target."""
    rows = []
    for metric, _ in TARGETS:
        ours, disk = median(results, "gestalt", metric), median(results, "ext4", metric)
        if ours and disk:
            rows.append((metric, disk / ours if metric in LOWER_IS_BETTER else ours / disk))
    return rows


def ratios(results):
    """Rows: metric, ours, the better peer's name and value, ours over it, target, whether it is met. None where a figure is missing."""
    rows = []
    for metric, target in TARGETS:
        ours = median(results, "gestalt", metric)
        peers = {label: median(results, label, metric) for label in MEAN_OF}
        peers = {label: value for label, value in peers.items() if value}
        if not peers:
            continue
        lower = metric in LOWER_IS_BETTER
        best = (min if lower else max)(peers, key=peers.get)
        ratio = ours / peers[best] if ours else None
        met = ratio is not None and (ratio <= target if lower else ratio >= target)
        rows.append((metric, ours, best, peers[best], ratio, target, met))
    return rows


def geometric_mean(results, label):
    """Of our rates over that peer's, times turned over."""
    logs = []
    for metric, _ in TARGETS:
        ours, theirs = median(results, "gestalt", metric), median(results, label, metric)
        if ours and theirs:
            logs.append(math.log(theirs / ours if metric in LOWER_IS_BETTER else ours / theirs))
    return math.exp(sum(logs) / len(logs)) if logs else None


def add_arguments(parser):
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true", help="only our own")
    parser.add_argument("--quick", action="store_true", help="a third of the work")
    parser.add_argument("--only", default="", help="groups of the benchmark: seq,fsync,randw,randr,meta,small,tree,git,sqlite,pg")


def main(arguments):
    dfs_servers.prepare()
    dfs_peers.install(peers=not arguments.no_peers)
    folder = run.ROOT / "build/dfs-bench"
    folder.mkdir(parents=True, exist_ok=True)
    results, files = rounds(folder, arguments.rounds, not arguments.no_peers, arguments.only, arguments.quick)
    run.stream([script(), "report", *files], "the report")
    print()
    table = [["metric", "ours", "better peer", "", "ratio", "target", ""]]
    for metric, ours, best, value, ratio, target, met in ratios(results):
        table.append([metric, "-" if ours is None else f"{ours:.0f}", f"{value:.0f}", best, "-" if ratio is None else f"{ratio:.2f}",
                      f"{'<=' if metric in LOWER_IS_BETTER else '>='} {target}", "met" if met else "MISSED"])
    if len(table) > 1:
        say.table(table)
    say.table([["metric", "of the disk's own"], *([metric, f"{part:.2f}"] for metric, part in over_disk(results))])
