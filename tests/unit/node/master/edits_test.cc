// SPDX-License-Identifier: Apache-2.0
#include "node/master/edits.h"

#include "node/master/dependencies.h"
#include "node/master/views.h"
#include "tests/unit/node/master/fake_cluster.h"

using namespace node::master;  // NOLINT: a test of this one namespace
using base::Code;
using base::Json;

TEST_GROUP(Edits) {
  FakeCluster cluster;
  Problems problems;

  std::optional<Change> group(const char* id, const char* body) {
    return UNWRAP(edit_group(cluster.scheduler, id, Json::parse(body), Create::yes, problems));
  }
  void apply(std::optional<Change> change) {
    if (!change) FAIL(problems.text().c_str());
    check_whole(cluster.scheduler, *change, problems);
    if (!problems.empty()) FAIL(problems.text().c_str());
    cluster.scheduler.deploy(std::move(*change));
    cluster.run();
  }
  void setup() override { cluster.add_node("n1"); }
};

TEST(Edits, a_partial_update_keeps_what_it_does_not_name) {
  cluster.put(R"({"id":"/a","cmd":"x","cpus":0.5,"labels":{"k":"v"}})");
  const auto partial = UNWRAP(edit_app(cluster.scheduler, "/a", Json::parse(R"({"instances":4})"),
                                       Partial::yes, Create::no, "", problems));
  CHECK(partial.has_value());
  LONGS_EQUAL(4, partial->instances);
  CHECK((*partial->document)["labels"]["k"] == "v");
  const auto whole = UNWRAP(edit_app(cluster.scheduler, "/a", Json::parse(R"({"cmd":"y"})"),
                                     Partial::no, Create::no, "", problems));
  CHECK((*whole->document)["labels"].empty());
  CHECK(whole->cpus == 1);
}

TEST(Edits, args_replace_cmd_and_null_takes_a_field_away) {
  cluster.put(R"({"id":"/a","cmd":"x","user":"bob"})");
  const auto app =
      UNWRAP(edit_app(cluster.scheduler, "/a", Json::parse(R"({"args":["y"],"user":null})"),
                      Partial::yes, Create::no, "", problems));
  CHECK(app.has_value());
  CHECK(!app->document->contains("cmd") && !app->document->contains("user"));
}

TEST(Edits, a_version_alone_brings_back_its_definition) {
  cluster.put(R"({"id":"/a","cmd":"x"})");
  const std::string version = cluster.scheduler.find_app("/a")->current->version;
  cluster.put(R"({"id":"/a","cmd":"y"})");
  const auto app = UNWRAP(edit_app(cluster.scheduler, "/a", {{"version", version}}, Partial::yes,
                                   Create::no, "", problems));
  CHECK((*app->document)["cmd"] == "x");
  CHECK_ERROR(Code::not_found, "version_unknown",
              edit_app(cluster.scheduler, "/a", {{"version", "2000"}}, Partial::yes, Create::no, "",
                       problems));
  CHECK_ERROR(
      Code::not_found, "app_unknown",
      edit_app(cluster.scheduler, "/b", Json::object(), Partial::yes, Create::no, "", problems));
}

TEST(Edits, a_group_brings_and_removes_what_it_lists) {
  apply(group("/shop", R"({"apps":[{"id":"web","cmd":"x"},{"id":"db","cmd":"x"}],
                            "groups":[{"id":"jobs","apps":[{"id":"mail","cmd":"x"}]}]})"));
  LONGS_EQUAL(3, cluster.scheduler.apps().size());
  CHECK(cluster.scheduler.find_app("/shop/jobs/mail") != nullptr);
  // Groups are not mentioned, so they stay; the list of apps is whole, so /shop/db goes.
  apply(group("/shop", R"({"apps":[{"id":"web","cmd":"x"}]})"));
  CHECK(cluster.scheduler.find_app("/shop/db") == nullptr);
  CHECK(cluster.scheduler.find_app("/shop/jobs/mail") != nullptr);
  apply(group("/shop", R"({"groups":[]})"));
  CHECK(cluster.scheduler.find_app("/shop/jobs/mail") == nullptr);
  apply(remove_group(cluster.scheduler, "/shop"));
  CHECK(cluster.scheduler.apps().empty());
  CHECK(!has_group(cluster.scheduler, "/shop"));
}

TEST(Edits, a_group_scales_and_goes_back_to_a_version) {
  apply(group("/shop", R"({"apps":[{"id":"web","cmd":"x","instances":3}]})"));
  const std::string version = cluster.scheduler.history().versions().back().version;
  apply(group("/shop", R"({"scaleBy":1.5})"));
  LONGS_EQUAL(5, cluster.healthy("/shop/web"));
  apply(group("/shop", ("{\"version\":\"" + version + "\"}").c_str()));
  LONGS_EQUAL(3, cluster.healthy("/shop/web"));
}

TEST(Edits, a_group_goes_back_to_what_has_been_removed_since) {
  apply(group("/shop", R"({"dependencies":["/db"],"apps":[{"id":"web","cmd":"x","instances":2}],
      "groups":[{"id":"jobs","apps":[{"id":"mail","cmd":"m"}]},{"id":"empty"}]})"));
  const std::string version = cluster.scheduler.history().versions().back().version;
  const GroupContent before = cluster.scheduler.content_at(version);
  apply(group("/shop", R"({"dependencies":[],"apps":[{"id":"new","cmd":"x"}],"groups":[]})"));
  CHECK(cluster.scheduler.apps().size() == 1);
  apply(group("/shop", ("{\"version\":\"" + version + "\"}").c_str()));
  LONGS_EQUAL(2, cluster.healthy("/shop/web"));
  LONGS_EQUAL(1, cluster.healthy("/shop/jobs/mail"));
  CHECK(cluster.scheduler.find_app("/shop/new") == nullptr);
  CHECK(cluster.scheduler.groups().contains("/shop/empty"));
  for (const auto& [id, app] : before.apps)
    CHECK(*app->document == *cluster.scheduler.find_app(id)->current->document);
  for (const auto& [id, info] : before.groups)
    CHECK(info.dependencies == cluster.scheduler.groups().at(id).dependencies);
  CHECK_ERROR(
      Code::not_found, "version_unknown",
      edit_group(cluster.scheduler, "/other", {{"version", version}}, Create::yes, problems));
}

TEST(Edits, wrong_groups_name_the_place) {
  const struct {
    const char* body;
    const char* path;
  } kCases[] = {
      {R"({"apps":[{"id":"web"}]})", "/apps/0"},
      {R"({"apps":[{"id":"/other/web","cmd":"x"}]})", "/apps/0/id"},
      {R"({"apps":[{"id":"w","cmd":"x"},{"id":"w","cmd":"x"}]})", "/apps/1/id"},
      {R"({"groups":[{"id":"/other"}]})", "/groups/0/id"},
      {R"({"groups":[{"id":"in","apps":[{"id":"a","cpus":-1,"cmd":"x"}]}]})",
       "/groups/0/apps/0/cpus"},
      {R"({"pods":[{}]})", "/pods"},
      {R"({"scaleBy":"2"})", "/scaleBy"},
      {R"({"what":1})", "/what"},
  };
  for (const auto& c : kCases) {
    problems = {};
    CHECK(!group("/shop", c.body));
    if (problems.text().find(c.path) == std::string::npos) FAIL(problems.text().c_str());
  }
}

TEST(Edits, circles_and_doubled_names_are_refused) {
  auto change = group("/s", R"({"apps":[{"id":"a","cmd":"x","dependencies":["/s/b"]},
                                         {"id":"b","cmd":"x","dependencies":["/s/a"]}]})");
  check_whole(cluster.scheduler, *change, problems);
  CHECK(problems.text().find("cyclic") != std::string::npos);
  problems = {};
  apply(group("/s", R"({"apps":[{"id":"a","cmd":"x"}]})"));
  Change both;
  both.put.push_back(app_of(R"({"id":"/s","cmd":"x"})"));
  check_whole(cluster.scheduler, both, problems);
  CHECK(problems.text().find("both") != std::string::npos);
  problems = {};
  Change inside;
  inside.put.push_back(app_of(R"({"id":"/s/a/b","cmd":"x"})"));
  check_whole(cluster.scheduler, inside, problems);
  CHECK(problems.text().find("both") != std::string::npos);
}

TEST(Edits, groups_start_in_the_order_of_their_dependencies) {
  auto change =
      group("/s", R"({"groups":[{"id":"web","dependencies":["/s/db"],"apps":[{"id":"a","cmd":"x"}]},
                                          {"id":"db","apps":[{"id":"b","cmd":"x"}]}]})");
  CHECK(change.has_value());
  cluster.scheduler.deploy(std::move(*change));
  LONGS_EQUAL(1, cluster.instances_of("/s/db/b").size());
  LONGS_EQUAL(0, cluster.instances_of("/s/web/a").size());
  cluster.run();
  LONGS_EQUAL(1, cluster.healthy("/s/web/a"));
}

TEST(Edits, layers_count_the_longest_way) {
  const Needs needs = {{"a", {}}, {"b", {"a"}}, {"c", {"a", "b"}}, {"d", {"c", "a"}}};
  const auto layers = make_layers(needs);
  LONGS_EQUAL(0, layers.at("a"));
  LONGS_EQUAL(3, layers.at("d"));
  CHECK(!has_cycle(needs));
  CHECK(has_cycle({{"a", {"b"}}, {"b", {"a"}}, {"c", {}}}));
}
