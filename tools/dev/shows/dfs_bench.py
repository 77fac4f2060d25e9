# SPDX-License-Identifier: Apache-2.0
"""The file system's speed beside GlusterFS and MooseFS on the same machine, in interleaved rounds."""
import dfs_bench
import dfs_peers
import dfs_servers
import run

ABOUT = "every yardstick of the file system beside GlusterFS and MooseFS: ratios, memory, CPU"


def show(report):
    dfs_servers.prepare()
    dfs_peers.install()
    folder = run.ROOT / "build/dfs-bench"
    folder.mkdir(parents=True, exist_ok=True)
    if report.smoke:
        results, _ = dfs_bench.rounds(folder, 1, True, "fsync,meta,small", quick=True)
    else:
        results, _ = dfs_bench.rounds(folder, 3, True)
    for metric, ours, best, theirs, ratio, target, _ in dfs_bench.ratios(results):
        note = f"{'no result' if ours is None else format(ours, '.0f')} beside {theirs:.0f} of {best}"
        if metric in dfs_bench.LOWER_IS_BETTER:
            report.figure(metric, round(ratio, 2) if ratio else float("inf"), note, at_most=target)
        else:
            report.figure(metric, round(ratio, 2) if ratio else 0.0, note, at_least=target)
    for label, target in dfs_bench.MEAN_OF.items():
        mean = dfs_bench.geometric_mean(results, label)
        report.figure(f"geometric mean over {label}", round(mean or 0, 2), at_least=target)
    memory, cpu = (dfs_bench.median(results, "gestalt", name) for name in ("rss_servers_client", "cpu_servers_client"))
    report.figure("resident memory of servers and client", memory or float("inf"), "MiB", at_most=dfs_bench.MEMORY_MIB_MAX)
    if not report.smoke:
        report.figure("CPU of the whole benchmark", cpu or float("inf"), "s", at_most=dfs_bench.CPU_SECONDS_MAX)
