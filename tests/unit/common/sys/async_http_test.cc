// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "common/sys/http_client.h"
#include "tests/support/check_result.h"
#include "tests/unit/common/sys/http_peer.h"

using namespace std::chrono_literals;
using base::Code;

TEST_GROUP(AsyncHttp) {
  std::unique_ptr<sys::EventLoop> loop;
  std::unique_ptr<sys::AsyncHttp> http;
  sys::WatchHandle guard;
  bool timed_out = false;

  void setup() override {
    loop = UNWRAP(sys::EventLoop::make());
    http = UNWRAP(sys::AsyncHttp::make(*loop));
    guard = loop->after(10s, [this] {
      timed_out = true;
      loop->stop();
    });
  }
  void run_loop() {
    CHECK_OK(loop->run());
    CHECK_FALSE(timed_out);
  }
};

namespace {

HttpPeer::Answer answer_ok(const std::string&) { return HttpPeer::reply("200 OK", "hello"); }
HttpPeer::Answer answer_never(const std::string&) { return {{}, HttpPeer::After::hang}; }
HttpPeer::Answer answer_stream(const std::string&) {
  return {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\none\r\n", "3\r\ntwo\r\n",
           "0\r\n\r\n"}};
}

}  // namespace

TEST(AsyncHttp, done_comes_once_on_the_loop_and_not_inside_send) {
  HttpPeer peer(answer_ok);
  int count = 0;
  bool sending = true;
  const auto call = http->send({.url = peer.url("/")}, [&](auto reply) {
    CHECK_FALSE(sending);
    CHECK_TRUE(loop->is_loop_thread());
    ++count;
    STRCMP_EQUAL("hello", UNWRAP(std::move(reply)).body.c_str());
    loop->stop();
  });
  sending = false;
  run_loop();
  LONGS_EQUAL(1, count);
}

TEST(AsyncHttp, many_calls_run_at_once_and_each_gets_its_own_reply) {
  HttpPeer peer([](const std::string& request) {
    return HttpPeer::reply("200 OK", request.substr(4, request.find(' ', 4) - 4));
  });
  constexpr int kCalls = 50;
  int good = 0;
  int ended = 0;
  std::vector<sys::WatchHandle> calls;
  for (int i = 0; i < kCalls; ++i) {
    const std::string path = "/" + std::to_string(i);
    calls.push_back(http->send({.url = peer.url(path)}, [&, path](auto reply) {
      if (reply && reply->body == path) ++good;
      if (++ended == kCalls) loop->stop();
    }));
  }
  run_loop();
  LONGS_EQUAL(kCalls, good);
}

TEST(AsyncHttp, errors_come_through_done_too) {
  HttpPeer silent(answer_never);
  std::vector<std::string> reasons;
  std::vector<sys::WatchHandle> calls;
  const auto note = [&](auto reply) {
    reasons.emplace_back(reply ? "none" : reply.error().reason);
    if (reasons.size() == 3) loop->stop();
  };
  calls.push_back(http->send({.method = "bad method", .url = silent.url("/")}, note));
  calls.push_back(http->send({.url = "http://127.0.0.1:1/"}, note));
  calls.push_back(http->send({.url = silent.url("/"), .timeout = 100ms}, note));
  run_loop();
  STRCMP_EQUAL("http_call_invalid", reasons[0].c_str());
  STRCMP_EQUAL("connect_failed", reasons[1].c_str());
  STRCMP_EQUAL("http_timed_out", reasons[2].c_str());
}

TEST(AsyncHttp, a_dropped_call_never_reports) {
  HttpPeer silent(answer_never);
  HttpPeer quick(answer_ok);
  int done = 0;
  const auto count = [&](auto) { ++done; };
  auto not_started = http->send({.url = quick.url("/")}, count);
  not_started.reset();
  auto under_way = http->send({.url = silent.url("/")}, count);
  const auto later = loop->after(50ms, [&] {
    under_way.reset();
    loop->stop();
  });
  run_loop();
  const auto end = loop->after(30ms, [&] { loop->stop(); });
  run_loop();
  LONGS_EQUAL(0, done);
}

TEST(AsyncHttp, done_may_send_again_drop_others_and_its_own_handle) {
  HttpPeer peer(answer_ok);
  HttpPeer silent(answer_never);
  sys::WatchHandle first;
  sys::WatchHandle second;
  int other_done = 0;
  auto other = http->send({.url = silent.url("/")}, [&](auto) { ++other_done; });
  first = http->send({.url = peer.url("/1")}, [&](auto) {
    other.reset();
    second = http->send({.url = peer.url("/2")}, [&](auto reply) {
      CHECK_OK(reply);
      loop->stop();
    });
    first.reset();
  });
  run_loop();
  LONGS_EQUAL(0, other_done);
  LONGS_EQUAL(2, peer.requests().size());
}

TEST(AsyncHttp, a_stream_hands_over_each_piece_and_then_ends) {
  HttpPeer peer(answer_stream);
  std::string seen;
  const auto call = http->stream(
      {.url = peer.url("/"), .timeout = 0ms, .response_max = 1},
      [&](std::string_view piece) { seen += piece; },
      [&](auto reply) {
        LONGS_EQUAL(200, UNWRAP(std::move(reply)).status);
        loop->stop();
      });
  run_loop();
  STRCMP_EQUAL("onetwo", seen.c_str());
}

TEST(AsyncHttp, a_stream_that_is_refused_keeps_the_body_for_done) {
  HttpPeer peer([](const std::string&) { return HttpPeer::reply("410 Gone", "compacted"); });
  int pieces = 0;
  const auto call = http->stream(
      {.url = peer.url("/")}, [&](std::string_view) { ++pieces; },
      [&](auto reply) {
        const auto value = UNWRAP(std::move(reply));
        LONGS_EQUAL(410, value.status);
        STRCMP_EQUAL("compacted", value.body.c_str());
        loop->stop();
      });
  run_loop();
  LONGS_EQUAL(0, pieces);
}

TEST(AsyncHttp, inside_a_streams_piece_calls_may_be_sent_and_the_stream_dropped) {
  HttpPeer peer(answer_stream);
  HttpPeer other(answer_ok);
  int pieces = 0;
  bool done = false;
  sys::WatchHandle stream;
  sys::WatchHandle next;
  stream = http->stream(
      {.url = peer.url("/")},
      [&](std::string_view) {
        ++pieces;
        stream.reset();
        next = http->send({.url = other.url("/")}, [&](auto reply) {
          CHECK_OK(reply);
          loop->stop();
        });
      },
      [&](auto) { done = true; });
  run_loop();
  LONGS_EQUAL(1, pieces);
  CHECK_FALSE(done);
}

TEST(AsyncHttp, it_may_be_destroyed_inside_its_own_callbacks) {
  HttpPeer peer(answer_stream);
  int done = 0;
  auto call = http->send({.url = peer.url("/")}, [&](auto) {
    ++done;
    http.reset();
    loop->stop();
  });
  auto sibling = http->stream(
      {.url = peer.url("/"), .timeout = 0ms}, [](std::string_view) {}, [&](auto) { ++done; });
  run_loop();
  CHECK_TRUE(done >= 1);
  http = UNWRAP(sys::AsyncHttp::make(*loop));
  call = http->stream(
      {.url = peer.url("/")},
      [&](std::string_view) {
        http.reset();
        loop->stop();
      },
      [&](auto) { FAIL("ended without its Done"); });
  run_loop();
  const auto end = loop->after(10ms, [&] { loop->stop(); });
  run_loop();
}

TEST(AsyncHttp, going_away_ends_calls_without_their_done) {
  HttpPeer silent(answer_never);
  auto call = http->send({.url = silent.url("/")}, [&](auto) { FAIL("not after the end"); });
  const auto later = loop->after(30ms, [&] {
    http.reset();
    call.reset();
    loop->stop();
  });
  run_loop();
}

TEST(AsyncHttp, calls_beyond_the_limit_are_refused) {
  HttpPeer silent(answer_never);
  std::vector<sys::WatchHandle> calls;
  int refused = 0;
  for (int i = 0; i < 1026; ++i) {
    calls.push_back(http->send({.url = silent.url("/")}, [&](auto reply) {
      CHECK_ERROR(Code::throttled, "http_calls_full", reply);
      if (++refused == 2) loop->stop();
    }));
  }
  run_loop();
  calls.clear();
}
