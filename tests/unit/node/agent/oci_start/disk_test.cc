// SPDX-License-Identifier: Apache-2.0
// Disk limits of containers on a real node: the helper's loop devices and the agent's files for
// them.
#include "node/agent/oci_start/disk.h"

#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/support/check_result.h"
#include "tests/unit/node/agent/container_rig.h"

using agent_test::ContainerRig;
using agent_test::free_port;
using agent_test::run_until;
using node::agent::Wishes;
using node::api::InstanceId;
using node::api::InstanceState;

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLimit = 8 << 20;

}  // namespace

TEST_GROUP_BASE(Disk, ContainerRig){void setup() override{ContainerRig::setup();
spec.resources.disk_bytes = kLimit;
}
fs::path image_of(const char* id) const {
  return folder / ("state/instances/" + std::string(id) + "-1/disk.img");
}
// Loop devices over an image of this test.
std::size_t loops() const {
  std::size_t out = 0;
  for (const auto& device : fs::directory_iterator("/sys/block")) {
    std::ifstream file(device.path() / "loop/backing_file");
    std::string name;
    if (std::getline(file, name) && name.find("/disk.img") != std::string::npos &&
        name.find(folder.path().filename().string()) != std::string::npos) {
      ++out;
    }
  }
  return out;
}
std::int64_t used_bytes(const char* id) const {
  struct stat info = {};
  return stat(image_of(id).c_str(), &info) == 0 ? info.st_blocks * 512 : -1;
}
void expect_status(int status) {
  wish("a", port);
  apply();
  const auto& ended = wait_for("a", status == 0 ? InstanceState::finished : InstanceState::failed);
  LONGS_EQUAL(status, ended.exit_status);
}
}
;

TEST(Disk, a_container_gets_no_space_at_its_limit_and_the_node_does_not_fill) {
  shell(
      "busybox dd if=/dev/zero of=/big bs=64k count=1000 2> /dev/shm/said && exit 11;"
      "grep -q 'No space left' /dev/shm/said || exit 12; sleep 1000");
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  // It is full when it waits; the file then never grows beyond its limit.
  run_until(*loop, [&] { return used_bytes("a") > kLimit / 2; });
  agent_test::run_for(*loop, std::chrono::milliseconds(500));
  LONGS_EQUAL(1, loops());
  CHECK(used_bytes("a") <= kLimit);
  CHECK(peers.last("a")->state == InstanceState::running);
  for (const std::string& each : peers.last("a")->degraded) FAIL(each.c_str());
}

TEST(Disk, the_sandbox_counts_against_the_limit) {
  shell("sleep 0.2; head -c 12000000 /dev/zero > $MESOS_SANDBOX/big 2>/dev/null || exit 11");
  expect_status(11);
}

TEST(Disk, what_is_removed_can_be_written_again_and_goes_back_to_the_node) {
  shell(
      "for i in 1 2 3; do head -c 5000000 /dev/zero > /x || exit 11; busybox rm /x; done;"
      "head -c 5000000 /dev/zero > /x && busybox sync; sleep 1; busybox rm /x; sleep 1000");
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  run_until(*loop, [&] { return used_bytes("a") > kLimit / 2; });
  run_until(*loop, [&] { return used_bytes("a") < kLimit / 4; });
}

TEST(Disk, the_owners_inside_are_the_containers_own) {
  spec.user = "app";
  shell("sleep 0.2; touch $MESOS_SANDBOX/mine || exit 11; touch /mine && exit 12; exit 0");
  expect_status(0);
}

TEST(Disk, the_end_of_an_instance_leaves_no_loop_device_and_no_file) {
  shell("sleep 1000");
  wish("a", port);
  apply();
  const auto pid = wait_for("a", InstanceState::running).pid;
  LONGS_EQUAL(1, loops());
  LONGS_EQUAL(0, kill(static_cast<pid_t>(pid), SIGKILL));
  wait_for("a", InstanceState::failed);
  run_until(*loop, [&] { return loops() == 0 && !fs::exists(image_of("a")); });
}

TEST(Disk, a_restarted_agent_finds_the_limit_in_force) {
  shell("sleep 1000");
  wish("a", port);
  apply();
  const auto pid = wait_for("a", InstanceState::running).pid;
  agent.reset();
  peers.reports.clear();
  start_agent();
  LONGS_EQUAL(pid, wait_for("a", InstanceState::running).pid);
  agent_test::run_for(*loop, std::chrono::milliseconds(200));
  LONGS_EQUAL(0, peers.last("a")->degraded.size());
  LONGS_EQUAL(1, loops());
}

TEST(Disk, an_agent_that_died_while_it_made_the_file_system_makes_it_anew) {
  fs::create_directories(image_of("a").parent_path());
  std::ofstream(image_of("a")) << "half";
  std::ofstream(image_of("a").string() + ".part") << "half";
  shell("sleep 0.2; head -c 1000000 /dev/zero > /x || exit 11; exit 0");
  expect_status(0);
}

TEST(Disk, a_limit_that_cannot_be_kept_is_reported) {
  // Too small for a file system.
  spec.resources.disk_bytes = 1 << 10;
  shell("sleep 1000");
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  run_until(*loop, [&] { return peers.last("a")->degraded.size() == 1; });
  STRCMP_EQUAL("disk_limit_not_effective", peers.last("a")->degraded[0].c_str());
  LONGS_EQUAL(0, loops());
}

TEST(Disk, a_file_that_is_no_file_system_is_refused_and_leaves_nothing_mounted) {
  std::ofstream(folder / "no-image") << std::string(1 << 20, 'x');
  for (const char* each : {"layer/upper", "layer/work", "layer/sandbox", "place", "devices"}) {
    fs::create_directories(folder / each);
  }
  const std::string image = folder / "no-image";
  const std::string layer = folder / "layer";
  const std::string place = folder / "place";
  const std::string devices = folder / "devices";
  POINTERS_EQUAL(
      nullptr, oci_start::mount_disk(image.c_str(), layer.c_str(), place.c_str(), devices.c_str()));
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    CHECK_TEXT(line.find(folder.path().string()) == std::string::npos, line.c_str());
  }
  run_until(*loop, [&] {
    for (const auto& device : fs::directory_iterator("/sys/block")) {
      std::ifstream file(device.path() / "loop/backing_file");
      std::string name;
      if (std::getline(file, name) && name.find("no-image") != std::string::npos) return false;
    }
    return true;
  });
}
