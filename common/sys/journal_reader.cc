// SPDX-License-Identifier: Apache-2.0
// Source: sd-journal(3), sd_journal_get_fd(3).
#include <systemd/sd-journal.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "common/sys/handle.h"
#include "common/sys/journal.h"

namespace sys {

namespace {

constexpr std::size_t kMessageBytesMax = 64 << 10;

using Journal = Handle<sd_journal, sd_journal_close>;

base::Error failed(int result, std::string_view what) { return base::os_error(-result, what); }

class SdJournalReader final : public JournalReader {
 public:
  explicit SdJournalReader(Journal journal) : journal_(std::move(journal)) {}

  base::Result<void> start(const Options& options) {
    // Watching comes first: what is written from now on is either found or wakes us.
    fd_ = sd_journal_get_fd(journal_.get());
    if (fd_ < 0) return failed(fd_, "watch the journal");
    const std::string match = "_SYSTEMD_UNIT=" + options.unit;
    const int matched = sd_journal_add_match(journal_.get(), match.data(), match.size());
    if (matched < 0) return failed(matched, "look for a unit in the journal");
    const int limited = sd_journal_set_data_threshold(journal_.get(), kMessageBytesMax);
    if (limited < 0) return failed(limited, "limit what is read of the journal");
    return options.after.empty() ? seek_last(options.last) : seek_after(options.after);
  }

  base::Result<std::vector<JournalLine>> read(std::size_t most) override {
    // Takes in files that came or went, and empties the descriptor.
    const int processed = sd_journal_process(journal_.get());
    if (processed < 0) return failed(processed, "follow the journal");
    std::vector<JournalLine> lines;
    while (lines.size() < most) {
      if (!std::exchange(is_on_unread_, false)) {
        const int moved = sd_journal_next(journal_.get());
        if (moved < 0) return failed(moved, "read the journal");
        if (moved == 0) break;
      }
      lines.push_back(TRY(current()));
    }
    return lines;
  }

  int fd() const override { return fd_; }

 private:
  base::Result<void> seek_last(std::size_t last) {
    int result = sd_journal_seek_tail(journal_.get());
    if (result < 0) return failed(result, "go to the journal's end");
    // With no line asked for, the newest one is stepped on and counts as read.
    result = sd_journal_previous_skip(journal_.get(), last == 0 ? 1 : last);
    if (result < 0) return failed(result, "go back in the journal");
    if (result > 0) {
      is_on_unread_ = last > 0;
      return {};
    }
    result = sd_journal_seek_head(journal_.get());  // nothing yet: all that comes is new
    if (result < 0) return failed(result, "go to the journal's start");
    return {};
  }

  base::Result<void> seek_after(const std::string& cursor) {
    int result = sd_journal_seek_cursor(journal_.get(), cursor.c_str());
    if (result == -EINVAL) {
      return base::Error{base::Code::invalid_argument, "this is no position in the journal",
                         "journal_cursor_invalid"};
    }
    if (result < 0) return failed(result, "go to a position in the journal");
    result = sd_journal_next(journal_.get());
    if (result < 0) return failed(result, "read the journal");
    if (result == 0) return {};
    // The line itself may have been rotated away; then we stand on the one behind it.
    const int same = sd_journal_test_cursor(journal_.get(), cursor.c_str());
    if (same < 0) return failed(same, "compare positions in the journal");
    is_on_unread_ = same == 0;
    return {};
  }

  base::Result<JournalLine> current() {
    JournalLine line{};
    char* cursor = nullptr;
    const int got_cursor = sd_journal_get_cursor(journal_.get(), &cursor);
    if (got_cursor < 0) return failed(got_cursor, "get a position in the journal");
    const Handle<char, std::free> owned_cursor(cursor);
    line.cursor = cursor;
    const int got_time = sd_journal_get_realtime_usec(journal_.get(), &line.realtime_us);
    if (got_time < 0) return failed(got_time, "get the time of a journal line");
    constexpr std::string_view kField = "MESSAGE=";
    const void* data = nullptr;
    std::size_t size = 0;
    const int got = sd_journal_get_data(journal_.get(), "MESSAGE", &data, &size);
    // A record without a message (a core dump's, for instance) is an empty line.
    if (got == -ENOENT) return line;
    if (got < 0) return failed(got, "get a journal line");
    line.message.assign(static_cast<const char*>(data) + kField.size(), size - kField.size());
    return line;
  }

  Journal journal_;
  int fd_ = -1;
  bool is_on_unread_ = false;  // the current entry was not given out yet
};

}  // namespace

base::Result<std::unique_ptr<JournalReader>> JournalReader::open(const Options& options) {
  if (options.unit.empty() || options.unit.find('\0') != options.unit.npos) {
    return base::Error{base::Code::invalid_argument, "a unit's name is needed", "unit_invalid"};
  }
  sd_journal* journal = nullptr;
  const int opened = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY);
  if (opened < 0) return failed(opened, "open the journal");
  auto reader = std::make_unique<SdJournalReader>(Journal(journal));
  TRY(reader->start(options));
  return std::unique_ptr<JournalReader>(std::move(reader));
}

}  // namespace sys
