// SPDX-License-Identifier: Apache-2.0
#include "common/store/undo_tables.h"

namespace store {

using base::Result;

Result<void> UndoTables::remember(TableNumber table, std::string_view key) {
  const auto found = TRY(tables_.find(table, key));
  steps_.push_back({table, std::string(key),
                    found ? std::optional<std::string>(*found) : std::optional<std::string>()});
  return {};
}

Result<void> UndoTables::put(TableNumber table, std::string_view key, std::string_view value) {
  TRY(remember(table, key));
  return tables_.put(table, key, value);
}

Result<void> UndoTables::erase(TableNumber table, std::string_view key) {
  TRY(remember(table, key));
  return tables_.erase(table, key);
}

Result<void> UndoTables::clear(TableNumber table) {
  std::vector<std::string> keys;
  TRY(tables_.scan(table, "", [&](std::string_view key, std::string_view) -> Result<bool> {
    keys.emplace_back(key);
    return true;
  }));
  for (const std::string& key : keys) TRY(erase(table, key));
  return {};
}

Result<void> UndoTables::undo() {
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    if (step->before) {
      TRY(tables_.put(step->table, step->key, *step->before));
    } else {
      TRY(tables_.erase(step->table, step->key));
    }
  }
  steps_.clear();
  return {};
}

}  // namespace store
