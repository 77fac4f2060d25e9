// SPDX-License-Identifier: Apache-2.0
#include "services/change/records.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using namespace services::change;
using base::Code;
using base::Json;
using base::Result;

namespace {

Change full_change() {
  Change change;
  change.id = "c1";
  change.state = State::approved;
  change.org_id = "o";
  change.org_fqon = "acme";
  change.requester_id = "alice";
  change.action = "environment.create";
  change.payload =
      R"({"method":"POST","path":"/meta/x","raw":"zz","body":{"name":"n","password":"p","deep":[{"apiSecret":"s"}]},"caller":{"rights":[]}})";
  change.payload_hash = "h";
  change.quorum = 2;
  change.dependencies = {"d"};
  change.approvals = {{"bob", "Bob", 5, "h", "fine"}};
  change.overrides_freeze = true;
  change.deadline_ms = 1'769'846'400'123;
  return change;
}

}  // namespace

TEST_GROUP(ChangeRecords) {
  std::unique_ptr<store::Store> store = store::make_memory({.collections = collections()});

  void save(const Change& change, std::int64_t wake) {
    CHECK_OK(
        store->write([&](store::Writer& writer) { return save_change(writer, change, wake); }));
  }
  Change load(const std::string& id) {
    Change change;
    CHECK_OK(store->read([&](store::Reader& reader) -> Result<void> {
      change = TRY(load_change(reader, id));
      return {};
    }));
    return change;
  }
  std::vector<std::string> due(std::int64_t now) {
    std::vector<std::string> ids;
    CHECK_OK(store->read([&](store::Reader& reader) -> Result<void> {
      ids = TRY(due_changes(reader, now, 10));
      return {};
    }));
    return ids;
  }
};

TEST(ChangeRecords, a_change_comes_back_as_it_was) {
  const Change change = full_change();
  const Change back = UNWRAP(parse_change(format_change(change)));
  STRCMP_EQUAL(format_change(change).c_str(), format_change(back).c_str());
  CHECK_TRUE(back.approvals.size() == 1 && back.approvals[0].comment == "fine");
  for (const char* text : {"", "{", "{}", R"({"state":"open","kind":"call"})", "[]"})
    CHECK_ERROR(Code::corrupt, "change_unreadable", parse_change(text));
}

TEST(ChangeRecords, a_wakeup_is_replaced_and_taken_back) {
  save(full_change(), 100);
  CHECK_TRUE(due(99).empty());
  LONGS_EQUAL(1, due(100).size());
  save(load("c1"), 300);
  CHECK_TRUE(due(299).empty());
  LONGS_EQUAL(1, due(300).size());
  save(load("c1"), 0);
  CHECK_TRUE(due(INT64_MAX - 1).empty());
}

TEST(ChangeRecords, wakeups_come_in_the_order_of_time) {
  for (const std::int64_t wake : {900, 20, 1000}) {
    Change change = full_change();
    change.id = "c" + std::to_string(wake);
    save(change, wake);
  }
  CHECK_TRUE(due(2000) == (std::vector<std::string>{"c20", "c900", "c1000"}));
}

TEST(ChangeRecords, changes_are_found_by_state_and_task) {
  Change change = full_change();
  change.task_id = "t1";
  save(change, 0);
  CHECK_OK(store->read([](store::Reader& reader) -> Result<void> {
    LONGS_EQUAL(1, TRY(reader.find_by(kChanges, "state", "approved", {})).size());
    LONGS_EQUAL(0, TRY(reader.find_by(kChanges, "state", "pending", {})).size());
    LONGS_EQUAL(1, TRY(reader.find_by(kChanges, "task", "t1", {})).size());
    CHECK_ERROR(Code::not_found, "change_unknown", load_change(reader, "none"));
    return {};
  }));
}

TEST(ChangeRecords, what_is_shown_has_no_secrets) {
  const std::string shown =
      base::dump_json(show_change(full_change(), Detail::whole, "http://h/change"));
  CHECK_TRUE(shown.find("\"password\":\"********\"") != std::string::npos);
  CHECK_TRUE(shown.find("\"apiSecret\":\"********\"") != std::string::npos);
  CHECK_TRUE(shown.find("raw") == std::string::npos);
  CHECK_TRUE(shown.find("\"deadline\":\"2026-01-31T08:00:00.123Z\"") != std::string::npos);
  CHECK_TRUE(show_change(full_change(), Detail::summary, "").count("payload") == 0);
}

TEST(ChangeRecords, amendments_are_shown_as_a_difference) {
  Change change = full_change();
  change.original = change.payload;
  change.payload = R"({"method":"POST","path":"/meta/x","body":{"name":"other"}})";
  const Json shown = show_change(change, Detail::whole, "");
  CHECK_TRUE(shown["amendments"].is_array() && !shown["amendments"].empty());
}
