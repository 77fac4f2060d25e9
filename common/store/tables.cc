// SPDX-License-Identifier: Apache-2.0
#include "common/store/tables.h"

#include <set>

#include "common/store/index.h"
#include "common/store/record.h"

namespace store {
namespace {

using base::Result;

constexpr std::string_view kMarkerPrefix = "index/";

std::string marker_of(const CollectionLayout& collection, const IndexLayout& index) {
  return std::string(kMarkerPrefix) + collection.name + "/" + index.index.name;
}

Result<std::set<std::string>> markers_of(const Tables& tables) {
  std::set<std::string> markers;
  const Tables::Visit note = [&](std::string_view key, std::string_view) -> Result<bool> {
    if (!key.starts_with(kMarkerPrefix)) return false;
    markers.emplace(key);
    return true;
  };
  TRY(tables.scan(Layout::kState, kMarkerPrefix, note));
  return markers;
}

Result<void> fill(const CollectionLayout& collection, const IndexLayout& index,
                  WritableTables& tables) {
  TRY(tables.clear(index.table));
  std::vector<std::string> keys;
  const Tables::Visit collect = [&](std::string_view key, std::string_view value) -> Result<bool> {
    const Record record = TRY(decode_record(key, value));
    const std::set<std::string> terms = TRY(terms_of(index.index, key, record.value));
    for (const std::string& term : terms) keys.push_back(index_key(term, key));
    return true;
  };
  TRY(tables.scan(collection.records, "", collect));
  for (const std::string& key : keys) TRY(tables.put(index.table, key, ""));
  return {};
}

}  // namespace

Layout::Layout(const Options& options) : changes_kept(options.changes_kept) {
  tables = {"state", "changes"};
  for (const Collection& collection : options.collections) {
    CollectionLayout layout{collection.name, tables.size(), {}, collection.in_feed};
    tables.push_back("records/" + collection.name);
    for (const Index& index : collection.indexes) {
      layout.indexes.push_back({index, tables.size()});
      tables.push_back("index/" + collection.name + "/" + index.name);
    }
    collections.push_back(std::move(layout));
  }
}

bool is_index(std::string_view name) { return name.starts_with(kMarkerPrefix); }

Result<void> forget_indexes(WritableTables& tables) {
  const std::set<std::string> markers = TRY(markers_of(tables));
  for (const std::string& marker : markers) TRY(tables.erase(Layout::kState, marker));
  return {};
}

Result<bool> refresh_indexes(const Layout& layout, WritableTables& tables) {
  std::set<std::string> forgotten = TRY(markers_of(tables));
  bool changed = false;
  for (const CollectionLayout& collection : layout.collections) {
    for (const IndexLayout& index : collection.indexes) {
      const std::string marker = marker_of(collection, index);
      if (forgotten.erase(marker) > 0) continue;
      TRY(fill(collection, index, tables));
      TRY(tables.put(Layout::kState, marker, ""));
      changed = true;
    }
  }
  // Without its marker an index is filled anew when a later version declares it again.
  for (const std::string& marker : forgotten) TRY(tables.erase(Layout::kState, marker));
  return changed || !forgotten.empty();
}

}  // namespace store
