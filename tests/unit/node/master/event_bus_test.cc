// SPDX-License-Identifier: Apache-2.0
#include "node/master/event_bus.h"

#include "tests/unit/node/master/fake_cluster.h"

using namespace node::master;  // NOLINT: a test of this one namespace
using base::Code;

namespace {

std::string take(rest::ByteStream& stream) {
  std::string text(stream.waiting(), ' ');
  text.resize(stream.take(text.data(), text.size()));
  return text;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string last_id(const std::string& text) {
  const std::size_t at = text.rfind("id: ") + 4;
  return text.substr(at, text.find("\r\n", at) - at);
}

}  // namespace

TEST_GROUP(EventBus) {
  FakeClock clock;
  EventBus bus{clock};
};

TEST(EventBus, a_filter_takes_types_a_format_and_an_id) {
  rest::Request request;
  request.query = {{"event_type", "deployment_info"}, {"plan-format", "light"}};
  request.headers["last-event-id"] = "1.7";
  const EventFilter filter = UNWRAP(read_event_filter(request));
  CHECK(filter.light && filter.types.contains("deployment_info"));
  STRCMP_EQUAL("1.7", filter.last_id.c_str());
  request.query = {{"plan-format", "heavy"}};
  CHECK_ERROR(Code::invalid_argument, "query_invalid", read_event_filter(request));
  request.query = {{"event_type", std::string(200, 'x')}};
  CHECK_ERROR(Code::invalid_argument, "query_invalid", read_event_filter(request));
}

TEST(EventBus, events_reach_those_who_asked_for_them) {
  const auto all = bus.attach({}, "1.2.3.4:5");
  const auto some = bus.attach({{"wanted"}, true, ""}, "1.2.3.4:6");
  CHECK(has(take(*all), "1.2.3.4:6"));
  bus.publish({{"wanted", "{\"full\":1}", "{\"light\":1}"}, {"other", "{}", ""}});
  const std::string to_all = take(*all);
  CHECK(has(to_all, "event: wanted\r\n"));
  CHECK(has(to_all, "data: {\"full\":1}\r\n"));
  CHECK(has(to_all, "event: other"));
  const std::string to_some = take(*some);
  CHECK(has(to_some, "light") && !has(to_some, "other"));
}

TEST(EventBus, who_goes_is_told_to_the_others) {
  const auto stays = bus.attach({}, "1.2.3.4:5");
  const auto goes = bus.attach({}, "1.2.3.4:6");
  take(*stays);
  goes->close();
  bus.keep_alive();
  LONGS_EQUAL(1, bus.subscribers());
  const std::string told = take(*stays);
  CHECK(has(told, "event: event_stream_detached"));
  CHECK(has(told, R"("remoteAddress":"1.2.3.4:6")"));
}

TEST(EventBus, a_client_that_comes_back_gets_what_it_missed) {
  auto stream = bus.attach({}, "1.2.3.4:5");
  bus.publish({{"a", "1", ""}});
  const std::string id = last_id(take(*stream));
  stream->close();
  bus.publish({{"b", "2", ""}, {"unwanted", "3", ""}});
  stream = bus.attach({{"b", "event_stream_attached"}, false, id}, "1.2.3.4:5");
  const std::string text = take(*stream);
  CHECK(has(text, "event: b"));
  CHECK(!has(text, "event: a\r\n") && !has(text, "unwanted") && !has(text, "gap"));
  // Nothing was missed.
  const auto again = bus.attach({{}, false, last_id(text)}, "1.2.3.4:5");
  CHECK(!has(take(*again), "event: b"));
}

TEST(EventBus, a_gap_is_told) {
  for (std::size_t i = 0; i <= kKeptEvents; ++i) bus.publish({{"a", std::to_string(i), ""}});
  for (const char* id : {"0.5", "nonsense", "1.", ".", "99999999999999999999.1"}) {
    const auto stream = bus.attach({{}, false, id}, "1.2.3.4:5");
    CHECK(has(take(*stream), R"("gap":true)"));
  }
}

TEST(EventBus, what_is_kept_is_bounded_by_bytes_too) {
  const auto first = bus.attach({}, "1.2.3.4:5");
  const std::string id = last_id(take(*first));
  first->close();
  for (int i = 0; i < 5; ++i) bus.publish({{"big", std::string(kKeptBytes / 3, 'x'), ""}});
  const auto stream = bus.attach({{}, false, id}, "1.2.3.4:5");
  CHECK(stream->waiting() < kKeptBytes + 10'000);
  CHECK(has(take(*stream), R"("gap":true)"));
}

TEST(EventBus, who_does_not_read_is_cut_off_with_the_reason) {
  const auto reads = bus.attach({}, "1.2.3.4:5");
  const auto slow = bus.attach({}, "1.2.3.4:6");
  const std::string data(kBacklogMax / 4, 'x');
  std::string read;
  for (int i = 0; i < 6; ++i) {
    bus.publish({{"big", data, ""}});
    read += take(*reads);
  }
  LONGS_EQUAL(1, bus.subscribers());
  CHECK(slow->is_finished());
  CHECK(slow->waiting() < 2 * kBacklogMax);
  CHECK(has(take(*slow), R"("reason":"reads too slowly)"));
  CHECK(reads->is_open() && !reads->is_finished());
  CHECK(has(read, "event: event_stream_detached"));
}

TEST(EventBus, one_event_bigger_than_the_limit_still_arrives) {
  const auto stream = bus.attach({}, "1.2.3.4:5");
  bus.publish({{"huge", std::string(2 * kBacklogMax, 'x'), ""}});
  LONGS_EQUAL(1, bus.subscribers());
  CHECK(take(*stream).size() > 2 * kBacklogMax);
}
