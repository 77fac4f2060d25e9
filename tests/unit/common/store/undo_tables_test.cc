// SPDX-License-Identifier: Apache-2.0
#include "common/store/undo_tables.h"

#include <CppUTest/TestHarness.h>

#include <map>

#include "tests/support/check_result.h"

namespace {

using base::Result;
using store::TableNumber;

// Two tables in memory.
struct PlainTables final : store::WritableTables {
  std::map<std::string, std::string, std::less<>> tables[2];
  Result<std::optional<std::string_view>> find(TableNumber table,
                                               std::string_view key) const override {
    const auto found = tables[table].find(key);
    if (found == tables[table].end()) return std::optional<std::string_view>();
    return std::optional<std::string_view>(found->second);
  }
  Result<void> scan(TableNumber table, std::string_view from, const Visit& visit) const override {
    for (auto at = tables[table].lower_bound(from); at != tables[table].end(); ++at) {
      const bool more = TRY(visit(at->first, at->second));
      if (!more) break;
    }
    return {};
  }
  Result<void> put(TableNumber table, std::string_view key, std::string_view value) override {
    tables[table].insert_or_assign(std::string(key), std::string(value));
    return {};
  }
  Result<void> erase(TableNumber table, std::string_view key) override {
    tables[table].erase(std::string(key));
    return {};
  }
  Result<void> clear(TableNumber table) override {
    tables[table].clear();
    return {};
  }
};

TEST_GROUP(UndoTables){};

TEST(UndoTables, everything_is_as_it_was_after_an_undo) {
  PlainTables plain;
  plain.tables[0] = {{"a", "1"}, {"b", "2"}};
  plain.tables[1] = {{"x", "9"}};
  const auto before0 = plain.tables[0];
  const auto before1 = plain.tables[1];
  store::UndoTables undoable(plain);
  CHECK_OK(undoable.put(0, "a", "changed"));
  CHECK_OK(undoable.put(0, "a", "again"));
  CHECK_OK(undoable.put(0, "c", "new"));
  CHECK_OK(undoable.erase(0, "b"));
  CHECK_OK(undoable.put(0, "b", "back"));
  CHECK_OK(undoable.clear(1));
  CHECK(plain.tables[1].empty());
  CHECK_OK(undoable.undo());
  CHECK(plain.tables[0] == before0);
  CHECK(plain.tables[1] == before1);
}

}  // namespace
