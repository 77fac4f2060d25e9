// SPDX-License-Identifier: Apache-2.0
// Reads a journal back after a restart.
//
// Used by Journal::open(). Threads: the caller's, while nobody else uses the journal. Blocks.
#pragma once

#include <map>

#include "dfs/replication/journal.h"

namespace dfs::replication {

class JournalRecovery {
 public:
  explicit JournalRecovery(Journal& journal) : journal_(journal) {}
  // Errors: corrupt journal_corrupt; os errors.
  base::Result<void> run();

 private:
  struct Found {
    Journal::Segment segment;
    SegmentHeader header;
  };
  struct Log {
    Epoch promised = 0;
    Index settled = 0;
    Position base;
    std::map<Index, JournalEntry> entries;
  };

  base::Result<void> open_segments();
  base::Result<void> check_generations() const;
  base::Result<void> replay_segments();
  base::Result<void> replay(JournalBatch batch, Journal::Segment& segment);
  static base::Result<void> replay(Log& log, LogWrite write);
  base::Result<void> hand_over();

  Journal& journal_;
  std::map<std::uint64_t, Found> found_;  // by generation, of those in use
  std::map<std::uint32_t, Log> logs_;
  std::uint64_t marked_ = 0;  // generation of the segment with the newest marks
};

}  // namespace dfs::replication
