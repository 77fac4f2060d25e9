// SPDX-License-Identifier: Apache-2.0
#include "node/master/group_history.h"

#include "tests/unit/node/master/fake_cluster.h"

using namespace node::master;  // NOLINT: a test of this one namespace
using base::Code;
using base::Json;

namespace {

AppPtr definition(const std::string& id, const std::string& cmd, const std::string& version) {
  App app = app_of(R"({"id":")" + id + R"(","cmd":")" + cmd + R"("})");
  app.version = version;
  return std::make_shared<const App>(std::move(app));
}

}  // namespace

TEST_GROUP(GroupHistory) { GroupHistory history; };

TEST(GroupHistory, later_changes_are_undone_newest_first) {
  const AppPtr first = definition("/a", "1", "v1");
  const AppPtr second = definition("/a", "2", "v2");
  history.add({"v1", {{"/a", nullptr}}, {{"/g", std::nullopt}}});
  history.add({"v2", {{"/a", first}}, {{"/g", GroupInfo{{"/x"}, "v1"}}}});
  history.add({"v3", {{"/a", second}}, {}});
  const GroupContent now{{{"/b", definition("/b", "b", "v0")}}, {}};
  CHECK(history.at("v3", now).apps.count("/a") == 0);
  CHECK(history.at("v2", now).apps.at("/a") == second);
  CHECK(!history.at("v2", now).groups.contains("/g"));
  CHECK(history.at("v1", now).apps.at("/a") == first);
  CHECK(history.at("v1", now).groups.at("/g").dependencies[0] == "/x");
  CHECK(history.at("v1", now).apps.contains("/b"));
}

TEST(GroupHistory, the_oldest_records_go) {
  for (std::size_t i = 0; i < kGroupVersionsMax; ++i)
    CHECK(history.add({"v" + std::to_string(100 + i), {}, {}}).empty());
  const auto gone = history.add({"v999", {}, {}});
  LONGS_EQUAL(1, gone.size());
  CHECK(gone[0].version == "v100");
  CHECK(history.find("v100") == nullptr && history.find("v101") != nullptr);
}

TEST(GroupHistory, definitions_are_bounded_too) {
  GroupVersion big{"v1", {}, {}};
  for (int i = 0; i < 12'000; ++i) big.apps["/a" + std::to_string(i)] = nullptr;
  CHECK(history.add(big).empty());
  big.version = "v2";
  LONGS_EQUAL(1, history.add(big).size());
}

TEST(GroupHistory, a_record_is_kept_in_parts_and_read_back) {
  GroupVersion record{
      "v1", {{"/new", nullptr}}, {{"/g", std::nullopt}, {"/h", GroupInfo{{"/x"}, "v0"}}}};
  for (int i = 0; i < 5; ++i) {
    const std::string id = "/a" + std::to_string(i);
    record.apps[id] = definition(id, "x", "v0");
  }
  const auto parts = to_parts(record, 2000);
  CHECK(parts.size() > 1);
  GroupVersion back{"v1", {}, {}};
  for (const std::string& part : parts) CHECK_OK(read_part(UNWRAP(base::parse_json(part)), back));
  CHECK(back.groups == record.groups);
  LONGS_EQUAL(record.apps.size(), back.apps.size());
  CHECK(back.apps.at("/new") == nullptr);
  CHECK(*back.apps.at("/a3")->document == *record.apps.at("/a3")->document);
  CHECK(back.apps.at("/a3")->version == "v0");
}

TEST(GroupHistory, a_damaged_part_is_an_error) {
  GroupVersion into{"v1", {}, {}};
  for (const char* text : {R"({"apps":[]})", R"({"apps":{"/a":1}})", R"({"groups":{"/a":[]}})",
                           R"({"apps":{"/a":{"document":{}}}})", "[]"})
    CHECK(!read_part(UNWRAP(base::parse_json(text)), into).has_value());
}
