// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "services/meta/catalogue.h"
#include "services/meta/properties.h"
#include "tests/support/check_result.h"

using namespace services::meta;

TEST_GROUP(BuiltinTypes){};

TEST(BuiltinTypes, each_has_an_id_and_a_name_of_its_own) {
  std::set<std::string> ids;
  std::set<std::string> names;
  for (const ResourceType& type : builtin_types()) {
    CHECK_TEXT(is_uuid(type.id), type.name.c_str());
    CHECK_TEXT(ids.insert(type.id).second, type.name.c_str());
    CHECK_TEXT(names.insert(type.name).second, type.name.c_str());
  }
}

TEST(BuiltinTypes, the_nouns_of_both_generations_are_there) {
  const auto all = *Catalogue::make({});
  for (const char* rest :
       {"orgs",         "workspaces",  "environments", "containers", "lambdas",        "apis",
        "apiendpoints", "providers",   "policies",     "rules",      "entitlements",   "users",
        "groups",       "volumes",     "secrets",      "jobs",       "datacontainers", "domains",
        "licenses",     "streamspecs", "datafeeds",    "tasks",      "applications",   "services",
        "blueprints",   "clusters",    "nodes",        "people",     "assets",         "events",
        "locations",    "deployments"}) {
    CHECK_TEXT(all->find_rest(rest) != nullptr, rest);
  }
}

TEST(BuiltinTypes, links_refer_to_types_that_there_are) {
  const auto all = *Catalogue::make({});
  for (const ResourceType* type : all->all()) {
    for (const auto& [name, property] : type->properties) {
      if (property.refers_to.empty()) continue;
      CHECK_TEXT(all->find(property.refers_to) != nullptr, (type->name + " " + name).c_str());
    }
    for (const std::string& parent : type->parents) {
      CHECK_TEXT(all->find(parent) != nullptr, (type->name + " under " + parent).c_str());
    }
  }
}
