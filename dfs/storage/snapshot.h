// SPDX-License-Identifier: Apache-2.0
// Brings a member's objects to another's state by sending the blocks that differ.
//
// Sender and receiver take turns, one piece and one answer each:
//   hello: the sender's state → nothing
//   offer: pages of a range with their checksums → which of their blocks are wanted
//   blocks: half a page → nothing
//   wait: → whether all is durable, then it can be installed
// The receiver measures the content of blocks that it claims to have.
// Threads: the loop's.
#pragma once

#include <memory>

#include "dfs/replication/state_machine.h"

namespace dfs::storage {

class ChunkMachine;

// Requires of both: the machine outlives it.
base::Result<std::unique_ptr<replication::SnapshotSource>> make_snapshot_source(
    ChunkMachine& machine);
// Its take() errors: corrupt snapshot_invalid, those of the device.
base::Result<std::unique_ptr<replication::SnapshotSink>> make_snapshot_sink(ChunkMachine& machine);

}  // namespace dfs::storage
