// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/directory_suite.h"

#include <set>

#include "common/base/text.h"

namespace contract {

using rest::Method;

namespace {

std::string log_in(DirectoryUse& use, const std::string& name, const std::string& password) {
  return use.rig.login("acme", base::percent_encode(name), base::percent_encode(password));
}

// Who a token's owner is to the organisation.
base::Json who(DirectoryUse& use, const std::string& token) {
  const auto answer = use.rig.call(Method::post, "/acme/auth", "", bearer(token));
  use.rig.must(answer, 200);
  return answer.json;
}

std::set<std::string> names(const base::Json& list) {
  std::set<std::string> out;
  for (const base::Json& each : list) {
    out.insert(each[each.contains("username") ? "username" : "name"].get<std::string>());
  }
  return out;
}

std::set<std::string> search(DirectoryUse& use, const std::string& query) {
  const auto answer = use.rig.as("admin", Method::get, "/acme/accounts?" + query);
  use.rig.must(answer, 200);
  return names(answer.json);
}

using Set = std::set<std::string>;

}  // namespace

void a_name_and_its_password_log_in(DirectoryUse& use) {
  use.engine.open(use.rig);
  const base::Json ann = who(use, log_in(use, "ann", "ann-secret"))["account"];
  CHECK_TRUE(ann["username"] == "ann" && ann["firstName"] == "Ann" && ann["lastName"] == "Archer");
  CHECK_TRUE(ann["email"] == "ann@acme.example" && ann["phoneNumber"] == "+15058675309");
  CHECK_FALSE(log_in(use, "zoe", "zoe-secret").empty());
  CHECK_FALSE(log_in(use, "we(i)rd", "weird-secret").empty());
}

void other_passwords_and_names_do_not(DirectoryUse& use) {
  use.engine.open(use.rig);
  for (const auto& [name, password] :
       std::map<std::string, std::string>{{"ann", "ben-secret"},
                                          {"*", "ann-secret"},
                                          {"a*", "ann-secret"},
                                          {"ann)(uid=*", "ann-secret"},
                                          {"*)(uid=ann", "ann-secret"},
                                          {"uid=ann,ou=people,dc=acme,dc=example", "ann-secret"},
                                          {"ann\\2a", "ann-secret"},
                                          {"nobody", "ann-secret"}}) {
    STRCMP_EQUAL("", log_in(use, name, password).c_str());
  }
  STRCMP_EQUAL("", log_in(use, "ben", "").c_str());
}

void groups_are_those_of_the_directory(DirectoryUse& use) {
  use.engine.open(use.rig);
  CHECK_TRUE(names(who(use, log_in(use, "ann", "ann-secret"))["groups"]) == (Set{"eng", "ops"}));
  CHECK_TRUE(names(who(use, log_in(use, "ben", "ben-secret"))["groups"]) == Set{"eng"});
  CHECK_TRUE(names(who(use, log_in(use, "zoe", "zoe-secret"))["groups"]).empty());
}

void searches_take_wildcards_and_nothing_else(DirectoryUse& use) {
  use.engine.open(use.rig);
  CHECK_TRUE(search(use, "username=an*") == Set{"ann"});
  // The organisation's creator, admin, belongs to it as well.
  CHECK_TRUE(search(use, "username=*n") == (Set{"admin", "ann", "ben"}));
  CHECK_TRUE(search(use, "email=*@acme.example") == (Set{"ann", "ben"}));
  CHECK_TRUE(search(use, "username=we(i)*") == Set{"we(i)rd"});
  for (const char* none : {"username=*)(objectClass=*", "username=an.*", "username=(uid=ann)",
                           "email=nobody@*", "username=%5c2a"}) {
    CHECK_TRUE(search(use, none).empty());
  }
}

void a_disabled_account_does_not_log_in(DirectoryUse& use) {
  use.engine.open(use.rig);
  const std::string token = log_in(use, "ann", "ann-secret");
  const std::string id = who(use, token)["account"]["id"].get<std::string>();
  use.rig.must(use.rig.as("admin", Method::post, "/accounts/" + id + "/disable"), 200);
  use.rig.must(use.rig.call(Method::get, "/accounts/self", "", bearer(token)), 401);
  STRCMP_EQUAL("", log_in(use, "ann", "ann-secret").c_str());
  CHECK_FALSE(log_in(use, "ben", "ben-secret").empty());
}

void a_right_of_a_group_reaches_its_members_and_leaves_them(DirectoryUse& use) {
  const std::string directory = use.engine.open(use.rig);
  who(use, log_in(use, "ann", "ann-secret"));
  const auto group =
      use.rig.as("admin", Method::get, "/directories/" + directory + "/groupnames/ops");
  use.rig.must(group, 200);
  use.rig.must(use.rig.as("admin", Method::post, "/acme/groups/" + group.at("id") + "/rights",
                          R"({"grantName":"run:*"})"),
               201);
  LONGS_EQUAL(1, who(use, log_in(use, "ann", "ann-secret"))["rights"].size());
  LONGS_EQUAL(0, who(use, log_in(use, "ben", "ben-secret"))["rights"].size());
  use.engine.leave(use.rig, "ann", "ops");
  LONGS_EQUAL(0, who(use, log_in(use, "ann", "ann-secret"))["rights"].size());
}

void an_account_keeps_its_id_when_it_changes(DirectoryUse& use) {
  use.engine.open(use.rig);
  const base::Json before = who(use, log_in(use, "ann", "ann-secret"))["account"];
  use.engine.rename_ann(use.rig, "Arrow");
  const base::Json after = who(use, log_in(use, "ann", "ann-secret"))["account"];
  CHECK_TRUE(after["lastName"] == "Arrow");
  CHECK_TRUE(before["id"] == after["id"]);
}

}  // namespace contract
