// SPDX-License-Identifier: Apache-2.0
#include "services/meta/catalogue.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using base::Code;
using namespace services::meta;

namespace {

ResourceType type_of(std::string name, std::string extends) {
  ResourceType type;
  type.id = derived_id(name);
  type.name = std::move(name);
  type.extends = std::move(extends);
  return type;
}

bool has(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

TEST_GROUP(Catalogue) { std::shared_ptr<const Catalogue> all = *Catalogue::make({}); };

TEST(Catalogue, has_the_well_known_ids) {
  const std::pair<const char*, const char*> known[] = {
      {"Gestalt::Resource::Organization", "23ba3299-b04e-4c5c-9b3d-64939b22944e"},
      {"Gestalt::Resource::User", "58b6775d-37a5-44bc-9115-7331fc4964b7"},
      {"Gestalt::Resource::Workspace", "fa17bae4-1294-42cc-93cc-c4ead7dc0343"},
      {"Gestalt::Resource::Environment", "46b28076-9d94-4860-9aca-e8483a56d32c"},
      {"Gestalt::Resource::Node::Lambda", "e3a463fc-e51f-4166-8cec-3d9a54f7babd"},
      {"Gestalt::Resource::Policy", "c3c05a39-acb3-4a45-97a8-5696ad1b4214"},
      {"Gestalt::Resource::Rule", "51af837d-544d-4c60-be66-984a6f2f658a"},
      {"Gestalt::Resource::Api", "df4bf8b5-170f-453e-9526-c37c898d96c9"},
      {"Gestalt::Resource::DataContainer", "45bc59bf-e6b7-4537-b685-a7aa32f56ddd"},
      {"Gestalt::Resource::Job", "c8ce1302-6f66-4300-8429-2574abf28d81"},
      {"Gestalt::Resource::Volume", "24361db7-0fc0-4be5-9973-d88d5602956f"},
      {"Gestalt::Resource::Task", "57a02f53-abbe-4e85-9857-de34a9aee411"},
      {"Gestalt::Resource::UserProfile", "b9e3c356-b6d8-4561-a20a-398b5cd8d62d"},
      {"Gestalt::Resource::Spec::StreamSpec", "e9e90e0a-4f87-492e-afcc-2cd84057f226"},
      {"Gestalt::Resource::Configuration::DataFeed", "8f875ffc-69ff-48c8-9d6d-f3622b7b1062"}};
  for (const auto& [name, id] : known) {
    const ResourceType* type = all->find(name);
    CHECK(type != nullptr);
    STRCMP_EQUAL(id, type->id.c_str());
    CHECK(all->find_id(id) == type);
  }
}

TEST(Catalogue, a_type_inherits_properties_verbs_and_parents) {
  ResourceType robot = type_of("Acme::Robot", "Gestalt::Resource::Asset");
  robot.verbs = {"dance"};
  const auto more = UNWRAP(Catalogue::make({robot}));
  const ResourceType* found = more->find("Acme::Robot");
  CHECK(found->properties.contains("serial"));
  CHECK(found->properties.contains("parent"));
  CHECK(has(found->verbs, "dance"));
  CHECK(has(found->verbs, "delete"));
  CHECK(more->may_stand_under(*found, kEnvironmentType));
  CHECK(more->is_a("Acme::Robot", "Gestalt::Resource::Asset"));
}

TEST(Catalogue, a_collection_stands_for_the_most_general_type) {
  STRCMP_EQUAL("Gestalt::Configuration::Provider", all->find_rest("providers")->name.c_str());
  STRCMP_EQUAL("Gestalt::Resource::Rule", all->find_rest("rules")->name.c_str());
  CHECK(all->is_a("Gestalt::Configuration::Provider::CaaS::DCOS", kProviderType));
}

TEST(Catalogue, the_hierarchy_is_that_of_the_seed) {
  const auto under = [this](std::string_view child, std::string_view parent) {
    return all->may_stand_under(*all->find(child), parent);
  };
  CHECK(under(kOrgType, kOrgType));
  CHECK(under(kWorkspaceType, kOrgType));
  CHECK(under(kEnvironmentType, kWorkspaceType));
  CHECK(under("Gestalt::Resource::Cluster", kEnvironmentType));
  CHECK(under("Gestalt::Resource::Cluster", "Gestalt::Resource::Cluster"));
  CHECK(under("Gestalt::Resource::Node", "Gestalt::Resource::Cluster"));
  CHECK_FALSE(under(kEnvironmentType, kOrgType));
  CHECK_FALSE(under(kContainerType, kWorkspaceType));
}

TEST(Catalogue, an_environment_can_be_entitled_to_what_stands_under_it) {
  const auto actions = all->actions_on(*all->find(kEnvironmentType));
  for (const char* action : {"environment.view", "container.create", "container.scale",
                             "lambda.invoke", "provider.view", "apiendpoint.create"}) {
    CHECK_TEXT(has(actions, action), action);
  }
  CHECK_FALSE(has(actions, "workspace.create"));
  CHECK(std::is_sorted(actions.begin(), actions.end()));
}

TEST(Catalogue, refuses_circles_strangers_and_doubles) {
  CHECK_ERROR(Code::invalid_argument, "type_invalid",
              Catalogue::make({type_of("A", "B"), type_of("B", "A")}));
  CHECK_ERROR(Code::invalid_argument, "type_unknown", Catalogue::make({type_of("A", "Nothing")}));
  CHECK_ERROR(Code::already_exists, "type_exists",
              Catalogue::make({type_of("Gestalt::Resource::Api", "")}));
}
