// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/net_suite.h"

#include <optional>

using base::Code;
using base::Endpoint;
using base::Error;
using base::Link;
using base::LinkEvents;
using base::Listener;

namespace contract {
namespace {

// One side of a link and what it was told.
struct Peer {
  std::unique_ptr<Link> link;
  bool opened = false;
  std::vector<std::string> frames;
  std::optional<Error> closed;
  int closed_count = 0;

  LinkEvents events() {
    return {.opened = [this] { opened = true; },
            .frame = [this](std::string_view frame) { frames.emplace_back(frame); },
            .closed =
                [this](const Error& error) {
                  closed = error;
                  ++closed_count;
                }};
  }
};

std::unique_ptr<Listener> listen(NetEngine& engine, Peer& accepted) {
  return UNWRAP(
      engine.server().listen({engine.server_address(), 0}, [&accepted](std::unique_ptr<Link> link) {
        accepted.link = std::move(link);
        return accepted.events();
      }));
}

void open(NetEngine& engine, Peer& client, Peer& server) {
  const auto listener = listen(engine, server);
  client.link = engine.client().connect(listener->endpoint(), client.events());
  CHECK_FALSE(client.opened);
  CHECK_TRUE(engine.run_until([&] { return client.opened && server.link != nullptr; }));
}

}  // namespace

void frames_arrive_whole_and_in_order_both_ways(NetEngine& engine) {
  Peer client, server;
  open(engine, client, server);
  std::vector<std::string> sent;
  for (const std::size_t size : {0, 1, 3, 1000, 70'000, 3'000'000})
    sent.push_back(std::string(size, static_cast<char>('a' + sent.size())));
  for (const std::string& frame : sent) {
    CHECK_OK(client.link->send(frame));
    CHECK_OK(server.link->send(frame + "!"));
  }
  CHECK_TRUE(engine.run_until(
      [&] { return server.frames.size() == sent.size() && client.frames.size() == sent.size(); }));
  CHECK_TRUE(server.frames == sent);
  for (std::size_t i = 0; i < sent.size(); ++i) CHECK_TRUE(client.frames[i] == sent[i] + "!");
  CHECK_FALSE(server.opened);
  LONGS_EQUAL(0, client.link->queued_bytes());
}

void frames_sent_before_the_link_is_open_arrive(NetEngine& engine) {
  Peer client, server;
  const auto listener = listen(engine, server);
  client.link = engine.client().connect(listener->endpoint(), client.events());
  CHECK_OK(client.link->send("early"));
  CHECK_OK(client.link->send("bird"));
  CHECK_TRUE(engine.run_until([&] { return server.frames.size() == 2; }));
  STRCMP_EQUAL("early", server.frames[0].c_str());
  STRCMP_EQUAL("bird", server.frames[1].c_str());
}

void connecting_to_nobody_ends_with_an_error(NetEngine& engine) {
  Endpoint nobody;
  {
    Peer unused;
    nobody = listen(engine, unused)->endpoint();
  }
  Peer client;
  client.link = engine.client().connect(nobody, client.events());
  LONGS_EQUAL(0, client.closed_count);
  CHECK_TRUE(engine.run_until([&] { return client.closed.has_value(); }));
  LONGS_EQUAL(static_cast<int>(Code::unavailable), static_cast<int>(client.closed->code));
  CHECK_FALSE(client.opened);
  CHECK_ERROR(Code::unavailable, "link_closed", client.link->send("x"));
}

void the_end_of_one_side_reaches_the_other_after_its_frames(NetEngine& engine) {
  Peer client, server;
  open(engine, client, server);
  CHECK_OK(client.link->send("last words"));
  client.link.reset();
  CHECK_TRUE(engine.run_until([&] { return server.closed.has_value(); }));
  LONGS_EQUAL(1, server.frames.size());
  STRCMP_EQUAL("link_closed", std::string(server.closed->reason).c_str());
  LONGS_EQUAL(1, server.closed_count);
  LONGS_EQUAL(0, client.closed_count);
}

void a_link_may_be_let_go_inside_its_callbacks(NetEngine& engine) {
  Peer client, server;
  const auto listener = listen(engine, server);
  LinkEvents events = client.events();
  events.opened = [&client] {
    client.opened = true;
    client.link.reset();
  };
  client.link = engine.client().connect(listener->endpoint(), events);
  CHECK_TRUE(engine.run_until([&] { return server.closed.has_value(); }));

  Peer second_client, second_server;
  open(engine, second_client, second_server);
  Peer third_server;
  bool let_go = false;
  const auto third_listener =
      UNWRAP(engine.server().listen({engine.server_address(), 0}, [&](std::unique_ptr<Link> link) {
        third_server.link = std::move(link);
        LinkEvents third = third_server.events();
        third.frame = [&](std::string_view) {
          third_server.link.reset();
          let_go = true;
        };
        return third;
      }));
  Peer third;
  third.link = engine.client().connect(third_listener->endpoint(), third.events());
  CHECK_OK(third.link->send("a"));
  CHECK_OK(third.link->send("b"));
  CHECK_TRUE(engine.run_until([&] { return let_go && third.closed.has_value(); }));
}

void a_refused_link_ends(NetEngine& engine) {
  const auto listener = UNWRAP(engine.server().listen(
      {engine.server_address(), 0}, [](std::unique_ptr<Link>) { return LinkEvents(); }));
  Peer client;
  client.link = engine.client().connect(listener->endpoint(), client.events());
  CHECK_TRUE(engine.run_until([&] { return client.closed.has_value(); }));
}

void no_callback_comes_after_a_link_was_let_go(NetEngine& engine) {
  Peer client, server;
  open(engine, client, server);
  CHECK_OK(server.link->send("too late"));
  client.link.reset();
  CHECK_TRUE(engine.run_until([&] { return server.closed.has_value(); }));
  LONGS_EQUAL(0, client.frames.size());
  LONGS_EQUAL(0, client.closed_count);
}

void frames_and_queues_have_a_limit(NetEngine& engine) {
  Peer client, server;
  open(engine, client, server);
  CHECK_ERROR(Code::too_large, "frame_too_large",
              client.link->send(std::string(base::kFrameMax + 1, 'x')));
  // Nothing runs meanwhile, so that the queue can only grow.
  const std::string large(base::kFrameMax, 'x');
  int accepted = 0;
  while (accepted < 20 && client.link->send(large)) ++accepted;
  CHECK_TRUE(accepted >= 3 && accepted < 20);
  CHECK_ERROR(Code::throttled, "link_full", client.link->send(large));
  CHECK_TRUE(
      engine.run_until([&] { return server.frames.size() == static_cast<std::size_t>(accepted); }));
  CHECK_OK(client.link->send("again"));
}

void a_port_has_one_listener(NetEngine& engine) {
  Peer server;
  const auto listener = listen(engine, server);
  CHECK_TRUE(listener->endpoint().port != 0);
  CHECK_FALSE(engine.server()
                  .listen(listener->endpoint(), [](std::unique_ptr<Link>) { return LinkEvents(); })
                  .has_value());
}

void accepted_links_outlive_their_listener(NetEngine& engine) {
  Peer client, server;
  open(engine, client, server);  // its listener has ended by now
  CHECK_OK(client.link->send("x"));
  CHECK_TRUE(engine.run_until([&] { return server.frames.size() == 1; }));
}

}  // namespace contract
