// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/boot.h"

#include <CppUTest/TestHarness.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "netfw/daemon/firewalls.h"
#include "netfw/daemon/state_store.h"
#include "tests/support/check_result.h"
#include "tests/unit/netfw/haproxy_fixture.h"
#include "tests/unit/netfw/netns.h"

using namespace netfw;
using namespace netfw_test;
using namespace std::chrono_literals;

// clang-format off
TEST_GROUP(Boot) {
  OwnNetwork network;
  TempFolder folder;
  Config config;
  FirewallOptions firewall = {FirewallKind::automatic, {NETFW_IPTC_HELPER, folder.path() / "xtables.lock"}};

  void setup() override {
    config.state_folder = folder.path();
    config.policy.public_tcp = {80};
    config.follows_networks = false;
  }
  void store(const Writes& writes) {
    StateStore state = UNWRAP(StateStore::open(folder.path() / "state"));
    CHECK_OK(state.write(writes));
  }
  std::string choice() { return std::string(choose_boot_policy(&config).origin); }
  std::string write_file() {
    const base::Json json = {
        {"state_folder", folder.path().string()},
        {"firewall", {{"helper", NETFW_IPTC_HELPER}, {"backend", kind_name(firewall.kind)},
                      {"lock_file", (folder.path() / "xtables.lock").string()}}},
        {"policy", write_policy(config.policy)}};
    const std::string path = (folder.path() / "netfwd.json").string();
    std::ofstream(path) << json.dump();
    return path;
  }
  int boot(std::vector<std::string> words) {
    words.insert(words.begin(), {NETFWD, "--boot"});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    return boot_main(static_cast<int>(words.size()), argv.data());
  }
  FirewallSets kernel() {
    auto backend = UNWRAP(make_firewall(firewall));
    return UNWRAP(backend->read_sets());
  }
};
// clang-format on

TEST(Boot, the_stored_policy_comes_before_the_configured_one) {
  STRCMP_EQUAL("configured", choice().c_str());
  CHECK_FALSE(std::filesystem::exists(folder.path() / "state"));
  Policy stored = default_policy();
  stored.public_tcp = {443};
  store({{StateStore::policy_key(), base::dump_json(write_policy(stored))}});
  STRCMP_EQUAL("stored", choice().c_str());
  CHECK_TRUE(choose_boot_policy(&config).policy == stored);
}

TEST(Boot, networks_that_are_not_configured_are_those_of_the_last_life) {
  config.follows_networks = true;
  STRCMP_EQUAL("minimal", choice().c_str());
  const std::vector<IpNet> networks = {*IpNet::parse("192.0.2.0/24")};
  store({{StateStore::networks_key(), StateStore::encode(networks)}});
  STRCMP_EQUAL("networks", choice().c_str());
  CHECK_TRUE(choose_boot_policy(&config).policy.management == networks);
  CHECK_TRUE(choose_boot_policy(&config).policy.public_tcp == config.policy.public_tcp);
}

TEST(Boot, what_cannot_be_read_is_replaced_by_ssh_alone) {
  const Policy minimal = minimal_policy();
  CHECK_OK(check_invariants(compile_policy(minimal)));
  CHECK_TRUE(minimal.public_tcp.empty() && minimal.management_tcp.empty());
  STRCMP_EQUAL("minimal", std::string(choose_boot_policy(nullptr).origin).c_str());
  for (const char* const bad :
       {"no json", R"({"public_tcp":[0]})", R"({"management_sources":[]})"}) {
    store({{StateStore::policy_key(), bad}});
    STRCMP_EQUAL_TEXT("minimal", choice().c_str(), bad);
    CHECK_TRUE(choose_boot_policy(&config).policy == minimal);
  }
}

TEST(Boot, other_damaged_records_do_not_hide_the_policy) {
  store({{StateStore::policy_key(), base::dump_json(write_policy(default_policy()))},
         {StateStore::services_key(), "no json"}});
  STRCMP_EQUAL("stored", choice().c_str());
}

TEST(Boot, the_kernel_has_the_policy_and_running_instances_keep_their_ports) {
  CHECK_EQUAL(0, boot({"--config", write_file()}));
  CHECK_TRUE(kernel().ports[SetId::public_tcp] == std::set<std::uint16_t>{80});
  {
    auto backend = UNWRAP(make_firewall(firewall));
    CHECK_OK(backend->change({{.id = SetId::service_tcp, .ports_added = {10001}}}));
  }
  config.policy.public_tcp = {443};
  CHECK_EQUAL(0, boot({"--config", write_file()}));
  CHECK_TRUE(kernel().ports[SetId::public_tcp] == std::set<std::uint16_t>{443});
  CHECK_TRUE(kernel().ports[SetId::service_tcp].contains(10001));
}

TEST(Boot, a_change_of_the_packet_filter_leaves_nothing_in_the_other) {
  CHECK_EQUAL(0, boot({"--config", write_file()}));
  CHECK_TRUE(run_tool({"/usr/sbin/iptables-legacy", "-S"}).find("GESTALT-IN") != std::string::npos);
  firewall.kind = FirewallKind::nftables;
  CHECK_EQUAL(0, boot({"--config", write_file()}));
  CHECK_TRUE(kernel().ports[SetId::public_tcp] == std::set<std::uint16_t>{80});
  CHECK_TRUE(run_tool({"/usr/sbin/iptables-legacy", "-S"}).find("GESTALT") == std::string::npos);
  firewall.kind = FirewallKind::iptables;
  CHECK_EQUAL(0, boot({"--config", write_file()}));
  STRCMP_EQUAL("", run_tool({"/usr/sbin/nft", "list", "tables"}).c_str());
  CHECK_TRUE(kernel().ports[SetId::public_tcp] == std::set<std::uint16_t>{80});
}

TEST(Boot, without_the_helper_the_choice_is_nf_tables) {
  firewall.iptables.helper = "/nonexistent";
  STRCMP_EQUAL("nftables", UNWRAP(make_firewall(firewall))->name().c_str());
  firewall.iptables.helper = NETFW_IPTC_HELPER;
  STRCMP_EQUAL("iptables", UNWRAP(make_firewall(firewall))->name().c_str());
  firewall.kind = FirewallKind::nftables;
  STRCMP_EQUAL("nftables", UNWRAP(make_firewall(firewall))->name().c_str());
  CHECK_ERROR(base::Code::invalid_argument, "field_invalid", parse_kind("pf"));
}

TEST(Boot, wrong_usage_and_a_helper_that_is_not_there_are_told_apart) {
  CHECK_EQUAL(2, boot({"--config"}));
  CHECK_EQUAL(2, boot({"x"}));
  const std::string file = write_file();
  std::ofstream(file)
      << R"({"firewall":{"backend":"iptables","helper":"/nonexistent"},"state_folder":")"
      << folder.path().string() << "\"}";
  CHECK_EQUAL(1, boot({"--config", file}));
  std::ofstream(file) << R"({"firewall":{"backend":"off"}})";
  CHECK_EQUAL(0, boot({"--config", file}));
}
