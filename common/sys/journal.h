// SPDX-License-Identifier: Apache-2.0
// The journal: a sink for our own records, and a reader for the output of a unit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/log.h"
#include "common/base/result.h"
#include "common/sys/event_loop.h"

namespace sys {

// Journal fields PRIORITY, MESSAGE, EVENT and each field in upper case. Falls back to stderr when
// there is no journal.
void journal_sink(base::log::Level level, std::string_view event, std::string_view message,
                  base::log::FieldList fields) noexcept;

struct JournalLine {
  std::string cursor;  // opaque position; pass it as `after` to go on from here
  std::uint64_t realtime_us;
  std::string message;
};

// What the processes of one unit wrote, oldest first; a message is cut at 64 KiB.
// Threads: one at a time; it reads files, so not in a hurry on the loop.
class JournalReader {
 public:
  struct Options {
    std::string unit;
    std::size_t last = 100;  // start with the last N lines
    std::string after = {};  // or behind this cursor
  };
  // Errors: invalid_argument journal_cursor_invalid, unit_invalid; os errors.
  static base::Result<std::unique_ptr<JournalReader>> open(const Options& options);
  virtual ~JournalReader() = default;
  // Up to `most` lines that are there now. An empty answer means: wait.
  virtual base::Result<std::vector<JournalLine>> read(std::size_t most) = 0;
  // Readable when more may be there; register it with EventLoop::watch_fd and call read().
  virtual int fd() const = 0;
};

}  // namespace sys
