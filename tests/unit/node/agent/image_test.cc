// SPDX-License-Identifier: Apache-2.0
#include "node/agent/image.h"

#include <string>

#include "tests/support/check_result.h"

using node::agent::find_manifest;
using node::agent::ImageReference;
using node::agent::parse_reference;
using node::agent::read_image_config;
using node::agent::registry_of;

namespace {

std::string entry(const std::string& digest, const std::string& tag) {
  return R"({"digest":"sha256:)" + digest +
         R"(","annotations":{"org.opencontainers.image.ref.name":")" + tag + "\"}}";
}
const std::string kA(64, 'a');
const std::string kB(64, 'b');

}  // namespace

TEST_GROUP(Image){};

TEST(Image, the_registry_of_a_name_is_what_stands_before_the_first_slash) {
  STRCMP_EQUAL("127.0.0.1:5000", registry_of("127.0.0.1:5000/a/b:1").c_str());
  STRCMP_EQUAL("localhost", registry_of("localhost/a").c_str());
  STRCMP_EQUAL("quay.io", registry_of("quay.io/a/b@sha256:00").c_str());
  STRCMP_EQUAL("docker.io", registry_of("library/busybox").c_str());
  STRCMP_EQUAL("docker.io", registry_of("busybox:1.36").c_str());
}

TEST(Image, references_are_taken_apart) {
  const struct {
    const char* text;
    ImageReference::Kind kind;
    const char* path;
    const char* tag;
  } cases[] = {
      {"docker://registry:5000/a/b:1", ImageReference::Kind::registry, "registry:5000/a/b:1", ""},
      {"oci:/srv/web:v1", ImageReference::Kind::layout, "/srv/web", "v1"},
      {"oci:/srv/web", ImageReference::Kind::layout, "/srv/web", ""},
      {"oci:/srv/a:b/web", ImageReference::Kind::layout, "/srv/a:b/web", ""},
      {"oci-archive:/srv/web.tar:v1", ImageReference::Kind::archive, "/srv/web.tar", "v1"},
  };
  for (const auto& each : cases) {
    const ImageReference found = parse_reference(each.text);
    CHECK(found.kind == each.kind);
    STRCMP_EQUAL(each.path, found.path.c_str());
    STRCMP_EQUAL(each.tag, found.tag.c_str());
  }
}

TEST(Image, the_manifest_of_a_tag_is_found) {
  const std::string index = R"({"manifests":[)" + entry(kA, "one") + "," + entry(kB, "two") + "]}";
  STRCMP_EQUAL(("sha256:" + kB).c_str(), UNWRAP(find_manifest(index, "two")).c_str());
  CHECK_ERROR(base::Code::not_found, "image_tag_unknown", find_manifest(index, "three"));
  CHECK_ERROR(base::Code::not_found, "image_tag_unknown", find_manifest(index, ""));
}

TEST(Image, the_only_manifest_needs_no_tag) {
  const std::string index = R"({"manifests":[{"digest":"sha256:)" + kA + "\"}]}";
  STRCMP_EQUAL(("sha256:" + kA).c_str(), UNWRAP(find_manifest(index, "")).c_str());
}

TEST(Image, a_damaged_index_is_corrupt_and_never_a_crash) {
  for (const std::string& bad :
       {std::string(""), std::string("[]"), std::string("{}"), std::string(R"({"manifests":1})"),
        std::string(R"({"manifests":[1]})"), std::string(R"({"manifests":[{}]})"),
        std::string(R"({"manifests":[{"digest":7}]})"),
        std::string(R"({"manifests":[{"digest":"md5:aa"}]})"),
        std::string(R"({"manifests":[{"digest":"sha256:../../etc"}]})")}) {
    CHECK_ERROR(base::Code::corrupt, "image_invalid", find_manifest(bad, ""));
  }
}

TEST(Image, a_configuration_gives_program_environment_and_user) {
  const auto config = UNWRAP(read_image_config(
      R"({"architecture":"amd64","config":{"Entrypoint":["/bin/app"],"Cmd":["-v"],"Env":["A=B"],
          "User":"app","WorkingDir":"/srv","StopSignal":"SIGQUIT","ExposedPorts":{"80/tcp":{}}}})"));
  STRCMP_EQUAL("/bin/app", config.entrypoint[0].c_str());
  STRCMP_EQUAL("-v", config.command[0].c_str());
  STRCMP_EQUAL("A=B", config.environment[0].c_str());
  STRCMP_EQUAL("app", config.user.c_str());
  STRCMP_EQUAL("/srv", config.working_folder.c_str());
  LONGS_EQUAL(3, config.stop_signal);
}

TEST(Image, a_configuration_of_wrong_types_is_corrupt) {
  for (const char* bad : {"", "[]", R"({"config":[]})", R"({"config":{"Cmd":"x"}})",
                          R"({"config":{"Env":[1]}})", R"({"config":{"User":1}})"}) {
    CHECK_ERROR(base::Code::corrupt, "image_invalid", read_image_config(bad));
  }
}
