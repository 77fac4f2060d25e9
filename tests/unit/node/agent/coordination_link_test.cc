// SPDX-License-Identifier: Apache-2.0
#include "node/agent/coordination_link.h"

#include "common/sys/tls.h"
#include "tests/support/check_result.h"
#include "tests/unit/node/agent/peers.h"

using agent_test::run_until;
using coordination::Coordination;
using node::agent::CoordinationLink;
using node::agent::Wishes;
using node::api::InstanceId;

namespace {

std::unique_ptr<Coordination> open(const TempFolder& folder) {
  return UNWRAP(coordination::open_local({.folder = folder / "tree"}));
}

}  // namespace

TEST_GROUP(CoordinationLink) {
  TempFolder folder;
  std::unique_ptr<sys::EventLoop> loop = agent_test::make_loop();
  sys::WorkerPool workers{{.threads = 1}};
  std::unique_ptr<Coordination> master = open(folder);
  std::shared_ptr<const Wishes> wishes;
  int told = 0;
  std::unique_ptr<CoordinationLink> link;

  void start() {
    node::api::Node self;
    self.name = "n1";
    self.address = "10.0.0.2";
    CoordinationLink::Parts parts{
        *loop, workers, self,
        [this] { return coordination::open_local({.folder = folder / "tree"}); },
        [this](std::shared_ptr<const Wishes> now) {
          wishes = std::move(now);
          ++told;
        }};
    link = std::make_unique<CoordinationLink>(std::move(parts));
    link->start();
    run_until(*loop, [&] { return link->is_connected(); });
  }
  std::string put_spec(const std::string& argument) {
    node::api::RunSpec spec;
    spec.app = "/a";
    spec.version = "v";
    spec.kind = node::api::RunKind::process;
    spec.argv = {"/bin/echo", argument};
    const std::string text = encode(spec);
    const std::string digest = sys::sha256_hex(text);
    CHECK_OK(coordination::ensure_path(*master, "/gestalt/specs"));
    CHECK_OK(master->create({"/gestalt/specs/" + digest, text}));
    return digest;
  }
  void assign(const std::string& text) {
    CHECK_OK(coordination::ensure_path(*master, "/gestalt/assign/n1"));
    CHECK_OK(master->set({"/gestalt/assign/n1", text}));
  }
  void assign(std::int64_t generation, std::vector<node::api::Assignment> instances) {
    assign(encode(node::api::Assignments{generation, std::move(instances)}));
  }
};

TEST(CoordinationLink, the_node_is_described_and_alive_while_the_link_lives) {
  start();
  const auto described = UNWRAP(master->find("/gestalt/nodes/n1"));
  STRCMP_EQUAL("10.0.0.2", UNWRAP(node::api::decode_node(described->data)).address.c_str());
  CHECK(UNWRAP(master->find("/gestalt/live/n1"))->stat.ephemeral_owner != 0);
}

TEST(CoordinationLink, the_live_node_of_an_agent_before_us_is_replaced) {
  CHECK_OK(coordination::ensure_path(*master, "/gestalt/live"));
  CHECK_OK(master->create({"/gestalt/live/n1", "", coordination::Kind::ephemeral}));
  start();
  CHECK(UNWRAP(master->find("/gestalt/live/n1"))->stat.ephemeral_owner != master->session_id());
}

TEST(CoordinationLink, no_assignments_means_no_wish_and_not_an_empty_one) {
  start();
  LONGS_EQUAL(0, told);
  CHECK_OK(coordination::ensure_path(*master, "/gestalt/assign/n1"));
  agent_test::run_for(*loop, std::chrono::milliseconds(100));
  LONGS_EQUAL(0, told);
}

TEST(CoordinationLink, assignments_come_with_their_specs_and_each_change_follows) {
  const std::string digest = put_spec("x");
  start();
  assign(1, {{InstanceId("a"), digest, 1, {3001}}});
  run_until(*loop, [&] { return wishes && wishes->assignments.generation == 1; });
  STRCMP_EQUAL("x", wishes->specs.at(digest)->argv[1].c_str());
  assign(2, {});
  run_until(*loop, [&] { return wishes->assignments.generation == 2; });
  assign(3, {{InstanceId("a"), digest, 2, {}}});
  run_until(*loop, [&] { return wishes->assignments.generation == 3; });
}

TEST(CoordinationLink, a_spec_that_is_absent_or_changed_spoils_its_own_instances_only) {
  const std::string good = put_spec("x");
  const std::string bad(64, 'b');
  CHECK_OK(master->create({"/gestalt/specs/" + bad, "{}"}));
  const std::string absent(64, 'c');
  start();
  assign(1, {{InstanceId("a"), good, 1, {}},
             {InstanceId("b"), bad, 1, {}},
             {InstanceId("c"), absent, 1, {}}});
  run_until(*loop, [&] { return wishes != nullptr; });
  CHECK(wishes->specs.contains(good));
  STRCMP_EQUAL("spec_corrupt", std::string(wishes->spec_errors.at(bad).reason).c_str());
  STRCMP_EQUAL("spec_absent", std::string(wishes->spec_errors.at(absent).reason).c_str());
}

TEST(CoordinationLink, damaged_assignments_keep_the_last_good_ones) {
  start();
  assign(1, {});
  run_until(*loop, [&] { return told == 1; });
  assign("{broken");
  run_until(*loop, [&] { return !link->is_connected(); });
  LONGS_EQUAL(1, told);
  assign(2, {});
  run_until(*loop, [&] { return told == 2; });
}
