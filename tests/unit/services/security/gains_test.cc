// SPDX-License-Identifier: Apache-2.0
#include "services/security/gains.h"

#include "tests/unit/services/security/rig.h"

namespace {

using rest::Method;
using security::Gain;

TEST_GROUP_BASE(Gains, SecurityRig){void note(const std::string& account, const std::string& group){
    CHECK_OK(db->write([&](store::Writer& writer) {
      return security::note_gain(writer, {account, group, {"org-" + group, "**", ""}});
    }));
}  // namespace
void touch() {
  CHECK_OK(db->write([](store::Writer& writer) { return security::touch_epoch(writer); }));
}
// The groups gained since then, or "?" when they do not say all.
std::string since(std::uint64_t before) {
  std::string text;
  const std::uint64_t now = epoch();
  CHECK_OK(db->read([&](store::Reader& reader) -> base::Result<void> {
    const auto gains = TRY(security::gains_between(reader, before, now));
    if (!gains) text = "?";
    if (gains) {
      for (const Gain& gain : *gains) text += gain.group + " ";
    }
    return {};
  }));
  return text;
}
}
;

TEST(Gains, are_told_as_long_as_nothing_else_has_changed) {
  touch();
  const std::uint64_t begin = epoch();
  STRCMP_EQUAL("?", since(begin).c_str());  // nobody has gained anything yet
  note("a", "g1");
  note("b", "g2");
  STRCMP_EQUAL("g1 g2 ", since(begin).c_str());
  STRCMP_EQUAL("g2 ", since(begin + 1).c_str());
  STRCMP_EQUAL("?", since(begin - 1).c_str());  // a touch lies between
  touch();
  STRCMP_EQUAL("?", since(begin).c_str());
  note("a", "g3");
  STRCMP_EQUAL("?", since(begin).c_str());
  STRCMP_EQUAL("g3 ", since(begin + 3).c_str());
}

TEST(Gains, too_many_are_read_anew) {
  touch();
  const std::uint64_t begin = epoch();
  for (int i = 0; i < 32; ++i) note("a", "g" + std::to_string(i));
  CHECK(since(begin) != "?");
  note("a", "g32");
  STRCMP_EQUAL("?", since(begin).c_str());
  CHECK(since(begin + 1) != "?");
}

TEST(Gains, a_caller_in_the_cache_gains_and_is_not_read_anew) {
  security::CallerCache cache(10);
  services::Caller caller;
  caller.account_id = "a";
  touch();
  const std::uint64_t begin = epoch();
  cache.put("key", begin, std::make_shared<const services::Caller>(caller), INT64_MAX);
  note("b", "g1");
  note("a", "g2");
  CHECK_OK(db->read([&](store::Reader& reader) -> base::Result<void> {
    const auto found = TRY(cache.find(reader, "key", begin + 2, 0));
    CHECK(found && (*found)->group_ids == std::vector<std::string>{"g2"});
    CHECK(found && (*found)->holds("org-g2", "**") && !(*found)->holds("org-g1", "**"));
    return {};
  }));
  touch();
  CHECK_OK(db->read([&](store::Reader& reader) -> base::Result<void> {
    CHECK(!TRY(cache.find(reader, "key", begin + 3, 0)));
    return {};
  }));
}

TEST(Gains, who_makes_an_organisation_rules_it_at_once_and_others_are_as_they_were) {
  make_cast();
  for (const char* name : {"one", "two", "three"}) {
    must(as("ada", Method::post, "/acme/orgs", "{\"name\":\"" + std::string(name) + "\"}"), 201);
    const std::string path = "/acme." + std::string(name) + "/orgs";
    must(as("ada", Method::post, path, R"({"name":"below"})"), 201);
    must(as("bob", Method::post, path, R"({"name":"other"})"), 403);
    must(as("eve", Method::post, path, R"({"name":"other"})"), 403);
  }
  must(as("ada", Method::del, "/orgs/acme.one"), 200);
  must(as("ada", Method::get, "/orgs/acme.one"), 404);
}

}  // namespace
