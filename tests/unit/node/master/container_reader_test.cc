// SPDX-License-Identifier: Apache-2.0
#include "node/master/container_reader.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using namespace node::master;  // NOLINT: a test of this one namespace
using base::Json;

TEST_GROUP(ContainerReader) {
  Problems problems;
  ContainerParts read(const char* container) {
    return read_container(Json::parse(container), "/container", problems);
  }
};

TEST(ContainerReader, an_image_with_volumes_is_completed) {
  const ContainerParts parts = read(R"({"docker":{"image":"web:1","network":"BRIDGE"},
      "portMappings":[{"containerPort":80}],
      "volumes":[{"containerPath":"d","persistent":{"size":10}},{"containerPath":"/e","hostPath":"/h","mode":"RO"}]})");
  CHECK(problems.empty());
  CHECK(parts.wants_bridge && parts.has_persistent_volumes);
  STRCMP_EQUAL("/container/portMappings", parts.mappings_pointer.c_str());
  LONGS_EQUAL(80, (*parts.mappings)[0]["containerPort"].get<int>());
  CHECK(parts.document["type"] == "DOCKER");
  CHECK(parts.document["docker"]["forcePullImage"] == false);
  CHECK(parts.document["volumes"][1]["mode"] == "RO");
}

TEST(ContainerReader, a_volume_that_several_instances_share_binds_none_of_them_to_its_place) {
  const ContainerParts parts = read(
      R"({"docker":{"image":"a"},"volumes":[{"containerPath":"/d","external":{"name":"common","size":5}}]})");
  CHECK(problems.empty());
  CHECK_FALSE(parts.has_persistent_volumes);
  CHECK(parts.document["volumes"][0]["external"]["provider"] == "gestalt");
  CHECK(parts.document["volumes"][0]["external"]["size"] == 5);
}

TEST(ContainerReader, what_is_wrong_is_told_with_its_place) {
  const struct {
    const char* container;
    const char* path;
  } kCases[] = {
      {R"({"type":"DOCKER"})", "/container/docker"},
      {R"({"type":"LXC"})", "/container/type"},
      {R"({"docker":{}})", "/container/docker/image"},
      {R"({"docker":{"image":"a b"}})", "/container/docker/image"},
      {R"({"docker":{"image":"a","privileged":true}})", "/container/docker/privileged"},
      {R"({"docker":{"image":"a","network":"USER"}})", "/container/docker/network"},
      {R"({"docker":{"image":"a","parameters":[{"key":"cap-add","value":"SYS_ADMIN"}]}})",
       "/container/docker/parameters/0/key"},
      {R"({"docker":{"image":"a","parameters":[{"key":"init","value":"yes"}]}})",
       "/container/docker/parameters/0/value"},
      {R"({"docker":{"image":"a","parameters":[{"key":"pids-limit","value":"0"}]}})",
       "/container/docker/parameters/0/value"},
      {R"({"volumes":[{"containerPath":"/a","hostPath":"h"}]})", "/container/volumes/0/hostPath"},
      {R"({"volumes":[{"containerPath":"/a/../b","hostPath":"/h"}]})",
       "/container/volumes/0/containerPath"},
      {R"({"volumes":[{"containerPath":"/a","external":{}}]})",
       "/container/volumes/0/external/name"},
      {R"({"volumes":[{"containerPath":"/a","external":{"name":"../x"}}]})",
       "/container/volumes/0/external/name"},
      {R"({"volumes":[{"containerPath":"/a","external":{"name":"x","provider":"dvdi"}}]})",
       "/container/volumes/0/external/provider"},
      {R"({"volumes":[{"containerPath":"/a","hostPath":"/h","external":{"name":"x"}}]})",
       "/container/volumes/0/external"},
      {R"({"volumes":[{"containerPath":"/a","persistent":{"size":0}}]})",
       "/container/volumes/0/persistent/size"},
      {R"({"foo":1})", "/container/foo"},
  };
  for (const auto& each : kCases) {
    problems = {};
    read(each.container);
    if (problems.empty()) FAIL(each.container);
    STRCMP_EQUAL(each.path, problems.list()[0].path.c_str());
  }
}
