// SPDX-License-Identifier: Apache-2.0
#include "services/meta/resource.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using base::Code;
using base::Json;
using namespace services::meta;

namespace {
constexpr const char* kSomebody = "23ba3299-b04e-4c5c-9b3d-64939b22944e";
}  // namespace

TEST_GROUP(Resource) {
  std::shared_ptr<const Catalogue> all = *Catalogue::make({});
  Resource sample() const {
    Resource resource;
    resource.id = kSomebody;
    resource.name = "dev";
    resource.description = "where we try";
    resource.type = std::string(kEnvironmentType);
    resource.rest = "environments";
    resource.org_id = "o";
    resource.fqon = "acme.eng";
    resource.parent_id = "w";
    resource.path = "r,o,w";
    resource.owner = {"t", kSomebody, "ann", "/root/users/u"};
    resource.created = resource.modified = "2026-01-31T08:00:00.123Z";
    resource.created_by = resource.modified_by = resource.owner;
    resource.version = 7;
    resource.properties = {{"environment_type", "development"},
                           {"security_app", {{"id", kSomebody}}},
                           {"env", {{"A", "1"}}}};
    resource.tags = Json::array({"x"});
    return resource;
  }
};

TEST(Resource, has_the_shape_that_clients_of_the_original_read) {
  const Resource resource = sample();
  const Json shown = render(resource, *all->find(resource.type), Masking::masked);
  STRCMP_EQUAL("/acme.eng", shown["org"]["href"].get<std::string>().c_str());
  STRCMP_EQUAL("acme.eng", shown["org"]["properties"]["fqon"].get<std::string>().c_str());
  STRCMP_EQUAL("ann", shown["owner"]["name"].get<std::string>().c_str());
  STRCMP_EQUAL("Gestalt::Resource::Environment", shown["resource_type"].get<std::string>().c_str());
  STRCMP_EQUAL("Gestalt::Resource::State::Active",
               shown["resource_state"].get<std::string>().c_str());
  STRCMP_EQUAL("2026-01-31T08:00:00.123Z",
               shown["created"]["timestamp"].get<std::string>().c_str());
  CHECK_FALSE(shown.contains("variables"));
}

TEST(Resource, what_is_stored_is_read_as_it_was) {
  const Resource resource = sample();
  const ResourceType& type = *all->find(resource.type);
  const std::string stored = store_form(resource, type);
  const Resource again = UNWRAP(read_stored(resource.id, stored));
  CHECK(render(again, type, Masking::whole) == render(resource, type, Masking::whole));
  STRCMP_EQUAL(stored.c_str(), store_form(again, type).c_str());
}

TEST(Resource, the_header_tells_the_indexes_what_they_need) {
  const Resource resource = sample();
  const std::string stored = store_form(resource, *all->find(resource.type));
  const Header header = UNWRAP(read_header(stored));
  CHECK_EQUAL(7u, header.version);
  STRCMP_EQUAL("dev", std::string(header.name).c_str());
  CHECK_EQUAL(3u, header.ancestors().size());
  STRCMP_EQUAL((std::string("security_app=") + kSomebody).c_str(),
               std::string(header.links).c_str());
  CHECK(header.flags.empty());
}

TEST(Resource, a_secret_is_marked_so_that_no_copy_shows_it) {
  Resource resource = sample();
  resource.type = "Gestalt::Resource::Secret";
  resource.properties = {{"items", "s"}};
  const std::string stored = store_form(resource, *all->find(resource.type));
  STRCMP_EQUAL("m", std::string(UNWRAP(read_header(stored)).flags).c_str());
}

TEST(Resource, a_damaged_record_is_an_error) {
  for (const char* stored :
       {"", "no line", "1\n{}", "x\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f\n{}",
        "1\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f\n{"}) {
    CHECK_ERROR(Code::corrupt, "resource_corrupt", read_stored(kSomebody, stored));
  }
}

TEST(Resource, input_takes_what_meta_itself_shows) {
  const Resource resource = sample();
  const Json shown = render(resource, *all->find(resource.type), Masking::masked);
  const Input input = UNWRAP(read_input(shown));
  STRCMP_EQUAL("dev", input.name.c_str());
}

TEST(Resource, wrong_input_is_refused) {
  CHECK_ERROR(Code::invalid_argument, "field_missing", read_input(Json::object()));
  CHECK_ERROR(Code::invalid_argument, "field_unknown", read_input({{"name", "a"}, {"colour", 1}}));
  CHECK_ERROR(Code::invalid_argument, "resource_invalid", read_input({{"name", "a"}, {"id", "1"}}));
  CHECK_ERROR(Code::invalid_argument, "state_unknown",
              read_input({{"name", "a"}, {"resource_state", "Tired"}}));
}

TEST(Resource, names_of_organisations_are_parts_of_an_address) {
  for (const char* name : {"acme", "a-b-c", "7up"}) CHECK_OK(check_name(kOrgType, name));
  for (const char* name : {"", "Acme", "a.b", "-a", "a-", "a--b", "a b", "a/b"}) {
    CHECK_ERROR(Code::invalid_argument, "name_invalid", check_name(kOrgType, name));
  }
  CHECK_OK(check_name(kWorkspaceType, "My workspace (1)"));
  CHECK_ERROR(Code::invalid_argument, "name_invalid", check_name(kWorkspaceType, "a/b"));
}
