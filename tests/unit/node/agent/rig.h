// SPDX-License-Identifier: Apache-2.0
// The agent without its daemon frame, over any systemd: dropped and made anew it is a restarted
// agent.
#pragma once

#include <memory>
#include <string>

#include "node/agent/supervisor.h"
#include "tests/unit/node/agent/peers.h"

namespace agent_test {

node::agent::Config make_config(const TempFolder& folder);
std::uint16_t free_port();
sys::Fd listen_on(std::uint16_t port);

struct Agent {
  Agent(sys::EventLoop& loop, sys::WorkerPool& workers, sys::ServiceManager& services, Peers& peers,
        const node::agent::Config& config);

  std::unique_ptr<sys::AsyncHttp> http;
  std::unique_ptr<node::agent::Ledger> ledger;
  std::unique_ptr<node::agent::Images> images;
  node::agent::NetfwLink netfw;
  node::agent::MasterLink master;
  rest::Metrics metrics;
  bool ready = false;
  node::agent::Supervisor supervisor;
};

}  // namespace agent_test
