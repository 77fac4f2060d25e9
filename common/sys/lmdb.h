// SPDX-License-Identifier: Apache-2.0
// LMDB: an environment, named databases, one writer and many readers, cursors.
//
// 1. Every commit is synced (no WRITEMAP, NOSYNC or NOMETASYNC): a commit that returned is on disk.
// 2. A commit error other than map-full or no-space means the disk lied to us; the process aborts
// (reliability: I10).
// 3. Values read are views into the map and live until their transaction ends.
// Threads: a transaction lives and dies on one thread; an environment is opened once per process
// and not across fork. Source: lmdb.h 0.9.24.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"
#include "common/sys/handle.h"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace sys {

struct LmdbOptions {
  std::size_t map_size_bytes = std::size_t{1} << 30;  // virtual; the file grows as needed
  unsigned databases_max = 32;
  unsigned readers_max = 126;
  unsigned mode = 0600;
  bool read_only = false;  // beside the process that writes; nothing is created
};

struct LmdbDb {
  unsigned number = 0;
};

class LmdbEnv {
 public:
  // Creates the folder, but not its parents, when it is missing. Errors: corrupt, no_space, os
  // errors.
  static base::Result<LmdbEnv> open(const std::filesystem::path& folder, LmdbOptions options = {});
  LmdbEnv(LmdbEnv&&) noexcept;
  LmdbEnv& operator=(LmdbEnv&&) noexcept;
  ~LmdbEnv();
  // Opens, or creates, a named database. Requires: no transaction open on this thread. Errors:
  // not_found database_absent when it is opened to read.
  base::Result<LmdbDb> database(const std::string& name);
  // A consistent copy while readers and the writer go on (online backup). `folder` must be empty.
  base::Result<void> copy_to(const std::filesystem::path& folder);
  struct Usage {
    std::size_t used_bytes, map_size_bytes;
  };
  Usage usage() const;
  MDB_env* native() const { return env_; }

 private:
  explicit LmdbEnv(MDB_env* env) : env_(env) {}
  base::Result<LmdbDb> existing_database(const std::string& name);
  MDB_env* env_ = nullptr;
};

class LmdbCursor;

// Reading part of both transaction kinds.
class LmdbTxn {
 public:
  // Errors: not_found key_absent.
  base::Result<std::string_view> get(LmdbDb db, std::string_view key) const;
  base::Result<std::optional<std::string_view>> find(LmdbDb db, std::string_view key) const;
  base::Result<LmdbCursor> cursor(LmdbDb db) const;
  base::Result<std::size_t> count(LmdbDb db) const;

 protected:
  explicit LmdbTxn(MDB_txn* txn);
  LmdbTxn(LmdbTxn&&) noexcept = default;
  LmdbTxn& operator=(LmdbTxn&&) noexcept = default;
  ~LmdbTxn() = default;
  static void abort(MDB_txn* txn) noexcept;
  Handle<MDB_txn, abort> txn_;
};

class LmdbReadTxn : public LmdbTxn {
 public:
  static base::Result<LmdbReadTxn> begin(const LmdbEnv& env);

 private:
  friend class LmdbEnv;
  using LmdbTxn::LmdbTxn;
};

// Commits once, or aborts when it goes out of scope. begin() waits while another writer is open.
class LmdbWriteTxn : public LmdbTxn {
 public:
  static base::Result<LmdbWriteTxn> begin(LmdbEnv& env);
  // Errors: no_space (the map or the disk is full), invalid_argument (key empty or over 511 bytes).
  base::Result<void> put(LmdbDb db, std::string_view key, std::string_view value);
  base::Result<bool> erase(LmdbDb db, std::string_view key);  // whether it was there
  base::Result<void> clear(LmdbDb db);
  base::Result<void> commit() &&;  // the transaction is gone afterwards, also on error

 private:
  friend class LmdbEnv;
  using LmdbTxn::LmdbTxn;
};

// Walks keys in byte order. Requires: not outliving its transaction.
class LmdbCursor {
 public:
  using Entry = std::pair<std::string_view, std::string_view>;
  LmdbCursor(LmdbCursor&&) noexcept;
  LmdbCursor& operator=(LmdbCursor&&) noexcept;
  ~LmdbCursor();
  // The first entry whose key is not less than `key`; nullopt past the end.
  base::Result<std::optional<Entry>> seek(std::string_view key);
  base::Result<std::optional<Entry>> first();
  base::Result<std::optional<Entry>> last();
  base::Result<std::optional<Entry>> next();
  base::Result<std::optional<Entry>> previous();

 private:
  friend class LmdbTxn;
  explicit LmdbCursor(MDB_cursor* cursor) : cursor_(cursor) {}
  MDB_cursor* cursor_ = nullptr;
};

}  // namespace sys
