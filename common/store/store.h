// SPDX-License-Identifier: Apache-2.0
// A service's own store: collections of versioned records with secondary indexes, in one
// transaction at a time.
//
// Engines: lmdb (default), postgres (postgres.h) and memory (tests, fault injection). One
// conformance suite (tests/contract/store_suite.h) covers all.
// 1. A commit that returned is durable (lmdb, postgres). All writes of a transaction become visible
// together.
// 2. Every record carries a version that grows by one per write; `expected` makes a write
// conditional.
// 3. Keys are 1 to 255 bytes, records up to 16 MiB; iteration is in byte order of the keys.
// Threads: any. Writers wait for each other and share commits: a work may run on the thread of
// another writer, while its own waits in write().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace store {

struct Record {
  std::string key;
  std::string value;
  std::uint64_t version = 0;
};

inline constexpr std::size_t kTermBytesMax = 255;

// A secondary index: from a record's value to the terms it is found by (none, one or many; each 1
// to kTermBytesMax bytes).
struct Index {
  std::string name;
  std::function<std::vector<std::string>(std::string_view key, std::string_view value)> terms;
};

struct Collection {
  std::string name;
  std::vector<Index> indexes = {};
  // False for what is derived or passing: the feed does not list its changes, though each takes a
  // sequence number.
  bool in_feed = true;
};

inline constexpr std::uint64_t kMustBeNew = 0;

struct Range {
  std::string prefix = {};  // keys that start with it; empty means all
  std::string after = {};   // only keys behind this one
  std::size_t limit = 1000;
};

struct Change {
  std::uint64_t sequence =
      0;  // in commit order; without gaps where all collections are in the feed
  std::string collection;
  std::string key;
  std::uint64_t version = 0;  // 0: deleted
};

class Reader {
 public:
  virtual ~Reader() = default;
  // Whether it sees only what is committed. Inside a transaction it does not: what was read there
  // may be rolled back, and must not be kept beyond it.
  virtual bool is_snapshot() const = 0;
  virtual base::Result<std::optional<Record>> find(std::string_view collection,
                                                   std::string_view key) = 0;
  virtual base::Result<std::vector<Record>> list(std::string_view collection,
                                                 const Range& range) = 0;
  // Records found by an index term, in order of key. Errors: invalid_argument index_unknown.
  virtual base::Result<std::vector<Record>> find_by(std::string_view collection,
                                                    std::string_view index, std::string_view term,
                                                    const Range& keys) = 0;
  // Changes behind `after`, oldest first; the feed keeps the last `changes_kept`. Errors: not_found
  // changes_trimmed.
  virtual base::Result<std::vector<Change>> changes(std::uint64_t after, std::size_t limit) = 0;
  virtual base::Result<std::uint64_t> last_change() = 0;
};

class Writer : public Reader {
 public:
  // Returns the new version. `expected`: nullopt any, kMustBeNew must be absent, else the version
  // it must have. Errors: conflict version_moved_on; already_exists record_exists; no_space.
  virtual base::Result<std::uint64_t> put(std::string_view collection, std::string_view key,
                                          std::string_view value,
                                          std::optional<std::uint64_t> expected = std::nullopt) = 0;
  // Errors: not_found record_absent; conflict version_moved_on.
  virtual base::Result<void> remove(std::string_view collection, std::string_view key,
                                    std::optional<std::uint64_t> expected = std::nullopt) = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  // Runs `work` in one read snapshot.
  virtual base::Result<void> read(const std::function<base::Result<void>(Reader&)>& work) = 0;
  // Runs `work` in one transaction and commits when it returns no error; an error of `work` aborts
  // and is returned.
  virtual base::Result<void> write(const std::function<base::Result<void>(Writer&)>& work) = 0;
  // A consistent copy into an empty folder while the store is in use.
  virtual base::Result<void> backup(const std::string& folder) = 0;
  // Everything of `source`, with its versions and its feed, in place of what was here, in one
  // transaction: how a service moves from one engine to another. Errors: failed_precondition
  // store_layout_differs.
  virtual base::Result<void> replace_with(Store& source) = 0;
};

struct Options {
  std::vector<Collection> collections;
  std::size_t map_size_bytes = std::size_t{4} << 30;
  std::uint64_t changes_kept = 100'000;
};
// Errors: corrupt store_corrupt; os errors; failed_precondition store_locked when another process
// has it open.
base::Result<std::unique_ptr<Store>> open_lmdb(const std::string& folder, Options options);
// What is committed, while another process has the store open or none has; writes nothing. Errors:
// not_found store_absent.
base::Result<std::unique_ptr<Store>> open_lmdb_to_read(const std::string& folder, Options options);
std::unique_ptr<Store> make_memory(Options options);

}  // namespace store
