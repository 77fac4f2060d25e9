# SPDX-License-Identifier: Apache-2.0
"""Every frame, log entry and record of the file system, fed by libFuzzer under the address and undefined behaviour sanitizers."""
from shows import fuzzing

ABOUT = "frames, log entries and records of the file system under libFuzzer with sanitizers: executions, coverage, findings"
TARGETS = [
    ("frames, requests and replies of 7861 to 7863", "dfs_protocol_fuzz"),
    ("metadata: log entries on a state, and its check afterwards", "dfs_command_fuzz"),
    ("metadata: records of the store, pieces of a state", "dfs_record_fuzz"),
    ("storage: superblocks, sums, group states, log entries", "chunk_fuzz"),
    ("segments and batches of the journal", "journal_fuzz"),
    ("messages between replicas, a group's configuration", "message_fuzz"),
]


def show(report):
    fuzzing.run_all(report, TARGETS)
