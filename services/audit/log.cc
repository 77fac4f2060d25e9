// SPDX-License-Identifier: Apache-2.0
#include "services/audit/log.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/sys/tls.h"

namespace services::audit {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::string_view kEnding = ".jsonl";

std::string file_name(std::uint64_t first) {
  const std::string digits = std::to_string(first);
  return std::string(12 - std::min<std::size_t>(digits.size(), 12), '0') + digits +
         std::string(kEnding);
}

Result<std::string> read_all(base::DiskFile& file) {
  std::string text(TRY(file.size()), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const std::size_t count = TRY(file.read(done, std::span(text).subspan(done)));
    if (count == 0) break;
    done += count;
  }
  text.resize(done);
  return text;
}

}  // namespace

Log::Log(std::unique_ptr<base::Disk> disk, sys::Ed25519Key key, const base::Clock& clock,
         LogLimits limits)
    : disk_(std::move(disk)), key_(std::move(key)), clock_(clock), limits_(limits) {}

Result<std::unique_ptr<Log>> Log::open(std::unique_ptr<base::Disk> disk, sys::Ed25519Key key,
                                       const base::Clock& clock, LogLimits limits) {
  std::unique_ptr<Log> log(new Log(std::move(disk), std::move(key), clock, limits));
  log->key_id_ = sys::sha256_hex(TRY(log->key_.public_raw())).substr(0, 16);
  TRY(log->recover());
  return log;
}

Result<std::vector<std::string>> Log::files() const {
  std::vector<std::string> names = TRY(disk_->list(""));
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(kEnding); });
  return names;
}

Result<void> Log::recover() {
  const std::vector<std::string> names = TRY(files());
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    TRY(continue_file(*name));
    if (head_.n != 0) return {};
    // It held no whole record: a crash came just after it was begun.
    file_.reset();
    TRY(disk_->remove(*name));
  }
  return {};
}

Result<void> Log::continue_file(const std::string& name) {
  file_ = TRY(disk_->open(name, base::OpenMode::existing));
  const std::string text = TRY(read_all(*file_));
  Verifier verifier("");
  std::size_t good = 0;
  while (good < text.size()) {
    const std::size_t end = text.find('\n', good);
    if (end == std::string::npos) break;
    Result<void> taken = verifier.take(std::string_view(text).substr(good, end - good));
    if (!taken) {
      // Damage before the end is for people to look at; only a torn end is a crash's.
      if (text.find('\n', end + 1) != std::string::npos) return taken;
      break;
    }
    good = end + 1;
  }
  if (good < text.size()) {
    base::log::warning("AUDIT_TAIL_REMOVED", "a line that a crash cut short was removed",
                       {{"file", name}});
    TRY(file_->truncate(good));
    TRY(file_->sync());
  }
  head_ = verifier.head();
  name_ = name;
  size_ = good;
  return {};
}

Result<void> Log::begin_file() {
  name_ = file_name(head_.n + 1);
  file_ = TRY(disk_->open(name_, base::OpenMode::create));
  TRY(file_->truncate(0));
  TRY(disk_->sync_folder(""));
  size_ = 0;
  return remove_old();
}

Result<void> Log::remove_old() {
  const std::vector<std::string> names = TRY(files());
  for (std::size_t i = 0; i + limits_.files_max < names.size(); ++i) TRY(disk_->remove(names[i]));
  return {};
}

Result<void> Log::append(std::span<const Entry> entries) {
  const std::lock_guard lock(mutex_);
  if (failed_) {
    return Error{Code::unavailable, "the disk lost audit records; restart the daemon",
                 "audit_log_failed"};
  }
  Head next = head_;
  std::string text;
  for (const Entry& entry : entries) {
    if (entry.sequence <= next.sequence) continue;
    text += make_line(next, entry.sequence, entry.record);
  }
  if (text.empty()) return {};
  text += TRY(make_checkpoint(next, key_, key_id_, base::format_time(clock_.wall())));
  if (!file_ || size_ > limits_.file_bytes_max) TRY(begin_file());
  TRY(file_->write(size_, text));
  if (Result<void> synced = file_->sync(); !synced) {
    failed_ = true;
    return synced;
  }
  size_ += text.size();
  head_ = next;
  return {};
}

Head Log::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

Result<void> Log::each_line(const std::function<void(std::string_view line)>& visit) const {
  for (const std::string& name : TRY(files())) {
    const auto file = TRY(disk_->open(name, base::OpenMode::existing));
    const std::string text = TRY(read_all(*file));
    for (const std::string_view line : base::split(text, '\n')) {
      if (!line.empty()) visit(line);
    }
  }
  return {};
}

Result<bool> Log::scan(std::uint64_t bytes_max,
                       const std::function<bool(const Json& line)>& visit) const {
  std::vector<std::string> names = TRY(files());
  std::uint64_t left = bytes_max;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    Result<std::unique_ptr<base::DiskFile>> file = disk_->open(*name, base::OpenMode::existing);
    if (!file) continue;  // removed meanwhile, being the oldest
    const std::string text = TRY(read_all(**file));
    if (text.size() > left) return false;
    left -= text.size();
    std::vector<std::string_view> lines = base::split(text, '\n');
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
      const Json json = Json::parse(*line, nullptr, false);
      if (!json.is_object() || !json.contains("record")) continue;
      if (!visit(json)) return false;
    }
  }
  return true;
}

}  // namespace services::audit
