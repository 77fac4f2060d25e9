// SPDX-License-Identifier: Apache-2.0
#include "common/store/postgres.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "common/store/pg_connection.h"
#include "common/store/table_store.h"

namespace store {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::size_t kSchemaMax = 63;  // NAMEDATALEN - 1
constexpr std::uint32_t kPageFirst = 64;
constexpr std::uint32_t kPageLast = 4096;
// Changes are held back and sent together; beyond this they are sent at once.
constexpr std::size_t kPendingBytesMax = std::size_t{8} << 20;

// Statements of one store, with its schema's name in them.
struct Statements {
  explicit Statements(const std::string& schema)
      : create("CREATE SCHEMA IF NOT EXISTS " + schema + "; CREATE TABLE IF NOT EXISTS " + schema +
               ".entries (part bytea NOT NULL, key bytea NOT NULL, value bytea NOT NULL, PRIMARY "
               "KEY (part, key))"),
        begin_write("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('gestalt.store." +
                    schema + "', 0))"),
        find("SELECT value FROM " + schema + ".entries WHERE part = $1 AND key = $2"),
        scan("SELECT key, value FROM " + schema +
             ".entries WHERE part = $1 AND key >= $2 ORDER BY key LIMIT $3::integer"),
        scan_on("SELECT key, value FROM " + schema +
                ".entries WHERE part = $1 AND key > $2 ORDER BY key LIMIT $3::integer"),
        put("INSERT INTO " + schema +
            ".entries (part, key, value) SELECT $1, * FROM unnest($2::bytea[], $3::bytea[]) ON "
            "CONFLICT (part, key) "
            "DO UPDATE SET value = excluded.value"),
        erase("DELETE FROM " + schema + ".entries WHERE part = $1 AND key = ANY($2::bytea[])"),
        clear("DELETE FROM " + schema + ".entries WHERE part = $1") {}
  std::string create, begin_write, find, scan, scan_on, put, erase, clear;
};

// The tables within one transaction. What was changed in it is held back in `pending_` and wins
// over what the server has.
class PgTables final : public WritableTables {
 public:
  PgTables(PgConnection& connection, const Statements& statements, const Layout& layout)
      : connection_(connection),
        statements_(statements),
        layout_(layout),
        pending_(layout.tables.size()) {}

  Result<std::optional<std::string_view>> find(TableNumber table,
                                               std::string_view key) const override {
    const auto changed = pending_[table].find(key);
    if (changed != pending_[table].end()) {
      if (!changed->second) return std::optional<std::string_view>();
      return std::optional<std::string_view>(*changed->second);
    }
    PgRows rows = TRY(connection_.query(statements_.find, std::array{name(table), key}));
    if (rows.count() == 0) return std::optional<std::string_view>();
    seen_.push_back(std::move(rows));
    return std::optional<std::string_view>(seen_.back().value(0, 0));
  }

  Result<void> scan(TableNumber table, std::string_view from, const Visit& visit) const override {
    Merge merge{pending_[table].lower_bound(from), pending_[table].end(), visit};
    std::string last(from);
    std::uint32_t page = kPageFirst;  // most scans end early
    for (bool is_first = true, more = true; more; is_first = false) {
      const std::string limit = pg_integer(page);
      const PgRows rows =
          TRY(connection_.query(is_first ? statements_.scan : statements_.scan_on,
                                std::array<std::string_view, 3>{name(table), last, limit}));
      for (int row = 0; row < rows.count(); ++row) {
        const bool goes_on = TRY(merge.take(rows.value(row, 0), rows.value(row, 1)));
        if (!goes_on) return {};
      }
      more = rows.count() == static_cast<int>(page);
      if (more) last = rows.value(rows.count() - 1, 0);
      page = std::min(page * 4, kPageLast);
    }
    TRY(merge.finish());
    return {};
  }

  Result<void> put(TableNumber table, std::string_view key, std::string_view value) override {
    pending_[table].insert_or_assign(std::string(key), std::string(value));
    return held_back(key.size() + value.size());
  }

  Result<void> erase(TableNumber table, std::string_view key) override {
    pending_[table].insert_or_assign(std::string(key), std::nullopt);
    return held_back(key.size());
  }

  Result<void> clear(TableNumber table) override {
    pending_[table].clear();
    TRY(connection_.query(statements_.clear, std::array{name(table)}));
    return {};
  }

  // Sends what was held back.
  Result<void> flush() {
    for (TableNumber table = 0; table < pending_.size(); ++table) {
      if (!pending_[table].empty()) TRY(flush_table(table));
    }
    pending_bytes_ = 0;
    return {};
  }

 private:
  using Changes = std::map<std::string, std::optional<std::string>, std::less<>>;

  // What the server has and what was changed since, in one order.
  struct Merge {
    Changes::const_iterator next;
    const Changes::const_iterator end;
    const Visit& visit;

    Result<bool> take(std::string_view key, std::string_view value) {
      while (next != end && next->first < key) {
        const bool goes_on = TRY(take_changed());
        if (!goes_on) return false;
      }
      if (next != end && next->first == key) return take_changed();
      return visit(key, value);
    }
    Result<bool> finish() {
      while (next != end) {
        const bool goes_on = TRY(take_changed());
        if (!goes_on) return false;
      }
      return true;
    }
    Result<bool> take_changed() {
      const auto& [key, value] = *next++;
      if (!value) return true;
      return visit(key, *value);
    }
  };

  std::string_view name(TableNumber table) const { return layout_.tables[table]; }

  Result<void> held_back(std::size_t bytes) {
    pending_bytes_ += bytes;
    if (pending_bytes_ > kPendingBytesMax) return flush();
    return {};
  }

  Result<void> flush_table(TableNumber table) {
    std::vector<std::string_view> keys, values, gone;
    for (const auto& [key, value] : pending_[table]) {
      if (value) {
        keys.push_back(key);
        values.push_back(*value);
      } else {
        gone.push_back(key);
      }
    }
    if (!gone.empty()) {
      const std::string list = pg_array(gone);
      TRY(connection_.query(statements_.erase, std::array<std::string_view, 2>{name(table), list}));
    }
    if (!keys.empty()) {
      const std::string key_list = pg_array(keys), value_list = pg_array(values);
      TRY(connection_.query(statements_.put,
                            std::array<std::string_view, 3>{name(table), key_list, value_list}));
    }
    pending_[table].clear();
    return {};
  }

  PgConnection& connection_;
  const Statements& statements_;
  const Layout& layout_;
  std::vector<Changes> pending_;
  std::size_t pending_bytes_ = 0;
  mutable std::deque<PgRows> seen_;  // what views point into
};

// Connections that nobody uses now, and how many there are in all.
class Pool {
 public:
  Pool(std::string info, std::size_t most) : info_(std::move(info)), most_(most) {}

  // Waits while all are in use.
  Result<std::unique_ptr<PgConnection>> take() {
    {
      std::unique_lock lock(mutex_);
      free_.wait(lock, [this] { return !idle_.empty() || in_use_ < most_; });
      ++in_use_;
      if (!idle_.empty()) {
        std::unique_ptr<PgConnection> connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
      }
    }
    Result<std::unique_ptr<PgConnection>> made = PgConnection::connect(info_);
    if (!made) give_back(nullptr);
    return made;
  }

  void give_back(std::unique_ptr<PgConnection> connection) {
    const std::lock_guard lock(mutex_);
    --in_use_;
    if (connection && !connection->is_lost()) idle_.push_back(std::move(connection));
    free_.notify_one();
  }

 private:
  const std::string info_;
  const std::size_t most_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable free_;
  std::vector<std::unique_ptr<PgConnection>> idle_;
  std::size_t in_use_ = 0;
};

// A transaction's connection: rolled back unless it was committed, then free again.
class Lent {
 public:
  static Result<Lent> begin(Pool& pool, const std::string& statements) {
    // One that the server has closed meanwhile is noticed here, before anything was done.
    for (bool is_last_try = false;; is_last_try = true) {
      Lent lent(pool, TRY(pool.take()));
      const Result<void> begun = lent->run(statements);
      if (begun) return lent;
      if (is_last_try || !lent->is_lost()) return begun.error();
    }
  }
  Lent(Lent&&) noexcept = default;
  Lent& operator=(Lent&&) = delete;
  ~Lent() {
    if (!connection_) return;
    // A connection on which this fails is lost, and the pool lets it go.
    if (!done_) static_cast<void>(connection_->run("ROLLBACK"));
    pool_.give_back(std::move(connection_));
  }
  Result<void> commit() {
    done_ = true;
    return connection_->run("COMMIT");
  }
  PgConnection* operator->() const { return connection_.get(); }
  PgConnection& operator*() const { return *connection_; }

 private:
  Lent(Pool& pool, std::unique_ptr<PgConnection> connection)
      : pool_(pool), connection_(std::move(connection)) {}
  Pool& pool_;
  std::unique_ptr<PgConnection> connection_;
  bool done_ = false;
};

class PostgresStore final : public TableStore {
 public:
  PostgresStore(const PostgresOptions& postgres, const Options& options)
      : TableStore(options),
        options_(options),
        statements_(postgres.schema),
        pool_(postgres.connection, std::max<std::size_t>(postgres.connections_max, 2)) {}

  Result<void> prepare() {
    Lent lent = TRY(Lent::begin(pool_, statements_.begin_write));
    TRY(lent->run(statements_.create));
    TRY(lent.commit());
    return refresh();
  }

  // The copy is a store of the lmdb engine: that one opens it, and replace_with() brings it back.
  Result<void> backup(const std::string& folder) override {
    const std::unique_ptr<Store> copy = TRY(open_lmdb(folder, options_));
    return copy->replace_with(*this);
  }

 protected:
  Result<void> read_tables(const ReadWork& work) override {
    Lent lent = TRY(Lent::begin(pool_, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    return work(PgTables(*lent, statements_, layout()));
  }

  Result<void> write_tables(const WriteWork& work) override {
    Lent lent = TRY(Lent::begin(pool_, statements_.begin_write));
    PgTables tables(*lent, statements_, layout());
    const Outcome outcome = TRY(work(tables));
    if (outcome == Outcome::nothing_changed) return {};
    TRY(tables.flush());
    return lent.commit();
  }

 private:
  const Options options_;
  const Statements statements_;
  Pool pool_;
};

Result<void> check_schema(const std::string& schema) {
  const bool good = !schema.empty() && schema.size() <= kSchemaMax &&
                    (schema[0] < '0' || schema[0] > '9') &&
                    std::all_of(schema.begin(), schema.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                    });
  if (good) return {};
  return Error{Code::invalid_argument,
               "a schema's name has lower case letters, digits and _ , 1 to 63 of them",
               "schema_invalid"};
}

}  // namespace

Result<std::unique_ptr<Store>> open_postgres(const PostgresOptions& postgres,
                                             const Options& options) {
  TRY(check_schema(postgres.schema));
  auto store = std::make_unique<PostgresStore>(postgres, options);
  TRY(store->prepare());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace store
