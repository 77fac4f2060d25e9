// SPDX-License-Identifier: Apache-2.0
// The memory engine: ordered maps, with an undo list for transactions that fail.
#include <map>
#include <shared_mutex>

#include "common/store/table_store.h"

namespace store {
namespace {

using base::Code;
using base::Error;
using base::Result;

using Table = std::map<std::string, std::string, std::less<>>;

class MemoryTables final : public WritableTables {
 public:
  explicit MemoryTables(std::size_t count) : tables_(count) {}

  Result<std::optional<std::string_view>> find(TableNumber table,
                                               std::string_view key) const override {
    const auto found = tables_[table].find(key);
    if (found == tables_[table].end()) return std::optional<std::string_view>();
    return std::optional<std::string_view>(found->second);
  }

  Result<void> scan(TableNumber table, std::string_view from, const Visit& visit) const override {
    for (auto it = tables_[table].lower_bound(from); it != tables_[table].end(); ++it) {
      const bool more = TRY(visit(it->first, it->second));
      if (!more) return {};
    }
    return {};
  }

  Result<void> put(TableNumber table, std::string_view key, std::string_view value) override {
    std::string copy(value);  // before the old value goes: the new one may be a view into it
    remember(table, key);
    tables_[table].insert_or_assign(std::string(key), std::move(copy));
    return {};
  }

  Result<void> erase(TableNumber table, std::string_view key) override {
    remember(table, key);
    const auto found = tables_[table].find(key);
    if (found != tables_[table].end()) tables_[table].erase(found);
    return {};
  }

  Result<void> clear(TableNumber table) override {
    while (!tables_[table].empty()) {
      const std::string key = tables_[table].begin()->first;
      TRY(erase(table, key));
    }
    return {};
  }

  void keep() { undo_.clear(); }

  void roll_back() {
    for (auto step = undo_.rbegin(); step != undo_.rend(); ++step) {
      if (step->value) {
        tables_[step->table].insert_or_assign(step->key, *std::move(step->value));
      } else {
        tables_[step->table].erase(step->key);
      }
    }
    undo_.clear();
  }

 private:
  struct Step {
    TableNumber table;
    std::string key;
    std::optional<std::string> value;
  };

  void remember(TableNumber table, std::string_view key) {
    const auto found = tables_[table].find(key);
    std::optional<std::string> value;
    if (found != tables_[table].end()) value = found->second;
    undo_.push_back({table, std::string(key), std::move(value)});
  }

  std::vector<Table> tables_;
  std::vector<Step> undo_;
};

class MemoryStore final : public TableStore {
 public:
  explicit MemoryStore(const Options& options)
      : TableStore(options), tables_(layout().tables.size()) {}

  Result<void> backup(const std::string&) override {
    return Error{Code::unsupported, "a store in memory has no backup", "backup_unsupported"};
  }

 protected:
  Result<void> read_tables(const ReadWork& work) override {
    const std::shared_lock lock(mutex_);
    return work(tables_);
  }

  Result<void> write_tables(const WriteWork& work) override {
    const std::lock_guard lock(mutex_);
    const Result<Outcome> outcome = work(tables_);
    if (!outcome) {
      tables_.roll_back();
      return outcome.error();
    }
    tables_.keep();
    return {};
  }

 private:
  std::shared_mutex mutex_;  // guards the tables
  MemoryTables tables_;
};

}  // namespace

std::unique_ptr<Store> make_memory(Options options) {
  return std::make_unique<MemoryStore>(options);
}

}  // namespace store
