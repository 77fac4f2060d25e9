// SPDX-License-Identifier: Apache-2.0
#include "tests/support/dfs/log_index.h"

#include "common/base/bytes.h"

namespace dfs::testing {
namespace {

using base::ByteReader;
using base::ByteWriter;
using base::Result;

constexpr std::uint64_t kCompactBytes = 1 << 20;

std::string encode(const std::vector<storage::BlockIndex::Change>& changes) {
  ByteWriter body;
  for (const auto& change : changes)
    body.text(change.key).u8(change.value ? 1 : 0).text(change.value.value_or(""));
  return ByteWriter().text(base::seal_record("commit", 1, body.bytes())).take();
}

class LogIndex final : public storage::BlockIndex {
 public:
  explicit LogIndex(base::Disk& disk) : disk_(disk) {}

  Result<void> open() {
    file_ = TRY(disk_.open("index", base::OpenMode::create));
    std::string content(TRY(file_->size()), '\0');
    TRY(file_->read(0, content));
    ByteReader in(content);
    while (true) {
      const Result<std::string_view> record = in.text();
      if (!record || !take(*record)) break;
      end_ = content.size() - in.rest().size();
    }
    return compact();
  }

  Result<std::optional<std::string>> find(std::string_view key) override {
    const auto found = values_.find(key);
    if (found == values_.end()) return std::optional<std::string>();
    return std::optional(found->second);
  }

  Result<std::optional<Pair>> at_or_after(std::string_view key) override {
    const auto found = values_.lower_bound(key);
    if (found == values_.end()) return std::optional<Pair>();
    return std::optional<Pair>(*found);
  }

  Result<void> commit(const std::vector<Change>& changes) override {
    const std::string record = encode(changes);
    TRY(file_->write(end_, record));
    TRY(file_->sync());
    end_ += record.size();
    apply(changes);
    if (end_ > kCompactBytes) return compact();
    return {};
  }

 private:
  void apply(const std::vector<Change>& changes) {
    for (const Change& change : changes) {
      if (change.value) {
        values_[change.key] = *change.value;
      } else {
        values_.erase(change.key);
      }
    }
  }

  bool take(std::string_view record) {
    const Result<std::string_view> body = base::open_record("commit", 1, record);
    if (!body) return false;
    ByteReader in(*body);
    std::vector<Change> changes;
    while (!in.rest().empty()) {
      std::string key(*in.text());
      const bool has_value = *in.u8() == 1;
      std::string value(*in.text());
      changes.push_back({std::move(key), {}});
      if (has_value) changes.back().value = std::move(value);
    }
    apply(changes);
    return true;
  }

  Result<void> compact() {
    std::vector<Change> all;
    for (const auto& [key, value] : values_) all.push_back({key, value});
    const std::string record = encode(all);
    auto file = TRY(disk_.open("index.new", base::OpenMode::create));
    TRY(file->truncate(0));
    TRY(file->write(0, record));
    TRY(file->sync());
    TRY(disk_.rename("index.new", "index"));
    TRY(disk_.sync_folder(""));
    file_ = std::move(file);
    end_ = record.size();
    return {};
  }

  base::Disk& disk_;
  std::map<std::string, std::string, std::less<>> values_;
  std::unique_ptr<base::DiskFile> file_;
  std::uint64_t end_ = 0;
};

}  // namespace

Result<std::unique_ptr<storage::BlockIndex>> open_log_index(base::Disk& disk) {
  auto index = std::make_unique<LogIndex>(disk);
  TRY(index->open());
  return std::unique_ptr<storage::BlockIndex>(std::move(index));
}

}  // namespace dfs::testing
