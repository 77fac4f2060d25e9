// SPDX-License-Identifier: Apache-2.0
// The PostgreSQL engine against the contract on a real server, and what only it promises: several
// processes share it, it comes back after the server did, and a store moves in and out.
#include "common/store/postgres.h"

#include <algorithm>
#include <array>
#include <thread>

#include "common/store/pg_connection.h"
#include "tests/contract/store_suite.h"
#include "tests/support/postgres_server.h"

using base::Code;
using base::Result;
using store::Reader;
using store::Record;
using store::Store;
using store::Writer;

namespace {

// One server for all tests of this program; each store has a schema of its own.
PostgresServer& server() {
  static PostgresServer the_server;
  return the_server;
}

std::string new_schema() {
  static int number = 0;
  return "store_" + std::to_string(++number);
}

class PostgresEngine : public contract::StoreEngine {
 public:
  std::unique_ptr<Store> open(store::Options options) override {
    return open_in(new_schema(), std::move(options));
  }
  std::unique_ptr<Store> open_in(const std::string& schema, store::Options options) {
    return UNWRAP(store::open_postgres({server().connection(), schema}, options));
  }
};

Result<std::uint64_t> try_put(Store& store, const std::string& key, const std::string& value) {
  std::uint64_t version = 0;
  const Result<void> written = store.write([&](Writer& writer) -> Result<void> {
    version = TRY(writer.put("words", key, value));
    return {};
  });
  if (!written) return written.error();
  return version;
}

void put(Store& store, const std::string& key, const std::string& value) {
  CHECK_OK(try_put(store, key, value));
}

std::string words(Store& store, const std::string& initial = "") {
  std::string text;
  CHECK_OK(store.read([&](Reader& reader) -> Result<void> {
    const auto found = initial.empty() ? reader.list("words", {})
                                       : reader.find_by("words", "initial", initial, {});
    if (!found) return found.error();
    for (const Record& record : *found)
      text += record.key + "=" + record.value + "@" + std::to_string(record.version) + " ";
    return {};
  }));
  return text;
}

}  // namespace

TEST_GROUP(PostgresStore) { PostgresEngine engine; };

STORE_CONTRACT_TESTS(PostgresStore, CONTRACT_TEST)

TEST(PostgresStore, two_processes_share_a_store) {
  const std::string schema = new_schema();
  const auto one = engine.open_in(schema, contract::word_options());
  const auto two = engine.open_in(schema, contract::word_options());
  put(*one, "1", "apple");
  put(*two, "1", "avocado");
  put(*two, "2", "banana");
  STRCMP_EQUAL("1=avocado@2 ", words(*one, "a").c_str());
  std::thread other([&two] {
    for (int i = 0; i < 50; ++i) CHECK_THAT(try_put(*two, "count", "x").has_value());
  });
  for (int i = 0; i < 50; ++i) CHECK_OK(try_put(*one, "count", "y"));
  other.join();
  CHECK_TRUE(words(*one).find("count=") != std::string::npos &&
             words(*one).find("@100 ") != std::string::npos);
}

TEST(PostgresStore, long_lists_come_in_pages_and_changes_of_the_transaction_are_among_them) {
  const auto store = engine.open(contract::word_options());
  const auto key = [](int number) { return "k" + std::to_string(100'000 + number); };
  CHECK_OK(store->write([&](Writer& writer) -> Result<void> {
    for (int i = 0; i < 3000; i += 2) TRY(writer.put("words", key(i), "x"));
    return {};
  }));
  std::vector<std::string> keys;
  CHECK_OK(store->write([&](Writer& writer) -> Result<void> {
    for (int i = 1; i < 3000; i += 2) TRY(writer.put("words", key(i), "y"));
    TRY(writer.remove("words", key(64)));
    const std::vector<Record> all = TRY(writer.list("words", {.limit = 5000}));
    for (const Record& record : all) keys.push_back(record.key);
    return {};
  }));
  LONGS_EQUAL(2999, keys.size());
  CHECK_TRUE(std::is_sorted(keys.begin(), keys.end()));
  CHECK_TRUE(std::find(keys.begin(), keys.end(), key(64)) == keys.end());
}

TEST(PostgresStore, a_transaction_larger_than_what_is_held_back_is_still_one) {
  const auto store = engine.open(contract::word_options());
  const std::string large(3 << 20, 'x');
  const Result<void> failed = store->write([&](Writer& writer) -> Result<void> {
    for (int i = 0; i < 5; ++i) TRY(writer.put("plain", std::to_string(i), large));
    return base::Error{Code::internal, "changed my mind", "test"};
  });
  CHECK_ERROR(Code::internal, "test", failed);
  CHECK_OK(store->write([&](Writer& writer) -> Result<void> {
    for (int i = 0; i < 5; ++i) TRY(writer.put("plain", std::to_string(i), large));
    const std::vector<Record> all = TRY(writer.list("plain", {}));
    LONGS_EQUAL(5, all.size());
    return {};
  }));
}

TEST(PostgresStore, what_was_acknowledged_outlives_a_killed_server_and_the_store_goes_on) {
  const auto store = engine.open(contract::word_options());
  put(*store, "1", "apple");
  server().kill();
  CHECK_ERROR(Code::unavailable, "store_unreachable", try_put(*store, "2", "banana"));
  server().start();
  put(*store, "3", "cherry");
  STRCMP_EQUAL("1=apple@1 3=cherry@1 ", words(*store).c_str());
}

TEST(PostgresStore, a_store_moves_between_the_engines_with_versions_indexes_and_feed) {
  const TempFolder folder;
  const auto postgres = engine.open(contract::word_options());
  put(*postgres, "1", "apple");
  put(*postgres, "1", "avocado");
  put(*postgres, "2", "banana");
  CHECK_OK(postgres->backup((folder / "copy").string()));
  put(*postgres, "2", "later");
  const auto lmdb = UNWRAP(store::open_lmdb((folder / "copy").string(), contract::word_options()));
  STRCMP_EQUAL("1=avocado@2 2=banana@1 ", words(*lmdb).c_str());
  STRCMP_EQUAL("1=avocado@2 ", words(*lmdb, "a").c_str());
  put(*lmdb, "3", "cherry");
  CHECK_OK(postgres->replace_with(*lmdb));
  STRCMP_EQUAL("1=avocado@2 2=banana@1 3=cherry@1 ", words(*postgres).c_str());
  STRCMP_EQUAL("", words(*postgres, "l").c_str());
  CHECK_OK(postgres->read([&](Reader& reader) -> Result<void> {
    const std::uint64_t last = TRY(reader.last_change());
    LONGS_EQUAL(4, last);
    return {};
  }));
  const auto other = engine.open({});
  CHECK_ERROR(Code::failed_precondition, "store_layout_differs", other->replace_with(*lmdb));
}

TEST(PostgresStore, wrong_settings_say_what_is_wrong) {
  for (const char* schema : {"", "Upper", "a b", "1a", "x;drop table y", "\"q\""})
    CHECK_ERROR(Code::invalid_argument, "schema_invalid",
                store::open_postgres({server().connection(), schema}, {}));
  CHECK_ERROR(Code::invalid_argument, "schema_invalid",
              store::open_postgres({server().connection(), std::string(64, 'a')}, {}));
  CHECK_ERROR(Code::unavailable, "store_unreachable",
              store::open_postgres({"host=/nonexistent dbname=postgres user=postgres", "x"}, {}));
  CHECK_ERROR(Code::permission_denied, "store_refused",
              store::open_postgres({server().connection() + " dbname=nosuch", "x"}, {}));
  server().run("CREATE ROLE weak LOGIN");
  CHECK_ERROR(Code::permission_denied, "store_refused",
              store::open_postgres({server().connection() + " user=weak", "not_allowed"}, {}));
}

TEST(PostgresStore, keys_and_values_are_never_read_as_statements) {
  const auto store = engine.open(contract::word_options());
  const std::string nasty = "'); DROP TABLE entries; --\\";
  put(*store, nasty, nasty);
  STRCMP_EQUAL((nasty + "=" + nasty + "@1 ").c_str(), words(*store).c_str());
}

TEST(PostgresStore, parameters_arrive_as_they_were_sent) {
  const auto connection = UNWRAP(store::PgConnection::connect(server().connection()));
  const std::string bytes("\0a\xff", 3), list = store::pg_array({bytes, ""}),
                                         none = store::pg_array({}), number = store::pg_integer(7);
  const store::PgRows rows =
      UNWRAP(connection->query("SELECT ($1::bytea[])[1], ($1::bytea[])[2], "
                               "cardinality($2::bytea[])::text, ($3::integer)::text",
                               std::array<std::string_view, 3>{list, none, number}));
  LONGS_EQUAL(1, rows.count());
  CHECK_TRUE(rows.value(0, 0) == bytes && rows.value(0, 1).empty());
  CHECK_TRUE(rows.value(0, 2) == "0" && rows.value(0, 3) == "7");
  CHECK_ERROR(Code::internal, "database_error", connection->query("SELECT nonsense", {}));
}
