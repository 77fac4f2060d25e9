// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/node/agent/container_rig.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "common/sys/process.h"
#include "tests/support/check_result.h"

namespace agent_test {

using node::agent::Wishes;
using node::api::HealthCheck;
using node::api::InstanceId;
using node::api::InstanceState;

namespace {

namespace fs = std::filesystem;

constexpr const char* kSeccompProbe = "/usr/libexec/gestalt-test/seccomp_probe";
constexpr const char* kOciStart = "/usr/libexec/gestalt-test/gestalt-oci-start";

void run(std::vector<std::string> argv) {
  auto done = sys::run_checked({.argv = std::move(argv), .environment = {}});
  if (!done) FAIL(base::to_string(done.error()).c_str());
}

// An OCI layout with a busybox; its program is a web server at PORT0.
void make_image(const fs::path& folder) {
  const std::string image = (folder / "image").string() + ":latest";
  const std::string bundle = folder / "bundle";
  run({"/usr/bin/umoci", "init", "--layout", folder / "image"});
  run({"/usr/bin/umoci", "new", "--image", image});
  run({"/usr/bin/umoci", "unpack", "--image", image, bundle});
  const fs::path root = fs::path(bundle) / "rootfs";
  for (const char* each : {"bin", "etc", "proc", "dev", "sys", "tmp", "www"}) {
    fs::create_directories(root / each);
  }
  fs::copy_file("/bin/busybox", root / "bin/busybox");
  fs::copy_file(kSeccompProbe, root / "bin/seccomp_probe");
  for (const char* each : {"sh", "httpd", "sleep", "touch", "true", "cat", "id", "head", "tail",
                           "mount", "unshare", "test", "grep", "chown"}) {
    fs::create_symlink("busybox", root / "bin" / each);
  }
  std::ofstream(root / "www/index.html") << "hello\n";
  std::ofstream(root / "etc/passwd") << "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n";
  run({"/usr/bin/umoci", "repack", "--image", image, bundle});
  run({"/usr/bin/umoci", "config", "--image", image, "--config.cmd", "/bin/sh", "--config.cmd",
       "-c", "--config.cmd", "exec httpd -f -p $PORT0 -h /www"});
  fs::remove_all(bundle);
}

}  // namespace

OnMemory::OnMemory() { setenv("TMPDIR", "/run", 1); }

void ContainerRig::setup() {
  fs::create_directories("/run/gestalt");  // tmpfiles.d makes it on an installed node
  config.oci_start = kOciStart;
  fs::permissions(folder.path(), fs::perms(0711));
  fs::create_directories(config.state_folder);
  make_image(folder.path());
  sys::ServiceManager::Observer observer;
  observer.on_unit_changed = [this](const std::string& unit) {
    if (agent) agent->supervisor.on_unit_changed(unit);
  };
  services = UNWRAP(sys::ServiceManager::make(*loop, "gst-", std::move(observer)));
  spec.app = "/demo/web";
  spec.version = "v1";
  spec.image = "oci:" + (folder / "image").string() + ":latest";
  spec.ports = {{"http", "tcp", 0}};
  spec.resources = {0.5, 64 << 20, 0, 100};
  spec.kill_grace = std::chrono::seconds(1);
  peers.start();
  start_agent();
}

void ContainerRig::teardown() {
  wishes = std::make_shared<Wishes>();
  apply();
  run_until(*loop, [&] { return agent->supervisor.instances().empty(); });
  agent.reset();
  services.reset();
}

void ContainerRig::start_agent() {
  agent = std::make_unique<Agent>(*loop, workers, *services, peers, config);
  run_until(*loop, [&] { return agent->netfw.is_connected() && agent->master.is_connected(); });
}

void ContainerRig::wish(const char* id, std::uint16_t at) {
  const std::string digest(64, static_cast<char>('a' + wishes->specs.size()));
  wishes->specs[digest] = std::make_shared<const node::api::RunSpec>(spec);
  wishes->assignments.instances.push_back({InstanceId(id), digest, 1, {at}});
}

void ContainerRig::apply() {
  ++wishes->assignments.generation;
  agent->supervisor.set_wishes(std::make_shared<const Wishes>(*wishes));
}

HealthCheck ContainerRig::check(node::api::CheckProtocol protocol) {
  HealthCheck out;
  out.protocol = protocol;
  out.interval = std::chrono::seconds(1);
  return out;
}

const node::api::InstanceStatus& ContainerRig::wait_for(const char* id, InstanceState state) {
  run_until(*loop, [&] {
    const auto* status = peers.last(id);
    return status != nullptr && (status->state == state || node::api::is_terminal(status->state));
  });
  const auto& status = *peers.last(id);
  STRCMP_EQUAL_TEXT(std::string(state_word(state)).c_str(),
                    std::string(state_word(status.state)).c_str(), status.message.c_str());
  return status;
}

}  // namespace agent_test
