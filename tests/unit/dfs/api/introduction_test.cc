// SPDX-License-Identifier: Apache-2.0
#include "dfs/api/introduction.h"

#include "dfs/api/frame.h"
#include "dfs/api/rpc.h"
#include "tests/support/check_result.h"
#include "tests/support/sim/sim_net.h"

using base::Result;
using namespace dfs;  // NOLINT: the subject
using namespace std::chrono_literals;

TEST_GROUP(Introduction) {
  sim::World world{1};
  sim::SimNet net{world};
  std::unique_ptr<base::Net> near = net.host("near");
  std::unique_ptr<base::Net> far = hear_newest_links(net.host("far"));
  std::unique_ptr<RpcServer> server;
  std::string heard;
  std::map<std::string, bool> ended;
  std::vector<std::unique_ptr<base::Link>> links;

  void setup() override {
    server = UNWRAP(RpcServer::listen(*far, {"far", 7863},
                                      {.request = [this](std::uint8_t, std::string_view body,
                                                         std::string_view, Responder responder) {
                                        heard += body;
                                        responder.answer(body);
                                      }}));
  }
  // A link that introduces itself, and sends a request.
  void begin(const std::string& name, const Hello& hello) {
    base::LinkEvents events;
    events.closed = [this, name](const base::Error&) { ended[name] = true; };
    links.push_back(near->connect({"far", 7863}, std::move(events)));
    CHECK_OK(
        links.back()->send(encode_frame({FrameType::notice, kHelloKind, 0, encode(hello), {}})));
    ask(name);
  }
  void ask(const std::string& text) {
    CHECK_OK(links.back()->send(encode_frame({FrameType::request, 1, 1, text, {}})));
    world.run_for(1s);
  }
};

TEST(Introduction, of_one_callers_links_the_newest_alone_is_heard) {
  begin("a", {7, 1});
  begin("b", {7, 2});
  CHECK_TRUE(heard == "ab" && ended["a"] && !ended["b"]);
  begin("late", {7, 1});
  begin("same", {7, 2});
  begin("nobody", {0, 3});
  CHECK_TRUE(heard == "ab" && ended["late"] && ended["same"] && ended["nobody"] && !ended["b"]);
  begin("c", {8, 1});
  CHECK_TRUE(heard == "abc" && !ended["b"]);
}

TEST(Introduction, an_older_link_is_refused_also_when_the_newer_one_has_gone) {
  begin("new", {7, 5});
  links.clear();
  world.run_for(1s);
  begin("late", {7, 4});
  CHECK_TRUE(heard == "new" && ended["late"]);
}

TEST(Introduction, links_without_one_are_left_alone) {
  links.push_back(near->connect({"far", 7863}, {}));
  ask("a");
  links.push_back(near->connect({"far", 7863}, {}));
  ask("b");
  CHECK_TRUE(heard == "ab");
}

TEST(Introduction, a_caller_counts_its_links) {
  const auto introducing = introduce_links(net.host("caller"), 9);
  RpcClient client(*introducing, world, {"far", 7863});
  for (int i = 0; i < 3; ++i) {
    bool is_answered = false;
    client.call(1, "x", "", 1s, [&](const Result<Answer>& answer) {
      CHECK_OK(answer);
      is_answered = true;
    });
    CHECK_TRUE(world.run_until([&] { return is_answered; }));
    client.hang_up();
  }
  CHECK_TRUE(heard == "xxx");
}
