// SPDX-License-Identifier: Apache-2.0
// The registrar against a metadata server made of answers.
#include "dfs/storage/registrar.h"

#include "tests/support/check_result.h"
#include "tests/support/sim/sim_net.h"

using base::Result;
using namespace std::chrono_literals;
using namespace dfs;  // NOLINT: the subject
using dfs::storage::Registrar;
using replication::Configuration;
using replication::NodeId;

namespace {

struct Metadata {
  Metadata(sim::SimNet& net, const std::string& name)
      : its_net(net.host(name)), endpoint{name, 7861} {
    server = UNWRAP(RpcServer::listen(
        *its_net, endpoint,
        {.request = [this](std::uint8_t kind, std::string_view body, std::string_view,
                           Responder responder) { answer(kind, body, std::move(responder)); }}));
  }
  void answer(std::uint8_t kind, std::string_view body, Responder responder) {
    if (!leads) return responder.fail({base::Code::unavailable, "not here", "not_primary"});
    if (kind == static_cast<std::uint8_t>(MetaKind::register_storage)) {
      ++registrations;
      last = UNWRAP(decode<RegisterStorage>(body));
      return responder.answer(encode(reply));
    }
    const ChangeGroup change = UNWRAP(decode<ChangeGroup>(body));
    GroupConfiguration& group = reply.groups.at(0);
    if (change.next.epoch == group.epoch + 1) group = change.next;
    responder.answer(encode(group));
  }

  std::unique_ptr<base::Net> its_net;
  base::Endpoint endpoint;
  bool leads = true;
  int registrations = 0;
  RegisterStorage last;
  RegisterStorageReply reply;
  std::unique_ptr<RpcServer> server;
};

}  // namespace

TEST_GROUP(Registrar) {
  sim::World world{1};
  sim::SimNet net{world};
  Metadata one{net, "meta1"};
  Metadata two{net, "meta2"};
  std::unique_ptr<base::Net> its_net = net.host("storage");
  std::string seen;
  replication::ConfigurationStore* store = nullptr;
  Configuration configuration;
  std::unique_ptr<Registrar> registrar;

  void setup() override {
    GroupConfiguration group;
    group.group = 7;
    group.epoch = 1;
    group.primary = "a";
    group.in_sync = {"a", "b"};
    two.reply.groups = {group};
    two.reply.nodes = {{"a", "10.0.0.1", 7863}};
    one.leads = false;
    registrar = std::make_unique<Registrar>(
        *its_net, world, std::vector{one.endpoint, two.endpoint},
        Registrar::Hooks{
            .describe =
                [] {
                  return RegisterStorage{{"a", "10.0.0.1", 7863}, 100, 50};
                },
            .set_nodes =
                [this](const std::vector<NodeAddress>& nodes) {
                  if (seen.empty()) seen += nodes.at(0).host + " ";
                },
            .start_group =
                [this](GroupNumber number, replication::ConfigurationStore& its_store) {
                  seen += "start" + std::to_string(number) + " ";
                  store = &its_store;
                  store->watch([this](const Configuration& now) { configuration = now; });
                  return Result<void>();
                },
            .stop_group =
                [this](GroupNumber number) { seen += "stop" + std::to_string(number) + " "; }});
    registrar->start();
    world.run_for(2s);
  }
  void teardown() override { registrar.reset(); }
};

TEST(Registrar, it_finds_the_metadata_server_that_leads_and_starts_its_groups) {
  CHECK_TRUE(registrar->is_registered());
  CHECK_TRUE(two.registrations >= 2);
  LONGS_EQUAL(50, two.last.bytes_free);
  STRCMP_EQUAL("10.0.0.1 start7 ", seen.c_str());
  LONGS_EQUAL(1, configuration.epoch);
  CHECK_TRUE(configuration.in_sync == (std::vector{NodeId("a"), NodeId("b")}));
}

TEST(Registrar, it_follows_the_leader_and_learns_changes_of_others) {
  one.reply = two.reply;
  one.reply.groups.at(0).epoch = 5;
  one.leads = true;
  two.leads = false;
  world.run_for(3s);
  LONGS_EQUAL(5, configuration.epoch);
  net.partition({"storage"}, {"meta1"});
  world.run_for(3s);
  CHECK_FALSE(registrar->is_registered());
  two.leads = true;
  world.run_for(3s);
  CHECK_TRUE(registrar->is_registered());
  LONGS_EQUAL(5, configuration.epoch);  // older ones are not taken
}

TEST(Registrar, a_change_is_compared_and_told_at_once) {
  Configuration next = configuration;
  next.epoch = 2;
  next.primary = NodeId("b");
  std::optional<Result<Configuration>> settled;
  const auto change = [&] {
    settled.reset();
    store->change(next, [&settled](Result<Configuration> now) { settled = std::move(now); });
    CHECK_TRUE(world.run_until([&settled] { return settled.has_value(); }));
    return UNWRAP(*settled);
  };
  CHECK_TRUE(change() == next);
  CHECK_TRUE(configuration == next);
  next.primary = NodeId("a");
  CHECK_TRUE(change().primary == NodeId("b"));
  two.leads = false;
  store->change(next, [&settled](Result<Configuration> now) { settled = std::move(now); });
  settled.reset();
  CHECK_TRUE(world.run_until([&settled] { return settled.has_value(); }));
  CHECK_FALSE(settled->has_value());
}

TEST(Registrar, a_group_that_is_not_named_any_more_is_stopped_after_a_while) {
  two.reply.groups.clear();
  world.run_for(600ms);
  STRCMP_EQUAL("10.0.0.1 start7 ", seen.c_str());
  world.run_for(3s);
  STRCMP_EQUAL("10.0.0.1 start7 stop7 ", seen.c_str());
}
