// SPDX-License-Identifier: Apache-2.0
#include "services/framework/outbox.h"

#include <CppUTest/TestHarness.h>

#include "common/sys/event_loop.h"
#include "common/sys/loop_timers.h"
#include "services/framework/idempotency.h"
#include "tests/support/check_result.h"

namespace {

using namespace services;
using base::Result;

TEST_GROUP(Outbox) {
  std::unique_ptr<store::Store> store =
      store::make_memory({.collections = {outbox_collection(), idempotency_collection()}});
  base::Result<std::unique_ptr<sys::EventLoop>> loop = sys::EventLoop::make();
  std::unique_ptr<sys::LoopTimers> timers = std::make_unique<sys::LoopTimers>(**loop);
  rest::Metrics metrics;
  std::vector<std::string> first;
  std::vector<std::string> second;
  int refusals = 0;

  void put(const std::string& name) {
    CHECK_OK(store->write([&](store::Writer& writer) {
      Event event;
      event.name = name;
      return put_outbox(writer, {.sequence = 0, .audit = "", .events = {event}});
    }));
  }
  std::unique_ptr<Dispatcher> make() {
    auto made = std::make_unique<Dispatcher>(
        Dispatcher::Parts{*store, *timers, metrics, [](std::function<void()>) { return false; },
                          [](std::function<void()>) {}});
    made->add("first", [this](const std::vector<OutboxRow>& rows) -> Result<void> {
      for (const OutboxRow& row : rows) first.push_back(row.events.at(0).name);
      return {};
    });
    made->add("second", [this](const std::vector<OutboxRow>& rows) -> Result<void> {
      if (refusals-- > 0) return base::Error{base::Code::unavailable, "no", "connect_failed"};
      for (const OutboxRow& row : rows) second.push_back(row.events.at(0).name);
      return {};
    });
    return made;
  }
  std::size_t left() {
    std::size_t count = 0;
    CHECK_OK(store->read([&](store::Reader& reader) -> Result<void> {
      count = TRY(reader.list(kOutbox, {})).size();
      return {};
    }));
    return count;
  }
};

TEST(Outbox, rows_come_in_the_order_of_their_commits_and_go_when_all_have_them) {
  for (int i = 0; i < 600; ++i) put(std::to_string(i));
  const auto dispatcher = make();
  CHECK_OK(dispatcher->drain());
  CHECK_EQUAL(600U, first.size());
  for (int i = 0; i < 600; ++i) CHECK(first[i] == std::to_string(i));
  CHECK(first == second);
  CHECK_EQUAL(0U, left());
}

TEST(Outbox, who_fails_holds_up_nobody_but_itself_and_misses_nothing) {
  put("a");
  put("b");
  refusals = 1;
  const auto dispatcher = make();
  CHECK_ERROR(base::Code::unavailable, "outbox_consumer_failing", dispatcher->drain());
  CHECK_EQUAL(2U, first.size());
  CHECK_EQUAL(2U, left());
  put("c");
  CHECK_OK(dispatcher->drain());
  CHECK_EQUAL(3U, first.size());
  CHECK(second == (std::vector<std::string>{"a", "b", "c"}));
  CHECK_EQUAL(0U, left());
}

TEST(Outbox, what_was_not_taken_before_the_end_is_told_again_after_it) {
  put("a");
  refusals = 1;
  {
    const auto dispatcher = make();
    CHECK_ERROR(base::Code::unavailable, "outbox_consumer_failing", dispatcher->drain());
  }
  const auto dispatcher = make();
  CHECK_OK(dispatcher->drain());
  CHECK_EQUAL(2U, first.size());  // at least once
  CHECK_EQUAL(1U, second.size());
}

TEST(Outbox, a_damaged_row_is_named_as_damage) {
  put("a");
  std::vector<store::Record> rows;
  CHECK_OK(store->read([&](store::Reader& reader) -> Result<void> {
    rows = TRY(reader.list(kOutbox, {}));
    return {};
  }));
  store::Record& row = rows.at(0);
  STRCMP_EQUAL("a", UNWRAP(parse_outbox(row)).events.at(0).name.c_str());
  const std::string whole = row.value;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    row.value = whole.substr(0, length);
    CHECK_ERROR(base::Code::corrupt, "outbox_unreadable", parse_outbox(row));
  }
  row.value = whole + "x";
  CHECK_ERROR(base::Code::corrupt, "outbox_unreadable", parse_outbox(row));
}

TEST(Outbox, a_kept_reply_is_sealed_and_opens_for_the_same_request_only) {
  const base::WallTime now{std::chrono::hours(1'000'000)};
  const IdempotencyKey key{"k", "hash", base::Secret(std::string(32, 'k'))};
  CHECK_OK(store->write([&](store::Writer& writer) {
    return save_reply(writer, key, rest::Response::text("a secret"), now, base::system_rng());
  }));
  CHECK_OK(store->read([&](store::Reader& reader) -> Result<void> {
    const auto record = TRY(reader.find(kIdempotency, "k"));
    CHECK(record && record->value.find("secret") == std::string::npos);
    const auto again = TRY(find_reply(reader, key, now));
    CHECK(again && again->body == "a secret");
    const IdempotencyKey other{"k", "hash", base::Secret(std::string(32, 'x'))};
    CHECK_ERROR(base::Code::failed_precondition, "idempotency_reply_lost",
                find_reply(reader, other, now));
    return {};
  }));
}

TEST(Outbox, replies_to_idempotent_requests_expire_after_a_day) {
  const base::WallTime now{std::chrono::hours(1'000'000)};
  const IdempotencyKey key{"k", "hash", base::Secret(std::string(32, 'k'))};
  CHECK_OK(store->write([&](store::Writer& writer) {
    return save_reply(writer, key, rest::Response::text("hello"), now, base::system_rng());
  }));
  const auto look = [&](base::WallTime when) {
    bool found = false;
    CHECK_OK(store->read([&](store::Reader& reader) -> Result<void> {
      found = TRY(find_reply(reader, key, when)).has_value();
      return {};
    }));
    return found;
  };
  CHECK(look(now + std::chrono::hours(23)));
  CHECK(!look(now + std::chrono::hours(25)));
  std::size_t removed = 0;
  CHECK_OK(store->write([&](store::Writer& writer) -> Result<void> {
    removed = TRY(expire_replies(writer, now + std::chrono::hours(26), 10));
    return {};
  }));
  CHECK_EQUAL(1U, removed);
}

}  // namespace
