// SPDX-License-Identifier: Apache-2.0
// The audit log: files of chained records in a folder, the newest one growing.
//
// 1. A file is named after its first record, "000000000001.jsonl". It is closed at
// `file_bytes_max`; when there are more than `files_max`, the oldest go.
// 2. append() returns when its records are on disk. What it has had before is skipped by sequence,
// so that a crash between the log and the outbox repeats nothing.
// 3. A last line that a crash cut short is removed at the start; it was never acknowledged.
// Threads: any; one append at a time, reads beside it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/disk.h"
#include "common/sys/ed25519.h"
#include "services/audit/api/chain.h"
#include "services/framework/stages.h"

namespace services::audit {

struct LogLimits {
  std::uint64_t file_bytes_max = 8 << 20;
  std::size_t files_max = 512;
};

class Log final : public AuditSink {
 public:
  // Errors: corrupt audit_line_invalid when the newest file cannot be continued; os errors.
  static base::Result<std::unique_ptr<Log>> open(std::unique_ptr<base::Disk> disk,
                                                 sys::Ed25519Key key, const base::Clock& clock,
                                                 LogLimits limits);
  base::Result<void> append(std::span<const Entry> entries) override;
  Head head() const;
  base::Result<std::string> public_key_raw() const { return key_.public_raw(); }
  // Every line that is kept, from the oldest to the newest, without its line break.
  base::Result<void> each_line(const std::function<void(std::string_view line)>& visit) const;
  // Records from the newest to the oldest, each as the JSON of its line, until `visit` is false or
  // `bytes_max` have been read; whether the end was reached.
  base::Result<bool> scan(std::uint64_t bytes_max,
                          const std::function<bool(const base::Json& line)>& visit) const;

 private:
  Log(std::unique_ptr<base::Disk> disk, sys::Ed25519Key key, const base::Clock& clock,
      LogLimits limits);
  base::Result<void> recover();
  base::Result<void> continue_file(const std::string& name);
  base::Result<void> begin_file();
  base::Result<void> remove_old();
  base::Result<std::vector<std::string>> files() const;

  std::unique_ptr<base::Disk> disk_;
  sys::Ed25519Key key_;
  std::string key_id_;
  const base::Clock& clock_;
  const LogLimits limits_;
  mutable std::mutex mutex_;
  Head head_;
  std::string name_;
  std::unique_ptr<base::DiskFile> file_;
  std::uint64_t size_ = 0;
  bool failed_ = false;  // a sync failed: nothing may be appended any more
};

}  // namespace services::audit
