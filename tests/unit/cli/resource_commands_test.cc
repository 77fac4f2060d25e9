// SPDX-License-Identifier: Apache-2.0
// Commands on resources, from the command line to the bytes on a real HTTP server and back.
#include "cli/resource_commands.h"

#include <cstdlib>
#include <fstream>

#include "cli/places.h"
#include "tests/support/check_result.h"
#include "tests/unit/cli/command_rig.h"
#include "tests/unit/cli/fake_daemon.h"

namespace {

constexpr const char* kEnvironment =
    R"({"id":"e","name":"test","resource_type":"Gestalt::Resource::Environment",
        "org":{"properties":{"fqon":"acme"}}})";
constexpr const char* kWebs =
    R"([{"id":"w","name":"web","resource_type":"Gestalt::Resource::Container",
         "org":{"properties":{"fqon":"acme"}},"properties":{"num_instances":1,"image":"nginx"}}])";
constexpr const char* kManifest =
    "kind: containers\nname: web\nproperties:\n  num_instances: 2\n  image: nginx\n";

}  // namespace

TEST_GROUP_BASE(ResourceCommands, CommandRig) {
  FakeDaemon services{folder / "services.sock"};

  void setup() override {
    ::setenv("XDG_CONFIG_HOME", folder.path().c_str(), 1);
    ::setenv("HOME", folder.path().c_str(), 1);
    services.answer("GET /meta/path/acme/shop/test", kEnvironment);
    std::ofstream(folder / "web.yaml") << kManifest;
  }
  std::string last_asked() const {
    const auto asked = services.asked();
    return asked.empty() ? "" : asked.back();
  }
  std::string manifest() const { return (folder / "web.yaml").string(); }
};

TEST(ResourceCommands, apply_makes_what_is_not_there) {
  services.answer("GET /meta/acme/environments/e/containers", "[]");
  services.answer("POST /meta/acme/environments/e/containers",
                  R"({"name":"web","resource_type":"Gestalt::Resource::Container"})", 201);
  LONGS_EQUAL(0, run({"apply", "-f", manifest(), "--context", "/acme/shop/test"}));
  STRCMP_CONTAINS("Container 'web' created", out.str().c_str());
  STRCMP_CONTAINS("1 created, 0 changed, 0 unchanged", out.str().c_str());
  STRCMP_CONTAINS(R"("num_instances":2)", last_asked().c_str());
}

TEST(ResourceCommands, references_are_looked_for_upwards) {
  services.answer("GET /meta/path/acme/shop",
                  R"({"id":"s","resource_type":"Gestalt::Resource::Workspace",
      "org":{"properties":{"fqon":"acme"}}})");
  services.answer("GET /meta/path/acme",
                  R"({"id":"a","resource_type":"Gestalt::Resource::Organization",
      "org":{"properties":{"fqon":"acme"}}})");
  services.answer("GET /meta/acme/environments/e/providers", "[]");
  services.answer("GET /meta/acme/workspaces/s/providers", "[]");
  services.answer("GET /meta/acme/providers",
                  R"([{"id":"p","name":"caas","properties":{"config":{"url":"http://c"}}}])");
  services.answer("GET /meta/acme/environments/e/containers", "[]");
  services.answer("POST /meta/acme/environments/e/containers", R"({"name":"web"})", 201);
  std::ofstream(folder / "web.yaml")
      << "kind: containers\nname: web\nproperties:\n"
         "  provider:\n    id: '#{Provider caas}'\n"
         "  image: 'i:#{Provider /acme/caas properties.config.url}'\n"
         "  place: '#{Config context}, #{Config environment}'\n";
  LONGS_EQUAL(0, run({"apply", "-f", manifest(), "--context", "/acme/shop/test"}));
  STRCMP_CONTAINS(R"("provider":{"id":"p"})", last_asked().c_str());
  STRCMP_CONTAINS(R"("image":"i:http://c")", last_asked().c_str());
  STRCMP_CONTAINS(R"("place":"/acme/shop/test, e")", last_asked().c_str());
  std::ofstream(folder / "web.yaml") << "kind: containers\nname: web\nproperties:\n"
                                        "  image: '#{Config nothing}'\n";
  CHECK(run({"apply", "-f", manifest(), "--context", "/acme/shop/test"}) != 0);
  STRCMP_CONTAINS("#{Config nothing}: there is no such setting", err.str().c_str());
}

TEST(ResourceCommands, apply_patches_what_differs_and_leaves_the_rest) {
  services.answer("GET /meta/acme/environments/e/containers", kWebs);
  services.answer("PATCH /meta/acme/containers/w", kWebs);
  LONGS_EQUAL(0, run({"apply", "-f", manifest(), "--context", "/acme/shop/test"}));
  STRCMP_CONTAINS("~ /properties/num_instances: 1 -> 2", out.str().c_str());
  STRCMP_EQUAL(
      R"(PATCH /meta/acme/containers/w [{"op":"add","path":"/properties/num_instances","value":2}])",
      last_asked().c_str());
}

TEST(ResourceCommands, a_second_apply_changes_nothing) {
  std::ofstream(folder / "web.yaml") << "kind: containers\nname: web\nproperties: {image: nginx}\n";
  services.answer("GET /meta/acme/environments/e/containers", kWebs);
  LONGS_EQUAL(0, run({"apply", "-f", manifest(), "--context", "/acme/shop/test"}));
  STRCMP_CONTAINS("0 created, 0 changed, 1 unchanged", out.str().c_str());
  CHECK(last_asked().starts_with("GET "));
}

TEST(ResourceCommands, diff_says_what_apply_would_change) {
  services.answer("GET /meta/acme/environments/e/containers", kWebs);
  LONGS_EQUAL(1, run({"diff", "-f", manifest(), "--context", "/acme/shop/test"}));
  STRCMP_CONTAINS("~ containers 'web'", out.str().c_str());
  CHECK(last_asked().starts_with("GET "));
}

TEST(ResourceCommands, a_kept_place_is_used) {
  CHECK(run({"get", "containers"}) != 0);
  STRCMP_CONTAINS("--context", err.str().c_str());
  LONGS_EQUAL(0, run({"context", "/acme/shop/test"}));
  services.answer("GET /meta/acme/environments/e/containers", kWebs);
  LONGS_EQUAL(0, run({"get", "containers"}));
  STRCMP_CONTAINS("web", out.str().c_str());
  LONGS_EQUAL(0, run({"context", "-"}));
  LONGS_EQUAL(3, run({"context"}));
  CHECK(run({"context", "acme"}) != 0);
}

TEST(ResourceCommands, tiers_are_made_below_their_own_place) {
  services.answer("GET /meta/path/acme/shop",
                  R"({"id":"s","resource_type":"Gestalt::Resource::Workspace",
                      "org":{"properties":{"fqon":"acme"}}})");
  services.answer("POST /meta/acme/workspaces/s/environments",
                  R"({"name":"qa","resource_type":"Gestalt::Resource::Environment"})", 201);
  LONGS_EQUAL(0, run({"environment", "create", "/acme/shop/qa", "--type", "test"}));
  STRCMP_CONTAINS(R"("environment_type":"test")", last_asked().c_str());
  services.answer("GET /meta/path/root",
                  R"({"id":"r","resource_type":"Gestalt::Resource::Organization",
                      "org":{"properties":{"fqon":"root"}}})");
  services.answer("POST /meta/root",
                  R"({"name":"new","resource_type":"Gestalt::Resource::Organization"})", 201);
  LONGS_EQUAL(0, run({"org", "create", "/new"}));
  STRCMP_CONTAINS(R"("name":"new")", last_asked().c_str());
}

TEST(ResourceCommands, a_denial_is_told_in_its_own_words) {
  services.answer("GET /meta/acme/environments/e/containers", "[]");
  services.answer("POST /meta/acme/environments/e/containers",
                  R"({"code":409,"message":"containers.count <= 2"})", 409);
  LONGS_EQUAL(6, run({"apply", "-f", manifest(), "--context", "/acme/shop/test"}));
  STRCMP_CONTAINS("containers.count <= 2", err.str().c_str());
}

TEST(ResourceCommands, places_are_split_at_their_last_step) {
  const auto split = [](const char* place) {
    const auto both = UNWRAP(cli::split_place(place));
    return both.parent + " " + both.name;
  };
  STRCMP_EQUAL("/acme/shop test", split("/acme/shop/test").c_str());
  STRCMP_EQUAL("/acme shop", split("/acme/shop").c_str());
  STRCMP_EQUAL("/acme eng", split("/acme.eng").c_str());
  STRCMP_EQUAL("/root acme", split("/acme").c_str());
  CHECK_FALSE(cli::split_place("acme").has_value());
  CHECK_FALSE(cli::split_place("/a/b/c/d").has_value());
}
