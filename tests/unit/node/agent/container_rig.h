// SPDX-License-Identifier: Apache-2.0
// An agent on a real node: systemd, crun, skopeo, umoci and the kernel's limits, with peers in the
// place of masterd and netfwd. For suites that run on the test bed. The image is busybox, made
// here.
#pragma once

#include <memory>
#include <string>

#include <CppUTest/TestHarness.h>

#include "node/agent/supervisor.h"
#include "tests/unit/node/agent/rig.h"

namespace agent_test {

// Overlays need a folder that is not itself on one, as the root of a test node is.
struct OnMemory {
  OnMemory();
};

struct ContainerRig : Utest {
  OnMemory on_memory;
  TempFolder folder;
  node::agent::Config config = make_config(folder);
  std::unique_ptr<sys::EventLoop> loop = make_loop();
  sys::WorkerPool workers{{.threads = 3}};
  std::unique_ptr<sys::ServiceManager> services;
  Peers peers{*loop, workers, folder};
  std::unique_ptr<Agent> agent;
  std::shared_ptr<node::agent::Wishes> wishes = std::make_shared<node::agent::Wishes>();
  node::api::RunSpec spec;
  const std::uint16_t port = free_port();

  void setup() override;
  void teardown() override;
  void start_agent();
  void wish(const char* id, std::uint16_t at);
  void apply();
  void shell(const std::string& script) { spec.argv = {"/bin/sh", "-c", script}; }
  static node::api::HealthCheck check(node::api::CheckProtocol protocol);
  const node::api::InstanceStatus& wait_for(const char* id, node::api::InstanceState state);
};

}  // namespace agent_test
