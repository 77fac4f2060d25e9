// SPDX-License-Identifier: Apache-2.0
#include "dfs/api/rpc.h"

#include "dfs/api/storage_protocol.h"
#include "tests/support/check_result.h"
#include "tests/support/sim/sim_net.h"

using base::Code;
using base::Result;
using namespace dfs;
using namespace std::chrono_literals;

namespace {

struct Pair {
  explicit Pair(RpcServer::Handlers handlers, std::uint64_t seed = 1) : world(seed), net(world) {
    near = net.host("near");
    far = net.host("far");
    server = UNWRAP(RpcServer::listen(*far, {"far", 7863}, std::move(handlers)));
    client = std::make_unique<RpcClient>(*near, world, base::Endpoint{"far", 7863});
  }
  // The answer to one call.
  Result<std::string> ask(std::string_view body, base::Duration timeout = 1s) {
    std::optional<Result<std::string>> got;
    client->call(1, body, "", timeout, [&got](Result<Answer> answer) {
      if (answer) {
        got = std::string(answer->body) + std::string(answer->data);
      } else {
        got = Result<std::string>(answer.error());
      }
    });
    CHECK_TRUE(world.run_until([&got] { return got.has_value(); }));
    return *std::move(got);
  }
  sim::World world;
  sim::SimNet net;
  std::unique_ptr<base::Net> near, far;
  std::unique_ptr<RpcServer> server;
  std::unique_ptr<RpcClient> client;
};

void echo(std::uint8_t, std::string_view body, std::string_view, Responder responder) {
  responder.answer(body, "!");
}

}  // namespace

TEST_GROUP(Rpc){};

TEST(Rpc, a_call_is_answered_with_body_and_data) {
  Pair pair({.request = echo});
  STRCMP_EQUAL("hello!", UNWRAP(pair.ask("hello")).c_str());
}

TEST(Rpc, an_error_comes_back_as_the_error_it_was) {
  Pair pair({.request = [](std::uint8_t, std::string_view, std::string_view, Responder responder) {
    responder.fail({Code::unavailable, "elsewhere", "not_primary"});
  }});
  CHECK_ERROR(Code::unavailable, "not_primary", pair.ask("x"));
}

TEST(Rpc, a_request_that_its_server_drops_is_answered_all_the_same) {
  Pair pair({.request = [](std::uint8_t, std::string_view, std::string_view, Responder) {}});
  CHECK_ERROR(Code::internal, "request_dropped", pair.ask("x"));
}

TEST(Rpc, a_silent_peer_costs_the_deadline_and_a_late_answer_is_ignored) {
  std::vector<Responder> held;
  Pair pair({.request = [&held](std::uint8_t, std::string_view, std::string_view,
                                Responder responder) { held.push_back(std::move(responder)); }});
  const base::Instant before = pair.world.clock().now();
  CHECK_ERROR(Code::timed_out, "call_timed_out", pair.ask("x", 200ms));
  CHECK_TRUE(pair.world.clock().now() - before < 300ms);
  held.at(0).answer("late");
  held.clear();
  pair.world.run_for(1s);
}

TEST(Rpc, a_link_that_ends_fails_its_calls_and_the_next_call_makes_a_new_one) {
  std::weak_ptr<Caller> caller;
  std::vector<Responder> held;
  Pair pair({.request = [&](std::uint8_t kind, std::string_view body, std::string_view data,
                            Responder responder) {
    if (body != "hold") return echo(kind, body, data, std::move(responder));
    caller = responder.caller();
    held.push_back(std::move(responder));
  }});
  bool ended = false;
  pair.client->on_ended([&ended] { ended = true; });
  std::optional<std::string> reason;
  pair.client->call(1, "hold", "", 10s, [&reason](Result<Answer> answer) {
    reason = std::string(answer.error().reason);
  });
  CHECK_TRUE(pair.world.run_until([&caller] { return !caller.expired(); }));
  caller.lock()->hang_up();
  CHECK_TRUE(pair.world.run_until([&reason] { return reason.has_value(); }));
  CHECK_TRUE(ended && *reason != "call_timed_out");
  STRCMP_EQUAL("again!", UNWRAP(pair.ask("again")).c_str());
}

TEST(Rpc, notices_reach_the_client_and_go_with_the_link) {
  std::shared_ptr<Caller> caller;
  int ended = 0;
  Pair pair({.request =
                 [&caller](std::uint8_t kind, std::string_view body, std::string_view data,
                           Responder responder) {
                   caller = responder.caller().lock();
                   echo(kind, body, data, std::move(responder));
                 },
             .ended = [&ended](const std::shared_ptr<Caller>&) { ++ended; }});
  std::string heard;
  pair.client->on_notice([&heard](std::uint8_t kind, std::string_view body) {
    heard = std::to_string(kind) + std::string(body);
  });
  UNWRAP(pair.ask("x"));
  caller->notify(64, "news");
  CHECK_TRUE(pair.world.run_until([&heard] { return heard == "64news"; }));
  pair.client.reset();
  CHECK_TRUE(pair.world.run_until([&ended] { return ended == 1; }));
  caller->notify(64, "nobody hears");
}

TEST(Rpc, too_many_unanswered_calls_are_refused) {
  std::vector<Responder> held;
  Pair pair({.request = [&held](std::uint8_t, std::string_view, std::string_view,
                                Responder responder) { held.push_back(std::move(responder)); }});
  for (std::size_t i = 0; i < kCallsMax; ++i)
    pair.client->call(1, "", "", 10s, [](const Result<Answer>&) {});
  CHECK_ERROR(Code::throttled, "too_many_calls", pair.ask("x"));
}

TEST(Rpc, bytes_that_are_no_frame_end_the_link) {
  Pair pair({.request = echo});
  bool closed = false;
  base::LinkEvents events;
  events.closed = [&closed](const base::Error&) { closed = true; };
  const auto link = pair.near->connect({"far", 7863}, std::move(events));
  CHECK_OK(link->send("nonsense"));
  CHECK_TRUE(pair.world.run_until([&closed] { return closed; }));
  STRCMP_EQUAL("hello!", UNWRAP(pair.ask("hello")).c_str());
}

TEST(Rpc, typed_calls_decode_their_replies) {
  Pair pair({.request = [](std::uint8_t kind, std::string_view body, std::string_view,
                           Responder responder) {
    if (kind != static_cast<std::uint8_t>(StorageKind::fence))
      return responder.fail({Code::unsupported, "kind"});
    const Fence fence = UNWRAP(decode<Fence>(body));
    responder.answer_with<ChangeReply>(ChangeReply{fence.epoch + 1});
  }});
  std::optional<std::uint64_t> index;
  pair.client->call(Fence{1, 2, 41}, 1s, [&index](Result<ChangeReply> reply, std::string_view) {
    index = UNWRAP(reply).index;
  });
  CHECK_TRUE(pair.world.run_until([&index] { return index.has_value(); }));
  CHECK_TRUE(*index == 42);
}
