// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/base_store.h"

namespace dfs::meta {
namespace {

using base::Result;
using Content = std::map<std::string, std::string, std::less<>>;

class MemoryCursor final : public BaseCursor {
 public:
  explicit MemoryCursor(const Content& content) : content_(content), at_(content.end()) {}
  bool seek(std::string_view key) override {
    at_ = content_.lower_bound(key);
    return at_ != content_.end();
  }
  bool next() override { return ++at_ != content_.end(); }
  std::string_view key() const override { return at_->first; }
  std::string_view value() const override { return at_->second; }

 private:
  const Content& content_;
  Content::const_iterator at_;
};

class MemoryReader final : public BaseReader {
 public:
  explicit MemoryReader(const MemoryDisk& disk) : copy_(disk) {}
  replication::Position position() const override { return copy_.position; }
  std::unique_ptr<BaseCursor> cursor() override {
    return std::make_unique<MemoryCursor>(copy_.content);
  }

 private:
  const MemoryDisk copy_;
};

class MemoryReplacement final : public BaseReplacement {
 public:
  explicit MemoryReplacement(MemoryDisk& disk) : disk_(disk) {}
  Result<void> put(std::string_view key, std::string_view value) override {
    fresh_.content.insert_or_assign(std::string(key), std::string(value));
    return {};
  }
  Result<void> install(replication::Position position) override {
    fresh_.position = position;
    disk_ = std::move(fresh_);
    return {};
  }

 private:
  MemoryDisk& disk_;
  MemoryDisk fresh_;
};

// What is written is read at once: the layer above holds the same values until it adopts.
class MemoryBase final : public BaseStore {
 public:
  explicit MemoryBase(MemoryDisk& disk) : disk_(disk) {}
  replication::Position position() const override { return disk_.position; }
  std::optional<std::string_view> find(std::string_view key) const override {
    const auto at = disk_.content.find(key);
    if (at == disk_.content.end()) return std::nullopt;
    return at->second;
  }
  std::unique_ptr<BaseCursor> cursor() const override {
    return std::make_unique<MemoryCursor>(disk_.content);
  }
  Result<void> write(const Changes& changes, replication::Position position) override {
    for (const auto& [key, value] : changes) {
      if (value) {
        disk_.content.insert_or_assign(key, *value);
      } else {
        disk_.content.erase(key);
      }
    }
    disk_.position = position;
    return {};
  }
  void adopt() override {}
  Result<std::unique_ptr<BaseReader>> open_reader() const override {
    return std::unique_ptr<BaseReader>(std::make_unique<MemoryReader>(disk_));
  }
  Result<std::unique_ptr<BaseReplacement>> replace() override {
    return std::unique_ptr<BaseReplacement>(std::make_unique<MemoryReplacement>(disk_));
  }
  Result<void> copy_to(const std::filesystem::path&) override {
    return base::Error{base::Code::unsupported, "the state is in memory only",
                       "backup_unsupported"};
  }
  std::uint64_t used_bytes() const override {
    std::uint64_t sum = 0;
    for (const auto& [key, value] : disk_.content) sum += key.size() + value.size();
    return sum;
  }

 private:
  MemoryDisk& disk_;
};

}  // namespace

std::unique_ptr<BaseStore> make_memory_base(MemoryDisk& disk) {
  return std::make_unique<MemoryBase>(disk);
}

}  // namespace dfs::meta
