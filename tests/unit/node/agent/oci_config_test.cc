// SPDX-License-Identifier: Apache-2.0
#include "node/agent/oci_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/check_result.h"

using base::Json;
using node::agent::ContainerUser;
using node::agent::ImageConfig;
using node::agent::make_oci_config;
using node::agent::Record;

TEST_GROUP(OciConfig) {
  node::api::RunSpec spec;
  ImageConfig image;
  ContainerUser user;
  Record record;
  std::vector<node::agent::VolumePlace> places;

  void setup() override {
    spec.app = "/demo/web";
    spec.version = "v1";
    spec.image = "oci:/srv/web:latest";
    spec.ports = {{"http", "tcp", 80}};
    image.entrypoint = {"/bin/app"};
    image.command = {"-v"};
    image.environment = {"PATH=/bin", "A=image"};
    record.status.id = node::api::InstanceId("demo_web.instance-1._app.1");
    record.status.address = "10.0.0.2";
    record.status.ports = {3001};
    record.uid_first = node::agent::kUidFirst;
  }
  Json make() {
    record.spec = std::make_shared<const node::api::RunSpec>(spec);
    return UNWRAP(
        make_oci_config({record, image, user, "/var/lib/gestalt/agent/instances/x/sandbox", places,
                         true, "/usr/libexec/gestalt/gestalt-oci-start"}));
  }
  static bool has(const Json& list, const std::string& text) {
    return std::find(list.begin(), list.end(), text) != list.end();
  }
  static Json find_mount(const Json& config, const std::string& target) {
    for (const Json& each : config["mounts"]) {
      if (each["destination"] == target) return each;
    }
    return nullptr;
  }
};

TEST(OciConfig, the_program_is_the_images_unless_the_application_names_one) {
  CHECK(make()["process"]["args"] == Json({"/bin/app", "-v"}));
  spec.argv = {"/bin/other"};
  CHECK(make()["process"]["args"] == Json({"/bin/other"}));
}

TEST(OciConfig, no_program_at_all_is_an_error) {
  image.entrypoint.clear();
  image.command.clear();
  record.spec = std::make_shared<const node::api::RunSpec>(spec);
  CHECK_ERROR(base::Code::invalid_argument, "argv_missing",
              make_oci_config({record, image, user, "/s", {}}));
}

TEST(OciConfig, the_applications_environment_wins_over_ours_and_the_images) {
  spec.environment = {{"A", "app"}, {"PORT0", "1"}};
  const Json environment = make()["process"]["env"];
  CHECK(has(environment, "A=app"));
  CHECK_FALSE(has(environment, "A=image"));
  CHECK(has(environment, "PATH=/bin"));
  CHECK(has(environment, "PORT0=1"));
  for (const char* line :
       {"PORT=3001", "PORTS=3001", "PORT_HTTP=3001", "PORT_80=3001", "HOST=10.0.0.2",
        "MESOS_TASK_ID=demo_web.instance-1._app.1", "MESOS_SANDBOX=/mnt/mesos/sandbox",
        "MARATHON_APP_ID=/demo/web", "MARATHON_APP_VERSION=v1"}) {
    CHECK_TEXT(has(environment, line), line);
  }
}

TEST(OciConfig, a_container_has_namespaces_and_ids_of_its_own_but_the_nodes_network) {
  const Json linux_part = make()["linux"];
  std::set<std::string> types;
  for (const Json& each : linux_part["namespaces"]) types.insert(each["type"]);
  CHECK(types == (std::set<std::string>{"pid", "ipc", "uts", "mount", "cgroup", "user"}));
  CHECK(linux_part["uidMappings"][0]["hostID"] == node::agent::kUidFirst);
  CHECK(linux_part["gidMappings"][0]["size"] == node::agent::kUidsPerInstance);
}

TEST(OciConfig, nothing_can_raise_its_privileges) {
  const Json config = make();
  CHECK(config["process"]["noNewPrivileges"] == true);
  for (const char* bad : {"CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE",
                          "CAP_MKNOD", "CAP_NET_RAW"}) {
    CHECK_FALSE(has(config["process"]["capabilities"]["bounding"], bad));
  }
  const Json seccomp = config["linux"]["seccomp"];
  CHECK(seccomp["defaultAction"] == "SCMP_ACT_ERRNO");
  for (const char* bad : {"mount", "unshare", "setns", "bpf", "keyctl", "kexec_load", "init_module",
                          "open_by_handle_at", "clone3", "pivot_root"}) {
    CHECK_FALSE(has(seccomp["syscalls"][0]["names"], bad));
  }
  CHECK(has(config["linux"]["maskedPaths"], "/proc/kcore"));
  CHECK(has(config["linux"]["readonlyPaths"], "/proc/sys"));
}

TEST(OciConfig, only_root_gets_capabilities_to_use) {
  user.uid = 1000;
  const Json capabilities = make()["process"]["capabilities"];
  CHECK_FALSE(capabilities.contains("effective"));
}

TEST(OciConfig, volumes_are_mapped_and_relative_ones_lie_in_the_sandbox) {
  spec.volumes = {{"/data", "/srv/x", "", 0, true}, {"state", "", "vol-1", 0, false}};
  places = {{"/srv/x", "", ""}, {"/vol/vol-1", "", ""}};
  const Json config = make();
  const Json data = find_mount(config, "/data");
  STRCMP_EQUAL("/srv/x", data["source"].get<std::string>().c_str());
  CHECK(has(data["options"], "ro"));
  CHECK(has(data["options"], "idmap"));
  const Json state = find_mount(config, "/mnt/mesos/sandbox/state");
  STRCMP_EQUAL("/vol/vol-1", state["source"].get<std::string>().c_str());
  CHECK(has(state["options"], "rw"));
}

TEST(OciConfig, a_mounted_volume_has_its_user_numbers_mapped_by_the_mount) {
  spec.volumes = {{"/data", "", "vol-1", 0, false}};
  places = {{"/run/gestalt/volumes/m", "gsv-0-a-1.service", "vol-1"}};
  const Json data = find_mount(make(), "/data");
  STRCMP_EQUAL("/run/gestalt/volumes/m", data["source"].get<std::string>().c_str());
  CHECK_FALSE(has(data["options"], "idmap"));
}

TEST(OciConfig, without_a_user_namespace_nothing_is_mapped) {
  record.uid_first = 0;
  const Json config = make();
  CHECK_FALSE(config["linux"].contains("uidMappings"));
  CHECK_FALSE(has(find_mount(config, "/mnt/mesos/sandbox")["options"], "idmap"));
}

TEST(OciConfig, an_init_is_bound_in_and_starts_the_program) {
  CHECK(find_mount(make(), node::agent::kContainerInit).is_null());
  spec.init = true;
  const Json config = make();
  CHECK(config["process"]["args"] == Json({"/dev/gestalt-init", "init", "--", "/bin/app", "-v"}));
  const Json mount = find_mount(config, node::agent::kContainerInit);
  CHECK(mount["source"] == "/usr/libexec/gestalt/gestalt-oci-start");
  CHECK(has(mount["options"], "ro"));
}

TEST(OciConfig, a_read_only_root_is_asked_for) {
  CHECK(make()["root"]["readonly"] == false);
  spec.read_only_root = true;
  CHECK(make()["root"]["readonly"] == true);
}
