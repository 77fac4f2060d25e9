// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/boot.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common/base/config.h"
#include "common/base/log.h"
#include "netfw/daemon/state_store.h"

namespace netfw {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr char kConfigFile[] = "/etc/gestalt/netfwd.json";
// Other programs load their rules at the same time and hold the lock meanwhile.
constexpr std::chrono::milliseconds kFirewallDeadline{20000};

base::Result<StoredState> load_stored(const std::filesystem::path& state_folder) {
  const std::filesystem::path folder = state_folder / "state";
  std::error_code ignored;
  if (!std::filesystem::exists(folder / "data.mdb", ignored)) return StoredState{};
  StateStore store = TRY(StateStore::open(folder));
  StoredState out = TRY(store.load_policy());
  if (out.policy) TRY(check_invariants(compile_policy(*out.policy)));
  return out;
}

base::Result<Config> load_settings(const char* file) {
  return read_config(TRY(base::load_config(file)));
}

base::Result<void> close_firewall(const Config* config) {
  const Config settings = config != nullptr ? *config : Config();
  auto backend = TRY(make_firewall(settings.firewall));
  // A store that is damaged in the wrong place may end this process; until it has been read, only
  // SSH is open. Where rules are in force already they are no worse.
  if (!backend->read_sets()) {
    TRY(backend->apply(compile_policy(minimal_policy()), Scope::policy_sets, kFirewallDeadline));
  }
  const BootPolicy chosen = choose_boot_policy(config);
  const FirewallApplied applied =
      TRY(backend->apply(compile_policy(chosen.policy), Scope::policy_sets, kFirewallDeadline));
  remove_other_firewall(settings.firewall, *backend);
  base::log::notice("NETFW_BOOT_APPLIED", "the firewall is closed before the network is up",
                    {{"policy", std::string(chosen.origin)},
                     {"backend", backend->name()},
                     {"rules", std::to_string(applied.rules)}});
  return {};
}

}  // namespace

BootPolicy choose_boot_policy(const Config* config) {
  const auto stored = load_stored(config != nullptr ? config->state_folder : Config().state_folder);
  if (!stored) {
    base::log::failure("NETFW_STATE_UNREADABLE", "only SSH is open until the daemon runs", {},
                       stored.error());
    return {minimal_policy(), "minimal"};
  }
  if (stored->policy) return {*stored->policy, "stored"};
  if (config == nullptr) return {minimal_policy(), "minimal"};
  if (!config->follows_networks) return {config->policy, "configured"};
  if (stored->networks.empty()) return {minimal_policy(), "minimal"};
  BootPolicy out{config->policy, "networks"};
  out.policy.management = stored->networks;
  return out;
}

int boot_main(int argc, char** argv) {
  const bool has_file = argc == 4 && std::strcmp(argv[2], "--config") == 0;
  if (argc != 2 && !has_file) {
    std::fprintf(stderr, "usage: %s --boot [--config FILE]\n", argv[0]);
    return kExitUsage;
  }
  const auto config = load_settings(has_file ? argv[3] : kConfigFile);
  if (!config) {
    base::log::failure("NETFW_BOOT_CONFIG_UNREADABLE", "going on without it", {}, config.error());
  } else if (config->firewall.kind == FirewallKind::off) {
    return EXIT_SUCCESS;
  }
  const auto done = close_firewall(config ? &*config : nullptr);
  if (done) return EXIT_SUCCESS;
  base::log::failure("NETFW_BOOT_FAILED", "nothing filters until the daemon runs", {},
                     done.error());
  return kExitFailed;
}

}  // namespace netfw
