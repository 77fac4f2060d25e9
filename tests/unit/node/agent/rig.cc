// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/node/agent/rig.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "tests/support/check_result.h"

namespace agent_test {

using node::agent::Config;
using node::agent::Images;
using node::agent::Ledger;
using node::api::InstanceId;

Config make_config(const TempFolder& folder) {
  Config config;
  config.name = "n1";
  config.address = "127.0.0.1";
  config.state_folder = folder / "state";
  config.run_folder = folder / "run";
  config.volumes_folder = folder / "volumes";
  config.volumes.meta_socket = folder / "dfs-meta.sock";
  config.starts_max = 4;
  return config;
}

std::uint16_t free_port() {
  const sys::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  LONGS_EQUAL(0, bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  socklen_t length = sizeof address;
  LONGS_EQUAL(0, getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length));
  return ntohs(address.sin_port);
}

sys::Fd listen_on(std::uint16_t port) {
  sys::Fd out(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  LONGS_EQUAL(0, bind(out.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  LONGS_EQUAL(0, listen(out.get(), 8));
  return out;
}

Agent::Agent(sys::EventLoop& loop, sys::WorkerPool& workers, sys::ServiceManager& services,
             Peers& peers, const Config& config)
    : http(UNWRAP(sys::AsyncHttp::make(loop))),
      ledger(UNWRAP(Ledger::open(config.state_folder / "ledger", loop, workers))),
      images(UNWRAP(Images::open({loop, workers, config}))),
      netfw({loop, *http, peers.netfw_socket(), "n1"}),
      master({loop, *http, peers.master_socket(), "n1", "boot",
              [this] { return supervisor.statuses(); },
              [this](const InstanceId& id) -> std::optional<node::api::InstanceStatus> {
                const auto* found = supervisor.find(id);
                if (found == nullptr) return std::nullopt;
                return found->record.status;
              }}),
      supervisor({loop, workers, workers, services, *http, *ledger, *images, netfw, master, metrics,
                  config, "machine-boot"}) {
  auto loaded = UNWRAP(ledger->load());
  LONGS_EQUAL(0, loaded.unreadable.size());
  supervisor.adopt(std::move(loaded.records), [this] {
    netfw.start();
    master.start();
    ready = true;
  });
  run_until(loop, [this] { return ready; });
}

}  // namespace agent_test
