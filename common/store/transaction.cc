// SPDX-License-Identifier: Apache-2.0
#include "common/store/transaction.h"

#include "common/base/bytes.h"
#include "common/store/index.h"
#include "common/store/record.h"

namespace store {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::string_view kFeedKey = "feed";
constexpr std::size_t kKeyMax = 255;
constexpr std::size_t kValueMax = std::size_t{16} << 20;

std::string sequence_key(std::uint64_t sequence) { return base::ByteWriter().u64(sequence).take(); }

Result<void> check_key(std::string_view key) {
  if (key.empty() || key.size() > kKeyMax)
    return Error{Code::invalid_argument, "a key has 1 to 255 bytes", "key_invalid"};
  return {};
}

Result<void> check_version(const std::optional<Record>& found,
                           std::optional<std::uint64_t> expected, std::string_view key) {
  if (!expected) return {};
  if (*expected == kMustBeNew) {
    if (!found) return {};
    return Error{Code::already_exists, "the record " + std::string(key) + " exists",
                 "record_exists"};
  }
  if (found && found->version == *expected) return {};
  return Error{
      Code::conflict,
      "the record " + std::string(key) + " is no longer at version " + std::to_string(*expected),
      "version_moved_on"};
}

// Walks the keys of a table that begin with `lead` followed by the range's prefix, as the range
// says. `visit` gets the key without `lead`.
Result<void> walk(const Tables& tables, TableNumber table, const std::string& lead,
                  const Range& range, const Tables::Visit& visit) {
  const std::string prefix = lead + range.prefix;
  const std::string after = range.after.empty() ? "" : lead + range.after;
  std::size_t left = range.limit;
  if (left == 0) return {};
  return tables.scan(table, std::max(prefix, after),
                     [&](std::string_view key, std::string_view value) -> Result<bool> {
                       if (!after.empty() && key <= after) return true;
                       if (!key.starts_with(prefix)) return false;
                       const bool more = TRY(visit(key.substr(lead.size()), value));
                       return more && --left > 0;
                     });
}

}  // namespace

Result<const CollectionLayout*> Transaction::collection(std::string_view name) const {
  for (const CollectionLayout& candidate : layout_.collections) {
    if (candidate.name == name) return &candidate;
  }
  return Error{Code::invalid_argument, "there is no collection " + std::string(name),
               "collection_unknown"};
}

Result<std::optional<Record>> Transaction::load(const CollectionLayout& collection,
                                                std::string_view key) const {
  const std::optional<std::string_view> bytes = TRY(tables_.find(collection.records, key));
  if (!bytes) return std::optional<Record>();
  return std::optional<Record>(TRY(decode_record(key, *bytes)));
}

Result<std::optional<Record>> Transaction::find(std::string_view name, std::string_view key) {
  TRY(check_key(key));
  return load(*TRY(collection(name)), key);
}

Result<std::vector<Record>> Transaction::list(std::string_view name, const Range& range) {
  const CollectionLayout* found = TRY(collection(name));
  std::vector<Record> records;
  const Tables::Visit take = [&](std::string_view key, std::string_view value) -> Result<bool> {
    records.push_back(TRY(decode_record(key, value)));
    return true;
  };
  TRY(walk(tables_, found->records, "", range, take));
  return records;
}

Result<std::vector<Record>> Transaction::find_by(std::string_view name, std::string_view index,
                                                 std::string_view term, const Range& keys) {
  const CollectionLayout* found = TRY(collection(name));
  TRY(check_term(term));
  const auto wanted =
      std::find_if(found->indexes.begin(), found->indexes.end(),
                   [&](const IndexLayout& candidate) { return candidate.index.name == index; });
  if (wanted == found->indexes.end())
    return Error{Code::invalid_argument, "there is no index " + std::string(index),
                 "index_unknown"};
  std::vector<Record> records;
  const Tables::Visit take = [&](std::string_view key, std::string_view) -> Result<bool> {
    std::optional<Record> record = TRY(load(*found, key));
    if (!record)
      return Error{Code::corrupt, "the index names a record that is not there", "store_corrupt"};
    records.push_back(*std::move(record));
    return true;
  };
  TRY(walk(tables_, wanted->table, index_key(term, ""), keys, take));
  return records;
}

Result<FeedState> Transaction::feed() const {
  if (pending_) return *pending_;
  const std::optional<std::string_view> bytes = TRY(tables_.find(Layout::kState, kFeedKey));
  if (!bytes) return FeedState{};
  return decode_feed(kFeedKey, *bytes);
}

Result<std::uint64_t> Transaction::last_change() { return TRY(feed()).last; }

Result<std::vector<Change>> Transaction::changes(std::uint64_t after, std::size_t limit) {
  const FeedState state = TRY(feed());
  // A follower that is ahead of us saw a store that has since been restored from a backup.
  if (after < state.trimmed || after > state.last)
    return Error{Code::not_found,
                 "the feed has changes " + std::to_string(state.trimmed + 1) + " to " +
                     std::to_string(state.last),
                 "changes_trimmed"};
  std::vector<Change> found;
  if (limit == 0) return found;
  const Tables::Visit take = [&](std::string_view key, std::string_view value) -> Result<bool> {
    found.push_back(TRY(decode_change(key, value)));
    return found.size() < limit;
  };
  TRY(tables_.scan(Layout::kChanges, sequence_key(after + 1), take));
  return found;
}

Result<std::uint64_t> Transaction::put(std::string_view name, std::string_view key,
                                       std::string_view value,
                                       std::optional<std::uint64_t> expected) {
  const CollectionLayout* found = TRY(collection(name));
  TRY(check_key(key));
  if (value.size() > kValueMax)
    return Error{Code::too_large, "a record has at most 16 MiB", "record_too_large"};
  const std::optional<Record> before = TRY(load(*found, key));
  TRY(check_version(before, expected, key));
  const std::uint64_t version = before ? before->version + 1 : 1;
  TRY(update_indexes(*found, key, before ? &before->value : nullptr, &value));
  TRY(writable_->put(found->records, key, encode_record(key, version, value)));
  TRY(record_change(*found, key, version));
  return version;
}

Result<void> Transaction::remove(std::string_view name, std::string_view key,
                                 std::optional<std::uint64_t> expected) {
  const CollectionLayout* found = TRY(collection(name));
  TRY(check_key(key));
  const std::optional<Record> before = TRY(load(*found, key));
  if (!before)
    return Error{Code::not_found, "there is no record " + std::string(key), "record_absent"};
  TRY(check_version(before, expected, key));
  TRY(update_indexes(*found, key, &before->value, nullptr));
  TRY(writable_->erase(found->records, key));
  return record_change(*found, key, 0);
}

Result<void> Transaction::update_indexes(const CollectionLayout& collection, std::string_view key,
                                         const std::string* before, const std::string_view* after) {
  // All terms first: an invalid one must leave nothing half done, since the caller may go on.
  std::vector<std::pair<TableNumber, std::string>> gone, added;
  for (const IndexLayout& index : collection.indexes) {
    std::set<std::string> old_terms, new_terms;
    if (before != nullptr) old_terms = TRY(terms_of(index.index, key, *before));
    if (after != nullptr) new_terms = TRY(terms_of(index.index, key, *after));
    for (const std::string& term : old_terms) {
      if (!new_terms.contains(term)) gone.emplace_back(index.table, index_key(term, key));
    }
    for (const std::string& term : new_terms) {
      if (!old_terms.contains(term)) added.emplace_back(index.table, index_key(term, key));
    }
  }
  for (const auto& [table, entry] : gone) TRY(writable_->erase(table, entry));
  for (const auto& [table, entry] : added) TRY(writable_->put(table, entry, ""));
  return {};
}

Result<void> Transaction::record_change(const CollectionLayout& collection, std::string_view key,
                                        std::uint64_t version) {
  FeedState state = TRY(feed());
  ++state.last;
  pending_ = state;
  if (!collection.in_feed) return {};
  const std::string change_key = sequence_key(state.last);
  const Change change{state.last, collection.name, std::string(key), version};
  TRY(writable_->put(Layout::kChanges, change_key, encode_change(change_key, change)));
  return {};
}

Result<bool> Transaction::finish() {
  if (!pending_) return false;
  while (pending_->last - pending_->trimmed > layout_.changes_kept) {
    ++pending_->trimmed;
    TRY(writable_->erase(Layout::kChanges, sequence_key(pending_->trimmed)));
  }
  TRY(writable_->put(Layout::kState, kFeedKey, encode_feed(kFeedKey, *pending_)));
  return true;
}

}  // namespace store
