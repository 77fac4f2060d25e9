// SPDX-License-Identifier: Apache-2.0
#include "common/sys/lmdb.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>

#include "common/sys/shared_file.h"

namespace sys {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Error;
using base::Result;
using EnvHandle = Handle<MDB_env, mdb_env_close>;

// How long adopting a map that another process grew waits for this process's own transactions.
constexpr std::chrono::seconds kAdoptWaitMax{5};

// Counts the open transactions of one environment: the map may only be replaced when there are
// none. Lives in the environment's user context, so that a transaction's end finds it.
class TxnGate {
 public:
  void enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !adopting_; });
    ++open_;
  }
  void leave() noexcept {
    const std::lock_guard lock(mutex_);
    --open_;
    changed_.notify_all();
  }
  // Takes over the size that another process gave the map. Requires: the caller has left the gate.
  Result<void> adopt(MDB_env* env) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !adopting_; });
    adopting_ = true;
    const bool alone = changed_.wait_for(lock, kAdoptWaitMax, [this] { return open_ == 0; });
    const int status = alone ? mdb_env_set_mapsize(env, 0) : 0;
    adopting_ = false;
    changed_.notify_all();
    if (!alone)
      return Error{Code::unavailable, "the database grew while transactions are open here",
                   "map_resized"};
    if (status != 0) return base::os_error(status, "adopt the grown database map");
    return {};
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t open_ = 0;
  bool adopting_ = false;
};

TxnGate& gate_of(MDB_env* env) { return *static_cast<TxnGate*>(mdb_env_get_userctx(env)); }

Error failure(int status, std::string_view what) {
  const std::string detail = std::string(what) + ": " + mdb_strerror(status);
  switch (status) {
    case MDB_NOTFOUND: return {Code::not_found, detail, "key_absent"};
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT: return {Code::no_space, detail, "database_full", ENOSPC};
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH: return {Code::corrupt, detail, "database_corrupt", EIO};
    case MDB_BAD_VALSIZE: return {Code::invalid_argument, detail, "key_invalid"};
    case MDB_READERS_FULL: return {Code::unavailable, detail, "readers_full"};
    case MDB_PANIC: base::check_failed("the database is usable after a failed commit", "lmdb", 0);
    default: break;
  }
  if (status > 0) return base::os_error(status, what);
  return {Code::internal, detail, "database_error"};
}

Result<void> check(int status, std::string_view what) {
  if (status != 0) return failure(status, what);
  return {};
}

MDB_val to_val(std::string_view bytes) {
  // LMDB never writes through the values it is given; its struct merely lacks the const.
  return {bytes.size(), const_cast<char*>(bytes.data())};
}

std::string_view to_view(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

// LMDB writes its two meta pages into an empty file when it opens it.
Result<void> write_meta_pages(const std::string& file) {
  MDB_env* raw = nullptr;
  TRY(check(mdb_env_create(&raw), "create an environment"));
  const EnvHandle env(raw);
  return check(mdb_env_open(raw, file.c_str(), MDB_NOSUBDIR | MDB_NOLOCK, 0600), "format " + file);
}

// LMDB 0.9.24 leaves its data file open across exec: a program that we start could write to it.
Result<void> close_on_exec(MDB_env* env) {
  mdb_filehandle_t fd = -1;
  TRY(check(mdb_env_get_fd(env, &fd), "get the descriptor"));
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return base::os_error(errno, "close on exec");
  return {};
}

Result<MDB_txn*> begin_txn(MDB_env* env, unsigned flags) {
  bool readers_cleared = false;
  bool adopted = false;
  while (true) {
    gate_of(env).enter();
    MDB_txn* txn = nullptr;
    const int status = mdb_txn_begin(env, nullptr, flags, &txn);
    if (status == 0) return txn;
    gate_of(env).leave();
    if (status == MDB_MAP_RESIZED && !adopted) {
      TRY(gate_of(env).adopt(env));
      adopted = true;
    } else if (status == MDB_READERS_FULL && !readers_cleared) {
      int dead = 0;
      TRY(check(mdb_reader_check(env, &dead), "clear dead readers"));
      readers_cleared = true;
    } else {
      return failure(status, "begin a transaction");
    }
  }
}

}  // namespace

base::Result<LmdbEnv> LmdbEnv::open(const fs::path& folder, LmdbOptions options) {
  if (options.read_only && !fs::exists(folder / "data.mdb")) {
    return Error{Code::not_found, "there is no store in " + folder.string(), "store_absent"};
  }
  // Whoever may read or write the files may also enter the folder.
  if (!options.read_only)
    TRY(make_synced_folder(folder, options.mode | ((options.mode & 0444) >> 2)));
  if (!options.read_only) {
    TRY(make_shared_file(folder / "lock.mdb", options.mode, nullptr));
    TRY(make_shared_file(folder / "data.mdb", options.mode, write_meta_pages));
  }
  MDB_env* raw = nullptr;
  TRY(check(mdb_env_create(&raw), "create an environment"));
  EnvHandle env(raw);
  const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t map_size = (options.map_size_bytes + page - 1) / page * page;
  TRY(check(mdb_env_set_mapsize(raw, map_size), "set the map size"));
  TRY(check(mdb_env_set_maxdbs(raw, options.databases_max), "set the number of databases"));
  TRY(check(mdb_env_set_maxreaders(raw, options.readers_max), "set the number of readers"));
  // NOTLS: a worker pool begins and ends read transactions on many threads, and a slot that is tied
  // to the transaction is free again at its end rather than at the thread's.
  const unsigned flags = MDB_NOTLS | (options.read_only ? MDB_RDONLY : 0U);
  TRY(check(mdb_env_open(raw, folder.c_str(), flags, options.mode), "open " + folder.string()));
  TRY(close_on_exec(raw));
  int dead = 0;
  TRY(check(mdb_reader_check(raw, &dead), "clear dead readers"));
  if (!options.read_only) TRY(sync_path(folder));
  TRY(check(mdb_env_set_userctx(raw, new TxnGate), "attach the transaction count"));
  return LmdbEnv(env.release());
}

LmdbEnv::LmdbEnv(LmdbEnv&& other) noexcept : env_(std::exchange(other.env_, nullptr)) {}

LmdbEnv& LmdbEnv::operator=(LmdbEnv&& other) noexcept {
  std::swap(env_, other.env_);
  return *this;
}

LmdbEnv::~LmdbEnv() {
  if (env_ == nullptr) return;
  const std::unique_ptr<TxnGate> gate(&gate_of(env_));
  mdb_env_close(env_);
}

base::Result<LmdbDb> LmdbEnv::database(const std::string& name) {
  unsigned flags = 0;
  TRY(check(mdb_env_get_flags(env_, &flags), "get the flags"));
  if ((flags & MDB_RDONLY) != 0) return existing_database(name);
  LmdbWriteTxn txn = TRY(LmdbWriteTxn::begin(*this));
  MDB_dbi number = 0;
  TRY(check(mdb_dbi_open(txn.txn_.get(), name.c_str(), MDB_CREATE, &number),
            "open database " + name));
  TRY(std::move(txn).commit());
  return LmdbDb{number};
}

base::Result<LmdbDb> LmdbEnv::existing_database(const std::string& name) {
  LmdbReadTxn txn = TRY(LmdbReadTxn::begin(*this));
  MDB_dbi number = 0;
  const int status = mdb_dbi_open(txn.txn_.get(), name.c_str(), 0, &number);
  if (status == MDB_NOTFOUND) {
    return Error{Code::not_found, "there is no database " + name, "database_absent"};
  }
  TRY(check(status, "open database " + name));
  // A handle lives on only when the transaction that opened it is committed.
  const int committed = mdb_txn_commit(txn.txn_.release());
  gate_of(env_).leave();
  TRY(check(committed, "open database " + name));
  return LmdbDb{number};
}

base::Result<void> LmdbEnv::copy_to(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error) || !fs::is_empty(folder, error))
    return Error{Code::failed_precondition, folder.string() + " is not an empty folder",
                 "folder_not_empty"};
  gate_of(env_).enter();
  const int status = mdb_env_copy2(env_, folder.c_str(), MDB_CP_COMPACT);
  gate_of(env_).leave();
  TRY(check(status, "copy to " + folder.string()));
  // The copy is made with the umask's mode and is not synced.
  if (::chmod((folder / "data.mdb").c_str(), 0600) != 0)
    return base::os_error(errno, "restrict the copy");
  TRY(sync_path(folder / "data.mdb"));
  return sync_path(folder);
}

LmdbEnv::Usage LmdbEnv::usage() const {
  MDB_envinfo info{};
  MDB_stat stat{};
  // Both fail on null arguments only.
  CHECK_THAT(mdb_env_info(env_, &info) == 0 && mdb_env_stat(env_, &stat) == 0);
  return {(info.me_last_pgno + 1) * stat.ms_psize, info.me_mapsize};
}

LmdbTxn::LmdbTxn(MDB_txn* txn) : txn_(txn) {}

void LmdbTxn::abort(MDB_txn* txn) noexcept {
  MDB_env* env = mdb_txn_env(txn);
  mdb_txn_abort(txn);
  gate_of(env).leave();
}

base::Result<std::string_view> LmdbTxn::get(LmdbDb db, std::string_view key) const {
  MDB_val wanted = to_val(key);
  MDB_val value{};
  TRY(check(mdb_get(txn_.get(), db.number, &wanted, &value), "get"));
  return to_view(value);
}

base::Result<std::optional<std::string_view>> LmdbTxn::find(LmdbDb db, std::string_view key) const {
  MDB_val wanted = to_val(key);
  MDB_val value{};
  const int status = mdb_get(txn_.get(), db.number, &wanted, &value);
  if (status == MDB_NOTFOUND) return std::optional<std::string_view>();
  TRY(check(status, "find"));
  return std::optional<std::string_view>(to_view(value));
}

base::Result<LmdbCursor> LmdbTxn::cursor(LmdbDb db) const {
  MDB_cursor* cursor = nullptr;
  TRY(check(mdb_cursor_open(txn_.get(), db.number, &cursor), "open a cursor"));
  return LmdbCursor(cursor);
}

base::Result<std::size_t> LmdbTxn::count(LmdbDb db) const {
  MDB_stat stat{};
  TRY(check(mdb_stat(txn_.get(), db.number, &stat), "count"));
  return stat.ms_entries;
}

base::Result<LmdbReadTxn> LmdbReadTxn::begin(const LmdbEnv& env) {
  return LmdbReadTxn(TRY(begin_txn(env.native(), MDB_RDONLY)));
}

base::Result<LmdbWriteTxn> LmdbWriteTxn::begin(LmdbEnv& env) {
  return LmdbWriteTxn(TRY(begin_txn(env.native(), 0)));
}

base::Result<void> LmdbWriteTxn::put(LmdbDb db, std::string_view key, std::string_view value) {
  MDB_val k = to_val(key);
  MDB_val v = to_val(value);
  return check(mdb_put(txn_.get(), db.number, &k, &v, 0), "put");
}

base::Result<bool> LmdbWriteTxn::erase(LmdbDb db, std::string_view key) {
  MDB_val k = to_val(key);
  const int status = mdb_del(txn_.get(), db.number, &k, nullptr);
  if (status == MDB_NOTFOUND) return false;
  TRY(check(status, "erase"));
  return true;
}

base::Result<void> LmdbWriteTxn::clear(LmdbDb db) {
  return check(mdb_drop(txn_.get(), db.number, 0), "clear");
}

base::Result<void> LmdbWriteTxn::commit() && {
  MDB_env* env = mdb_txn_env(txn_.get());
  // mdb_txn_commit frees the handle even when it fails, so we let go before the call.
  const int status = mdb_txn_commit(txn_.release());
  gate_of(env).leave();
  if (status == 0) return {};
  // BAD_TXN: an operation before this one failed and was reported; nothing was written.
  if (status == MDB_MAP_FULL || status == ENOSPC || status == EDQUOT || status == MDB_BAD_TXN)
    return failure(status, "commit");
  // After a failed fsync the kernel marks the pages clean, and a second try would seem to succeed
  // without the data. Only a fresh look at the disk tells the truth: the process ends here.
  base::check_failed(mdb_strerror(status), "lmdb commit", 0);
}

LmdbCursor::LmdbCursor(LmdbCursor&& other) noexcept
    : cursor_(std::exchange(other.cursor_, nullptr)) {}

LmdbCursor& LmdbCursor::operator=(LmdbCursor&& other) noexcept {
  std::swap(cursor_, other.cursor_);
  return *this;
}

LmdbCursor::~LmdbCursor() {
  if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

namespace {

Result<std::optional<LmdbCursor::Entry>> step(MDB_cursor* cursor, MDB_val key, MDB_cursor_op op) {
  MDB_val value{};
  const int status = mdb_cursor_get(cursor, &key, &value, op);
  if (status == MDB_NOTFOUND) return std::optional<LmdbCursor::Entry>();
  TRY(check(status, "move a cursor"));
  return std::optional<LmdbCursor::Entry>({to_view(key), to_view(value)});
}

}  // namespace

base::Result<std::optional<LmdbCursor::Entry>> LmdbCursor::seek(std::string_view key) {
  // LMDB knows no empty key; every key is behind it.
  return key.empty() ? first() : step(cursor_, to_val(key), MDB_SET_RANGE);
}

base::Result<std::optional<LmdbCursor::Entry>> LmdbCursor::first() {
  return step(cursor_, {}, MDB_FIRST);
}

base::Result<std::optional<LmdbCursor::Entry>> LmdbCursor::last() {
  return step(cursor_, {}, MDB_LAST);
}

base::Result<std::optional<LmdbCursor::Entry>> LmdbCursor::next() {
  return step(cursor_, {}, MDB_NEXT);
}

base::Result<std::optional<LmdbCursor::Entry>> LmdbCursor::previous() {
  return step(cursor_, {}, MDB_PREV);
}

}  // namespace sys
