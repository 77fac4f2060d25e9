// SPDX-License-Identifier: Apache-2.0
#include "common/store/table_store.h"

#include "common/store/transaction.h"

namespace store {

using base::Code;
using base::Error;
using base::Result;

Result<void> TableStore::read(const std::function<Result<void>(Reader&)>& work) {
  return read_tables([&](const Tables& tables) {
    Transaction transaction(layout_, tables);
    return work(transaction);
  });
}

Result<void> TableStore::write(const std::function<Result<void>(Writer&)>& work) {
  return write_tables([&](WritableTables& tables) -> Result<Outcome> {
    Transaction transaction(layout_, tables);
    TRY(work(transaction));
    const bool changed = TRY(transaction.finish());
    return changed ? Outcome::keep : Outcome::nothing_changed;
  });
}

Result<void> TableStore::refresh() {
  return write_tables([this](WritableTables& tables) -> Result<Outcome> {
    const bool changed = TRY(refresh_indexes(layout_, tables));
    return changed ? Outcome::keep : Outcome::nothing_changed;
  });
}

Result<void> TableStore::replace_with(Store& source) {
  auto* tables_of_source = dynamic_cast<TableStore*>(&source);
  CHECK_THAT(tables_of_source != nullptr && tables_of_source != this);
  if (layout_.tables != tables_of_source->layout_.tables)
    return Error{Code::failed_precondition,
                 "the two stores do not have the same collections and indexes",
                 "store_layout_differs"};
  return write_tables([&](WritableTables& tables) { return take_all(*tables_of_source, tables); });
}

Result<TableStore::Outcome> TableStore::take_all(TableStore& source, WritableTables& tables) {
  TableNumber table = 0;
  const Tables::Visit copy = [&](std::string_view key, std::string_view value) -> Result<bool> {
    TRY(tables.put(table, key, value));
    return true;
  };
  const ReadWork copy_all = [&](const Tables& from) -> Result<void> {
    for (; table < layout_.tables.size(); ++table) {
      TRY(tables.clear(table));
      TRY(from.scan(table, "", copy));
    }
    return {};
  };
  TRY(source.read_tables(copy_all));
  return Outcome::keep;
}

}  // namespace store
