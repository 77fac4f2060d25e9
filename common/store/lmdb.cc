// SPDX-License-Identifier: Apache-2.0
// The LMDB engine: one environment per store, one database per table.
#include "common/sys/lmdb.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "common/store/table_store.h"
#include "common/sys/shared_file.h"

namespace store {
namespace {

using base::Code;
using base::Error;
using base::Result;

using Databases = std::vector<sys::LmdbDb>;

Result<std::optional<std::string_view>> find_in(const sys::LmdbTxn& txn, sys::LmdbDb db,
                                                std::string_view key) {
  return txn.find(db, key);
}

Result<void> scan_in(const sys::LmdbTxn& txn, sys::LmdbDb db, std::string_view from,
                     const Tables::Visit& visit) {
  sys::LmdbCursor cursor = TRY(txn.cursor(db));
  for (auto entry = TRY(cursor.seek(from)); entry; entry = TRY(cursor.next())) {
    const bool more = TRY(visit(entry->first, entry->second));
    if (!more) return {};
  }
  return {};
}

class ReadTables final : public Tables {
 public:
  ReadTables(const Databases& databases, const sys::LmdbReadTxn& txn)
      : databases_(databases), txn_(txn) {}
  Result<std::optional<std::string_view>> find(TableNumber table,
                                               std::string_view key) const override {
    return find_in(txn_, databases_[table], key);
  }
  Result<void> scan(TableNumber table, std::string_view from, const Visit& visit) const override {
    return scan_in(txn_, databases_[table], from, visit);
  }

 private:
  const Databases& databases_;
  const sys::LmdbReadTxn& txn_;
};

class WriteTables final : public WritableTables {
 public:
  WriteTables(const Databases& databases, sys::LmdbWriteTxn& txn)
      : databases_(databases), txn_(txn) {}
  Result<std::optional<std::string_view>> find(TableNumber table,
                                               std::string_view key) const override {
    return find_in(txn_, databases_[table], key);
  }
  Result<void> scan(TableNumber table, std::string_view from, const Visit& visit) const override {
    return scan_in(txn_, databases_[table], from, visit);
  }
  Result<void> put(TableNumber table, std::string_view key, std::string_view value) override {
    return txn_.put(databases_[table], key, value);
  }
  Result<void> erase(TableNumber table, std::string_view key) override {
    TRY(txn_.erase(databases_[table], key));
    return {};
  }
  Result<void> clear(TableNumber table) override { return txn_.clear(databases_[table]); }

 private:
  const Databases& databases_;
  sys::LmdbWriteTxn& txn_;
};

class LmdbStore final : public TableStore {
 public:
  LmdbStore(sys::Fd lock, sys::LmdbEnv env, const Options& options, Databases databases)
      : TableStore(options),
        lock_(std::move(lock)),
        env_(std::move(env)),
        databases_(std::move(databases)) {}

  Result<void> backup(const std::string& folder) override {
    TRY(sys::make_synced_folder(folder, 0700));
    return env_.copy_to(folder);
  }

 protected:
  Result<void> read_tables(const ReadWork& work) override {
    const sys::LmdbReadTxn txn = TRY(sys::LmdbReadTxn::begin(env_));
    return work(ReadTables(databases_, txn));
  }

  Result<void> write_tables(const WriteWork& work) override {
    sys::LmdbWriteTxn txn = TRY(sys::LmdbWriteTxn::begin(env_));
    WriteTables tables(databases_, txn);
    const Outcome outcome = TRY(work(tables));
    if (outcome == Outcome::nothing_changed) return {};
    return std::move(txn).commit();
  }

 private:
  const sys::Fd lock_;  // held as long as the environment is open
  sys::LmdbEnv env_;
  const Databases databases_;
};

// Beside the process that has the store open: sees what that one has committed. A table that is not
// there yet has nothing in it.
class LmdbReader final : public TableStore {
 public:
  using Found = std::vector<std::optional<sys::LmdbDb>>;
  LmdbReader(sys::LmdbEnv env, const Options& options, Found databases)
      : TableStore(options), env_(std::move(env)), databases_(std::move(databases)) {}
  Result<void> backup(const std::string&) override { return only_reads(); }

 protected:
  Result<void> read_tables(const ReadWork& work) override {
    const sys::LmdbReadTxn txn = TRY(sys::LmdbReadTxn::begin(env_));
    return work(FoundTables(databases_, txn));
  }
  Result<void> write_tables(const WriteWork&) override { return only_reads(); }

 private:
  class FoundTables final : public Tables {
   public:
    FoundTables(const Found& databases, const sys::LmdbReadTxn& txn)
        : databases_(databases), txn_(txn) {}
    Result<std::optional<std::string_view>> find(TableNumber table,
                                                 std::string_view key) const override {
      if (!databases_[table]) return std::optional<std::string_view>();
      return find_in(txn_, *databases_[table], key);
    }
    Result<void> scan(TableNumber table, std::string_view from, const Visit& visit) const override {
      return databases_[table] ? scan_in(txn_, *databases_[table], from, visit) : Result<void>();
    }

   private:
    const Found& databases_;
    const sys::LmdbReadTxn& txn_;
  };
  static Error only_reads() {
    return Error{Code::unsupported, "the store was opened to be read", "store_read_only"};
  }
  sys::LmdbEnv env_;
  const Found databases_;
};

// LMDB itself would let a second process in; the services count on being alone.
Result<sys::Fd> lock_folder(const std::string& folder) {
  TRY(sys::make_synced_folder(folder, 0700));
  sys::Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_open()) return base::os_error(errno, "open " + folder);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK)
    return Error{Code::failed_precondition, folder + " is in use by another process",
                 "store_locked"};
  return base::os_error(errno, "lock " + folder);
}

Result<std::unique_ptr<LmdbStore>> open_locked(sys::Fd lock, const std::string& folder,
                                               const Options& options) {
  const Layout layout(options);
  sys::LmdbEnv env = TRY(
      sys::LmdbEnv::open(folder, {.map_size_bytes = options.map_size_bytes,
                                  .databases_max = static_cast<unsigned>(layout.tables.size())}));
  Databases databases;
  for (const std::string& name : layout.tables) databases.push_back(TRY(env.database(name)));
  auto opened =
      std::make_unique<LmdbStore>(std::move(lock), std::move(env), options, std::move(databases));
  TRY(opened->refresh());
  return opened;
}

}  // namespace

Result<std::unique_ptr<Store>> open_lmdb_to_read(const std::string& folder, Options options) {
  const Layout layout(options);
  sys::LmdbEnv env =
      TRY(sys::LmdbEnv::open(folder, {.map_size_bytes = options.map_size_bytes,
                                      .databases_max = static_cast<unsigned>(layout.tables.size()),
                                      .read_only = true}));
  LmdbReader::Found databases;
  for (const std::string& name : layout.tables) {
    auto found = env.database(name);
    if (!found && found.error().code != Code::not_found) return std::move(found).error();
    databases.push_back(found ? std::optional(*found) : std::nullopt);
  }
  return std::unique_ptr<Store>(
      std::make_unique<LmdbReader>(std::move(env), options, std::move(databases)));
}

Result<std::unique_ptr<Store>> open_lmdb(const std::string& folder, Options options) {
  sys::Fd lock = TRY(lock_folder(folder));
  Result<std::unique_ptr<LmdbStore>> opened = open_locked(std::move(lock), folder, options);
  if (!opened && opened.error().code == Code::corrupt) {
    Error error = std::move(opened).error();
    error.reason = "store_corrupt";
    return error;
  }
  return std::unique_ptr<Store>(TRY(std::move(opened)));
}

}  // namespace store
