// SPDX-License-Identifier: Apache-2.0
// Two databases, of which one is in force and the other one takes a snapshot that arrives; a third
// one says which, and up to which entry of the log it is. Values are sealed with their key.
#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/sys/lmdb.h"
#include "dfs/api/wire.h"
#include "dfs/meta/base_store.h"

namespace dfs::meta {
namespace {

using base::Error;
using base::Result;
using replication::Position;
using sys::LmdbCursor;
using sys::LmdbDb;
using sys::LmdbEnv;
using sys::LmdbReadTxn;
using sys::LmdbWriteTxn;

constexpr std::uint8_t kFormat = 1;
constexpr std::string_view kHead = "head";
constexpr std::size_t kReplacementCommit = 8 << 20;  // bytes of a snapshot between commits

struct Head {
  bool second = false;  // which of the two is in force
  std::uint64_t index = 0;
  std::uint64_t epoch = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(second, index, epoch);
  }
};

struct Databases {
  LmdbDb head;
  LmdbDb content[2];
};

[[noreturn]] void end_damaged(const Error& error) {
  base::log::failure("META_STATE_DAMAGED", "a record of the metadata state is damaged", {}, error);
  base::check_failed("the metadata state can be read", "dfs/meta", 0);
}

// Failures of reads: nothing of this member may be answered from here on.
template <class T>
T must(Result<T> result) {
  if (!result) end_damaged(result.error());
  return *std::move(result);
}

Result<Head> read_head(const sys::LmdbTxn& txn, const Databases& databases) {
  const auto sealed = TRY(txn.find(databases.head, kHead));
  if (!sealed) return Head{};
  return decode<Head>(TRY(base::open_record(kHead, kFormat, *sealed)));
}

Result<void> write_head(LmdbWriteTxn& txn, const Databases& databases, const Head& head) {
  return txn.put(databases.head, kHead, base::seal_record(kHead, kFormat, encode(head)));
}

class Cursor final : public BaseCursor {
 public:
  Cursor(LmdbCursor cursor) : cursor_(std::move(cursor)) {}
  bool seek(std::string_view key) override {
    return hold(must(key.empty() ? cursor_.first() : cursor_.seek(key)));
  }
  bool next() override { return hold(must(cursor_.next())); }
  std::string_view key() const override { return key_; }
  std::string_view value() const override { return value_; }

 private:
  bool hold(std::optional<LmdbCursor::Entry> entry) {
    if (!entry) return false;
    key_ = entry->first;
    value_ = must(base::open_record(key_, kFormat, entry->second));
    return true;
  }
  LmdbCursor cursor_;
  std::string_view key_, value_;
};

class Reader final : public BaseReader {
 public:
  Reader(LmdbReadTxn txn, Head head, LmdbDb content)
      : txn_(std::move(txn)), head_(head), content_(content) {}
  Position position() const override { return {head_.index, head_.epoch}; }
  std::unique_ptr<BaseCursor> cursor() override {
    return std::make_unique<Cursor>(must(txn_.cursor(content_)));
  }

 private:
  LmdbReadTxn txn_;
  Head head_;
  LmdbDb content_;
};

class LmdbBase final : public BaseStore {
 public:
  LmdbBase(LmdbEnv env, Databases databases) : env_(std::move(env)), databases_(databases) {}

  Result<void> start() {
    view_.emplace(TRY(LmdbReadTxn::begin(env_)));
    head_ = TRY(read_head(*view_, databases_));
    return {};
  }

  Position position() const override { return {head_.index, head_.epoch}; }

  std::optional<std::string_view> find(std::string_view key) const override {
    const auto sealed = must(view_->find(content(), key));
    if (!sealed) return std::nullopt;
    return must(base::open_record(key, kFormat, *sealed));
  }

  std::unique_ptr<BaseCursor> cursor() const override {
    return std::make_unique<Cursor>(must(view_->cursor(content())));
  }

  Result<void> write(const Changes& changes, Position position) override {
    LmdbWriteTxn txn = TRY(LmdbWriteTxn::begin(env_));
    Head head = TRY(read_head(txn, databases_));
    for (const auto& [key, value] : changes) {
      const LmdbDb to = databases_.content[head.second ? 1 : 0];
      if (value) {
        TRY(txn.put(to, key, base::seal_record(key, kFormat, *value)));
      } else {
        TRY(txn.erase(to, key));
      }
    }
    head.index = position.index;
    head.epoch = position.epoch;
    TRY(write_head(txn, databases_, head));
    return std::move(txn).commit();
  }

  void adopt() override {
    view_.reset();  // its place among the readers is free for the next
    view_.emplace(must(LmdbReadTxn::begin(env_)));
    head_ = must(read_head(*view_, databases_));
  }

  Result<std::unique_ptr<BaseReader>> open_reader() const override {
    LmdbReadTxn txn = TRY(LmdbReadTxn::begin(env_));
    const Head head = TRY(read_head(txn, databases_));
    return std::unique_ptr<BaseReader>(
        std::make_unique<Reader>(std::move(txn), head, databases_.content[head.second ? 1 : 0]));
  }

  Result<std::unique_ptr<BaseReplacement>> replace() override;

  Result<void> copy_to(const std::filesystem::path& folder) override {
    return env_.copy_to(folder);
  }
  std::uint64_t used_bytes() const override { return env_.usage().used_bytes; }

 private:
  friend class Replacement;
  LmdbDb content() const { return databases_.content[head_.second ? 1 : 0]; }

  LmdbEnv env_;
  Databases databases_;
  std::optional<LmdbReadTxn> view_;
  Head head_;
};

class Replacement final : public BaseReplacement {
 public:
  explicit Replacement(LmdbBase& store)
      : store_(store), to_(store.databases_.content[store.head_.second ? 0 : 1]) {}

  Result<void> begin() {
    LmdbWriteTxn txn = TRY(LmdbWriteTxn::begin(store_.env_));
    TRY(txn.clear(to_));
    return std::move(txn).commit();
  }

  // Collected outside of a transaction: a checkpoint may be written between two pieces.
  Result<void> put(std::string_view key, std::string_view value) override {
    bytes_ += key.size() + value.size();
    waiting_.emplace_back(key, value);
    if (bytes_ < kReplacementCommit) return {};
    LmdbWriteTxn txn = TRY(LmdbWriteTxn::begin(store_.env_));
    TRY(put_waiting(txn));
    return std::move(txn).commit();
  }

  Result<void> install(Position position) override {
    LmdbWriteTxn txn = TRY(LmdbWriteTxn::begin(store_.env_));
    TRY(put_waiting(txn));
    Head head = TRY(read_head(txn, store_.databases_));
    TRY(txn.clear(store_.databases_.content[head.second ? 1 : 0]));
    head = {!head.second, position.index, position.epoch};
    TRY(write_head(txn, store_.databases_, head));
    TRY(std::move(txn).commit());
    store_.adopt();
    return {};
  }

 private:
  Result<void> put_waiting(LmdbWriteTxn& txn) {
    for (const auto& [key, value] : waiting_)
      TRY(txn.put(to_, key, base::seal_record(key, kFormat, value)));
    waiting_.clear();
    bytes_ = 0;
    return {};
  }

  LmdbBase& store_;
  LmdbDb to_;
  std::vector<std::pair<std::string, std::string>> waiting_;
  std::size_t bytes_ = 0;
};

Result<std::unique_ptr<BaseReplacement>> LmdbBase::replace() {
  auto made = std::make_unique<Replacement>(*this);
  TRY(made->begin());
  return std::unique_ptr<BaseReplacement>(std::move(made));
}

}  // namespace

Result<std::unique_ptr<BaseStore>> open_lmdb_base(const std::filesystem::path& folder,
                                                  std::size_t map_bytes) {
  LmdbEnv env = TRY(LmdbEnv::open(folder, {.map_size_bytes = map_bytes, .databases_max = 4}));
  Databases databases;
  databases.head = TRY(env.database("head"));
  databases.content[0] = TRY(env.database("content-1"));
  databases.content[1] = TRY(env.database("content-2"));
  auto store = std::make_unique<LmdbBase>(std::move(env), databases);
  TRY(store->start());
  return std::unique_ptr<BaseStore>(std::move(store));
}

}  // namespace dfs::meta
