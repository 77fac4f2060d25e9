// SPDX-License-Identifier: Apache-2.0
// Instances on a real node: systemd, crun, skopeo, umoci and the kernel's limits. Runs on the test
// bed.
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/sys/process.h"
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

// The value behind "Name:" in /proc/PID/status.
std::string status_field(std::int64_t pid, const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) return line.substr(name.size() + 2);
  }
  return "";
}

std::string link_of(std::int64_t pid, const std::string& name) {
  return fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/" + name).string();
}

}  // namespace

TEST_GROUP_BASE(Containers, ContainerRig){};

TEST(Containers, a_container_answers_and_is_confined) {
  spec.health_checks = {check(node::api::CheckProtocol::http)};
  wish("a", port);
  apply();
  const auto pid = wait_for("a", InstanceState::running).pid;
  run_until(*loop, [&] { return peers.last("a")->healthy == std::optional(true); });
  CHECK(status_field(pid, "Uid").starts_with(std::to_string(node::agent::kUidFirst)));
  STRCMP_EQUAL("1", status_field(pid, "NoNewPrivs").c_str());
  STRCMP_EQUAL("2", status_field(pid, "Seccomp").c_str());
  const auto capabilities = std::stoull(status_field(pid, "CapBnd"), nullptr, 16);
  CHECK_EQUAL(0, capabilities & (1ULL << 21));  // CAP_SYS_ADMIN
  for (const char* name : {"user", "pid", "mnt", "ipc", "uts", "cgroup"}) {
    CHECK_TEXT(link_of(pid, name) != link_of(getpid(), name), name);
  }
  CHECK(link_of(pid, "net") == link_of(getpid(), "net"));
  CHECK(peers.has_netfw_call("PUT a healthy " + std::to_string(port)));
}

TEST(Containers, the_filter_of_system_calls_refuses_what_nobody_needs) {
  // Outside of a container the kernel answers otherwise, so that the probe can tell.
  const auto outside =
      UNWRAP(sys::run({.argv = {"/usr/libexec/gestalt-test/seccomp_probe"}, .environment = {}}));
  CHECK(outside.status != 0);
  spec.argv = {"/bin/seccomp_probe"};
  wish("a", port);
  apply();
  run_until(*loop, [&] {
    const auto* status = peers.last("a");
    return status != nullptr && node::api::is_terminal(status->state);
  });
  LONGS_EQUAL(0, peers.last("a")->exit_status);  // otherwise the number of the call, see there
  CHECK(peers.last("a")->state == InstanceState::finished);
}

TEST(Containers, limits_are_effective_and_so_not_reported) {
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  agent_test::run_for(*loop, std::chrono::milliseconds(200));
  for (const std::string& each : peers.last("a")->degraded) FAIL(each.c_str());
  const auto* instance = agent->supervisor.find(InstanceId("a"));
  const auto limits = read_limits(agent->supervisor.cgroups(), instance->control_group);
  DOUBLES_EQUAL(0.5, limits.cpus.value_or(0), 0.01);
  LONGS_EQUAL(64 << 20, limits.memory_bytes.value_or(0));
  LONGS_EQUAL(100, limits.pids_max.value_or(0));
}

TEST(Containers, an_exit_status_comes_back) {
  shell("sleep 0.3; exit 7");
  wish("a", port);
  apply();
  LONGS_EQUAL(7, wait_for("a", InstanceState::failed).exit_status);
}

TEST(Containers, the_end_of_a_program_that_ends_at_once_is_not_missed) {
  const struct {
    const char* script;
    InstanceState state;
    int status;
    int signal;
  } cases[] = {{"exit 0", InstanceState::finished, 0, 0},
               {"exit 7", InstanceState::failed, 7, 0},
               {"exit 120", InstanceState::failed, 120, 0}};
  for (int i = 0; i < 12; ++i) {
    const auto& each = cases[i % std::size(cases)];
    const std::string id = "short" + std::to_string(i);
    shell(each.script);
    wish(id.c_str(), free_port());
    apply();
    const auto& status = wait_for(id.c_str(), each.state);
    LONGS_EQUAL(each.status, status.exit_status);
    LONGS_EQUAL(each.signal, status.signal);
    CHECK_FALSE(status.started_at.empty());
  }
  // Nothing of them stays loaded.
  bool gone = false;
  std::function<void()> look = [&] {
    services->list("gst-short*", [&](const auto& listed) {
      gone = listed && listed->empty();
      if (!gone) look();
    });
  };
  look();
  run_until(*loop, [&] { return gone; });
}

TEST(Containers, a_low_cpu_limit_holds_for_the_container_but_not_for_its_start) {
  spec.resources.cpus = 0.01;
  shell("while :; do :; done");
  wish("a", port);
  const auto begin = std::chrono::steady_clock::now();
  apply();
  wait_for("a", InstanceState::running);
  // At one hundredth of a processor the start alone took more than a second.
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(800));
  agent_test::run_for(*loop, std::chrono::milliseconds(200));
  LONGS_EQUAL(0, peers.last("a")->degraded.size());
  const auto* instance = agent->supervisor.find(InstanceId("a"));
  const auto cgroups = agent->supervisor.cgroups();
  const double used = read_usage(cgroups, instance->control_group).cpu_seconds;
  agent_test::run_for(*loop, std::chrono::seconds(1));
  CHECK(read_usage(cgroups, instance->control_group).cpu_seconds - used < 0.1);
}

TEST(Containers, running_out_of_memory_is_told_apart_from_a_kill) {
  shell("sleep 0.3; tail /dev/zero");
  wish("a", port);
  apply();
  CHECK(wait_for("a", InstanceState::failed).out_of_memory);
  shell("sleep 1000");
  wish("b", free_port());
  apply();
  const auto pid = wait_for("b", InstanceState::running).pid;
  LONGS_EQUAL(0, kill(static_cast<pid_t>(pid), SIGKILL));
  run_until(*loop, [&] { return peers.last("b")->state == InstanceState::failed; });
  CHECK_FALSE(peers.last("b")->out_of_memory);
  LONGS_EQUAL(SIGKILL, peers.last("b")->signal);
}

TEST(Containers, a_program_that_ignores_the_stop_signal_is_killed_after_its_grace) {
  shell("trap : TERM; while true; do sleep 1; done");
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  wishes = std::make_shared<Wishes>();
  apply();
  wait_for("a", InstanceState::killed);
}

TEST(Containers, an_init_passes_the_stop_signal_on_and_the_exit_status_back) {
  // As process 1 the program has no handler for the signal, which the kernel then keeps from it.
  spec.init = true;
  spec.read_only_root = true;
  spec.kill_grace = std::chrono::seconds(30);
  shell("exec sleep 1000");
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  wishes = std::make_shared<Wishes>();
  const auto begin = std::chrono::steady_clock::now();
  apply();
  wait_for("a", InstanceState::killed);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
  shell("sleep 0.2; exit 7");
  wish("b", free_port());
  apply();
  LONGS_EQUAL(7, wait_for("b", InstanceState::failed).exit_status);
}

TEST(Containers, what_a_container_must_not_do_fails) {
  // Each part gives a status of its own when it succeeds although it must not.
  shell(
      "sleep 0.2; mount -t tmpfs x /tmp && exit 11; unshare -m true && exit 12;"
      "cat /proc/kcore && exit 13; echo 1 > /proc/sys/kernel/panic && exit 14;"
      "touch /sys/fs/cgroup/x && exit 15; test -e /run/gestalt && exit 16; exit 0");
  wish("a", port);
  apply();
  LONGS_EQUAL(0, wait_for("a", InstanceState::finished).exit_status);
}

TEST(Containers, a_read_only_root_cannot_be_written_but_the_sandbox_can) {
  spec.read_only_root = true;
  shell("sleep 0.2; touch /x && exit 11; touch $MESOS_SANDBOX/y || exit 12; exit 0");
  wish("a", port);
  apply();
  wait_for("a", InstanceState::finished);
  CHECK(fs::exists(folder / "state/instances/a-1/sandbox/y"));
}

TEST(Containers, changes_stay_with_their_instance) {
  shell("sleep 0.2; test -e /mark && exit 11; touch /mark; exit 0");
  wish("a", port);
  apply();
  wait_for("a", InstanceState::finished);
  wish("b", free_port());
  apply();
  wait_for("b", InstanceState::finished);
}

TEST(Containers, a_volume_keeps_the_owners_of_its_files) {
  fs::create_directories(folder / "data");
  spec.volumes = {{"/data", (folder / "data").string(), "", 0, false}};
  shell(
      "sleep 0.2; touch /data/root || exit 11; touch /data/app; chown 1000:1000 /data/app; exit 0");
  wish("a", port);
  apply();
  wait_for("a", InstanceState::finished);
  struct stat info = {};
  LONGS_EQUAL(0, stat((folder / "data/root").c_str(), &info));
  LONGS_EQUAL(0, info.st_uid);
  LONGS_EQUAL(0, stat((folder / "data/app").c_str(), &info));
  LONGS_EQUAL(1000, info.st_uid);
}

TEST(Containers, a_user_of_the_image_runs_without_capabilities) {
  spec.user = "app";
  shell("sleep 1000");
  wish("a", port);
  apply();
  const auto pid = wait_for("a", InstanceState::running).pid;
  CHECK(status_field(pid, "Uid").starts_with(std::to_string(node::agent::kUidFirst + 1000)));
  STRCMP_EQUAL("0000000000000000", status_field(pid, "CapEff").c_str());
}

TEST(Containers, a_command_check_runs_inside_the_container) {
  auto command = check(node::api::CheckProtocol::command);
  command.argv = {"/bin/sh", "-c", "test -e /www/index.html && test ! -e /usr"};
  spec.health_checks = {command};
  wish("a", port);
  apply();
  run_until(*loop, [&] {
    const auto* status = peers.last("a");
    return status != nullptr && status->healthy == std::optional(true);
  });
}

TEST(Containers, a_restarted_agent_finds_the_same_process) {
  wish("a", port);
  apply();
  const auto pid = wait_for("a", InstanceState::running).pid;
  agent.reset();
  peers.reports.clear();
  start_agent();
  LONGS_EQUAL(pid, wait_for("a", InstanceState::running).pid);
  apply();
  agent_test::run_for(*loop, std::chrono::milliseconds(100));
  LONGS_EQUAL(pid, peers.last("a")->pid);
}

TEST(Containers, a_program_that_is_not_there_is_named) {
  spec.argv = {"/bin/nothing"};
  wish("a", port);
  apply();
  const auto& status = wait_for("a", InstanceState::failed);
  CHECK_TEXT(status.message.find("/bin/nothing") != std::string::npos, status.message.c_str());
}

TEST(Containers, an_image_that_is_not_there_is_an_error_that_names_it) {
  spec.image = "oci:/nowhere:latest";
  wish("a", port);
  apply();
  const auto& status = wait_for("a", InstanceState::error);
  CHECK_TEXT(status.message.find("/nowhere") != std::string::npos, status.message.c_str());
}

TEST(Containers, wishes_for_one_image_share_one_fetch_and_it_can_be_collected_afterwards) {
  int done = 0;
  for (int i = 0; i < 3; ++i) {
    agent->images->ensure(spec.image, false, {}, [&](base::Result<node::agent::Image> image) {
      CHECK_OK(image);
      ++done;
    });
  }
  LONGS_EQUAL(1, agent->images->fetches_under_way());
  run_until(*loop, [&] { return done == 3; });
  LONGS_EQUAL(1, agent->images->list().size());
  const auto image = agent->images->list()[0];
  CHECK(fs::exists(image.tree / "bin/busybox"));
  CHECK_ERROR(base::Code::failed_precondition, "image_in_use",
              agent->images->remove(image.digest, {image.digest}));
  LONGS_EQUAL(0, agent->images->collect({image.digest}, true).size());
  LONGS_EQUAL(1, agent->images->collect({}, true).size());
  LONGS_EQUAL(0, agent->images->list().size());
  CHECK_FALSE(fs::exists(image.tree));
}

TEST(Containers, a_process_has_a_user_of_its_own_and_cannot_write_the_system) {
  spec.kind = node::api::RunKind::process;
  spec.image.clear();
  spec.argv = {"/bin/busybox", "sh", "-c",
               "sleep 0.2; touch /etc/x && exit 11; touch \"$MESOS_SANDBOX\"/y || exit 12;"
               "test \"$(busybox id -u)\" -ge 268435456 || exit 13; exit 0"};
  wish("a", port);
  apply();
  wait_for("a", InstanceState::finished);
}
