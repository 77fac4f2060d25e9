// SPDX-License-Identifier: Apache-2.0
// Tables that can take back what was written through them, while the engine's transaction goes on.
//
// Used by TableStore, where several works share a transaction.
// Threads: that of the transaction.
#pragma once

#include <string>
#include <vector>

#include "common/store/tables.h"

namespace store {

class UndoTables final : public WritableTables {
 public:
  explicit UndoTables(WritableTables& tables) : tables_(tables) {}
  base::Result<std::optional<std::string_view>> find(TableNumber table,
                                                     std::string_view key) const override {
    return tables_.find(table, key);
  }
  base::Result<void> scan(TableNumber table, std::string_view from,
                          const Visit& visit) const override {
    return tables_.scan(table, from, visit);
  }
  base::Result<void> put(TableNumber table, std::string_view key, std::string_view value) override;
  base::Result<void> erase(TableNumber table, std::string_view key) override;
  base::Result<void> clear(TableNumber table) override;

  // Everything is as it was. Errors: the engine's; then its transaction is of no use any more.
  base::Result<void> undo();

 private:
  struct Step {
    TableNumber table;
    std::string key;
    std::optional<std::string> before;
  };
  base::Result<void> remember(TableNumber table, std::string_view key);
  WritableTables& tables_;
  std::vector<Step> steps_;
};

}  // namespace store
