// SPDX-License-Identifier: Apache-2.0
#include "services/framework/migrate.h"

#include <CppUTest/TestHarness.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

using base::Code;
using base::Result;
using store::Reader;
using store::Writer;

namespace {

int parts_left = -1;  // -1: no end; the process dies when there are none left

// Appends to each record, three a time.
Result<bool> append(Writer& writer, std::string& place, const char* what) {
  if (parts_left == 0) ::_exit(9);
  if (parts_left > 0) --parts_left;
  const auto some = TRY(writer.list("things", {.after = place, .limit = 3}));
  for (const store::Record& each : some) TRY(writer.put("things", each.key, each.value + what));
  if (some.empty()) return true;
  place = some.back().key;
  return false;
}

constexpr services::Migration kMigrations[] = {
    {"first", [](Writer& writer, std::string& place) { return append(writer, place, "a"); }},
    {"second", [](Writer& writer, std::string& place) { return append(writer, place, "b"); }},
};

class Things final : public services::Service {
 public:
  explicit Things(std::size_t known) : known_(known) {}
  std::string_view name() const override { return "things"; }
  std::string_view mount() const override { return "/things"; }
  std::vector<store::Collection> collections() const override { return {{"things"}}; }
  std::span<const services::Migration> migrations() const override {
    return std::span(kMigrations).first(known_);
  }
  void actions(services::ActionTable&) override {}
  Result<void> start(services::Host&) override { return {}; }

 private:
  std::size_t known_;
};

TEST_GROUP(Migrate) {
  TempFolder folder;
  std::unique_ptr<store::Store> store;

  void setup() override { open(); }
  void open() {
    store.reset();
    store = UNWRAP(
        store::open_lmdb((folder / "store").string(),
                         {.collections = {{"things"}, services::data_version_collection()}}));
  }
  void fill(int count) {
    CHECK_OK(store->write([&](Writer& writer) -> Result<void> {
      for (int i = 0; i < count; ++i) TRY(writer.put("things", "k" + std::to_string(i), "v"));
      return {};
    }));
  }
  Result<void> run(std::size_t known) {
    std::vector<std::unique_ptr<services::Service>> all;
    all.push_back(std::make_unique<Things>(known));
    return services::migrate(*store, all);
  }
  std::string values() {
    std::string text;
    CHECK_OK(store->read([&](Reader& reader) -> Result<void> {
      for (const store::Record& each : TRY(reader.list("things", {}))) text += each.value + " ";
      return {};
    }));
    return text;
  }
};

TEST(Migrate, a_new_store_is_of_the_newest_version) {
  CHECK_OK(run(2));
  fill(2);
  CHECK_OK(run(2));
  STRCMP_EQUAL("v v ", values().c_str());
}

TEST(Migrate, records_from_before_go_through_every_step_once) {
  fill(4);
  CHECK_OK(run(1));
  STRCMP_EQUAL("va va va va ", values().c_str());
  CHECK_OK(run(2));
  CHECK_OK(run(2));
  STRCMP_EQUAL("vab vab vab vab ", values().c_str());
}

TEST(Migrate, a_newer_store_is_refused_and_left_as_it_is) {
  fill(1);
  CHECK_OK(run(2));
  CHECK_ERROR(Code::failed_precondition, "store_newer", run(1));
  STRCMP_EQUAL("vab ", values().c_str());
}

TEST(Migrate, a_store_on_its_way_to_a_newer_version_is_newer) {
  fill(10);
  CHECK_OK(run(1));
  store.reset();
  const pid_t child = ::fork();
  if (child == 0) {
    parts_left = 2;
    open();
    ::_exit(run(2) ? 0 : 1);
  }
  int status = 0;
  CHECK_EQUAL(child, ::waitpid(child, &status, 0));
  CHECK_EQUAL(9, WEXITSTATUS(status));
  open();
  CHECK_ERROR(Code::failed_precondition, "store_newer", run(1));
  CHECK_OK(run(2));
}

TEST(Migrate, a_process_that_dies_anywhere_is_gone_on_from_there) {
  fill(10);
  store.reset();
  int deaths = 0;
  for (int most = 0;; ++most) {
    const pid_t child = ::fork();
    if (child == 0) {
      parts_left = most % 3;
      open();
      ::_exit(run(2) ? 0 : 1);
    }
    int status = 0;
    CHECK_EQUAL(child, ::waitpid(child, &status, 0));
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == 0) break;
    CHECK_EQUAL(9, WEXITSTATUS(status));
    ++deaths;
    CHECK(deaths < 100);
  }
  CHECK(deaths > 3);
  open();
  std::string wanted;
  for (int i = 0; i < 10; ++i) wanted += "vab ";
  STRCMP_EQUAL(wanted.c_str(), values().c_str());
}

}  // namespace
