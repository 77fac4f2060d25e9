// SPDX-License-Identifier: Apache-2.0
#include "node/agent/unit_properties.h"

#include "tests/support/check_result.h"

using node::agent::Record;
using node::agent::UnitInput;
using sys::UnitProperty;

TEST_GROUP(UnitProperties) {
  node::api::RunSpec spec;
  Record record;

  void setup() override {
    spec.app = "/demo/web";
    spec.version = "v1";
    spec.resources = {0.5, 64 << 20, 0, 100};
    record.status.id = node::api::InstanceId("web.1");
    record.uid_first = 1000;
  }
  UnitInput input() {
    record.spec = std::make_shared<const node::api::RunSpec>(spec);
    return {record, "/s/web.1-1", "/r/web.1-1",   "/trees/a/rootfs",
            3,      4096,         "/x/oci-start", "/x/crun"};
  }
  template <class T>
  static T value(const std::vector<UnitProperty>& all, std::string_view name) {
    for (const UnitProperty& each : all) {
      if (each.name == name && std::holds_alternative<T>(each.value))
        return std::get<T>(each.value);
    }
    FAIL((std::string("no property ") + std::string(name)).c_str());
    return {};
  }
};

TEST(UnitProperties, limits_become_those_of_the_unit) {
  const auto all = container_properties(input());
  CHECK(value<std::uint64_t>(all, "MemoryMax") == 64 << 20);
  CHECK(value<std::uint64_t>(all, "CPUQuotaPerSecUSec") == 500'000);
  CHECK(value<std::uint64_t>(all, "TasksMax") == 100);
}

TEST(UnitProperties, without_limits_only_the_number_of_tasks_is_bounded) {
  spec.resources = {};
  const auto all = container_properties(input());
  CHECK(value<std::uint64_t>(all, "TasksMax") == 4096);
  for (const UnitProperty& each : all) CHECK(each.name != "MemoryMax");
}

TEST(UnitProperties, the_file_system_of_a_disk_limit_is_given_to_the_helper) {
  UnitInput with = input();
  with.disk = "/s/web.1-1/disk.img";
  const auto start =
      value<std::vector<std::vector<std::string>>>(container_properties(with), "ExecStart");
  const auto at = std::find(start[0].begin(), start[0].end(), "--disk");
  CHECK(at != start[0].end());
  STRCMP_EQUAL("/s/web.1-1/disk.img", std::next(at)->c_str());
}

TEST(UnitProperties, a_container_is_started_through_the_helper_with_its_own_state_folder) {
  const auto all = container_properties(input());
  const auto start = value<std::vector<std::vector<std::string>>>(all, "ExecStart");
  const std::vector<std::string> expected{"/x/oci-start",
                                          "run",
                                          "--lower",
                                          "/trees/a/rootfs",
                                          "--layer",
                                          "/s/web.1-1",
                                          "--uid-first",
                                          "1000",
                                          "--pid-file",
                                          "/r/web.1-1/pid",
                                          "--fifo",
                                          "/r/web.1-1/crun/web.1/exec.fifo",
                                          "--",
                                          "/x/crun",
                                          "--root",
                                          "/r/web.1-1/crun",
                                          "--cgroup-manager=disabled",
                                          "create",
                                          "--pid-file",
                                          "/r/web.1-1/pid",
                                          "--bundle",
                                          "/s/web.1-1",
                                          "web.1"};
  CHECK(start[0] == expected);
  STRCMP_EQUAL("notify", value<std::string>(all, "Type").c_str());
  LONGS_EQUAL(3, value<std::int32_t>(all, "KillSignal"));
  CHECK(value<bool>(all, "RemainAfterExit"));
}

TEST(UnitProperties, a_grace_of_zero_is_not_for_ever) {
  spec.kill_grace = std::chrono::seconds(0);
  CHECK(value<std::uint64_t>(container_properties(input()), "TimeoutStopUSec") > 0);
}

TEST(UnitProperties, a_process_keeps_its_dollar_signs_and_gets_a_user_of_its_own) {
  spec.kind = node::api::RunKind::process;
  spec.argv = {"/bin/echo", "$HOME", "a$b"};
  const auto all = UNWRAP(process_properties(input(), {{"K", "v"}}));
  const auto start = value<std::vector<std::vector<std::string>>>(all, "ExecStart");
  const std::vector<std::string> expected{"/x/oci-start", "process",   "--uid",  "1000",
                                          "--",           "/bin/echo", "$$HOME", "a$$b"};
  CHECK(start[0] == expected);
  CHECK(value<bool>(all, "NoNewPrivileges"));
  STRCMP_EQUAL("strict", value<std::string>(all, "ProtectSystem").c_str());
}

TEST(UnitProperties, a_process_with_a_named_user_is_left_to_systemd) {
  spec.kind = node::api::RunKind::process;
  spec.argv = {"/bin/true"};
  spec.user = "app:staff";
  const auto all = UNWRAP(process_properties(input(), {}));
  STRCMP_EQUAL("app", value<std::string>(all, "User").c_str());
  STRCMP_EQUAL("staff", value<std::string>(all, "Group").c_str());
  CHECK(value<std::uint64_t>(all, "CapabilityBoundingSet") == 0);
}

TEST(UnitProperties, a_process_cannot_have_a_volume_at_another_path) {
  spec.kind = node::api::RunKind::process;
  spec.argv = {"/bin/true"};
  spec.volumes = {{"/data", "/srv/x", "", 0, false}};
  CHECK_ERROR(base::Code::unsupported, "volume_unsupported", process_properties(input(), {}));
  spec.volumes = {{"/srv/x", "/srv/x", "", 0, false}};
  CHECK_OK(process_properties(input(), {}));
}
