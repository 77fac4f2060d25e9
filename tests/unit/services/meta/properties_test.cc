// SPDX-License-Identifier: Apache-2.0
#include "services/meta/properties.h"

#include <nlohmann/json.hpp>

#include "services/meta/catalogue.h"
#include "tests/support/check_result.h"

using base::Code;
using base::Json;
using namespace services::meta;

namespace {
constexpr const char* kId = "23ba3299-b04e-4c5c-9b3d-64939b22944e";
constexpr const char* kOther = "58b6775d-37a5-44bc-9115-7331fc4964b7";
}  // namespace

TEST_GROUP(Properties) {
  std::shared_ptr<const Catalogue> all = *Catalogue::make({});
  const ResourceType& container = *all->find(kContainerType);
  const ResourceType& secret = *all->find("Gestalt::Resource::Secret");
  const ResourceType& environment = *all->find(kEnvironmentType);
};

TEST(Properties, defaults_are_filled_in) {
  const Json accepted =
      UNWRAP(accept_new(container, {{"provider", {{"id", kId}}}, {"image", "nginx"}}));
  CHECK_EQUAL(1, accepted["num_instances"].get<int>());
  CHECK_EQUAL(128, accepted["memory"].get<int>());
  STRCMP_EQUAL("DOCKER", accepted["container_type"].get<std::string>().c_str());
}

TEST(Properties, what_is_wrong_is_named) {
  const auto with = [](Json more) {
    more["provider"] = {{"id", kId}};
    return more;
  };
  const auto reason = [&](const Json& sent) { return accept_new(container, sent).error(); };
  STRCMP_EQUAL("property_missing", std::string(reason({{"image", "x"}}).reason).c_str());
  STRCMP_EQUAL("property_unknown", std::string(reason(with({{"imagee", "x"}})).reason).c_str());
  STRCMP_EQUAL("/properties/num_instances", reason(with({{"num_instances", "2"}})).pointer.c_str());
  STRCMP_EQUAL("/properties/args", reason(with({{"args", {1}}})).pointer.c_str());
  CHECK_ERROR(Code::invalid_argument, "property_invalid", accept_new(container, Json::array({1})));
}

TEST(Properties, what_meta_sets_is_not_taken_from_clients) {
  const Json sent = {{"provider", {{"id", kId}}}, {"status", "RUNNING"}};
  CHECK_FALSE(UNWRAP(accept_new(container, sent)).contains("status"));
  const Json current = {{"provider", {{"id", kId}}}, {"status", "RUNNING"}};
  const Json changed =
      UNWRAP(accept_change(container, current, {{"provider", {{"id", kId}}}, {"status", "LOST"}}));
  STRCMP_EQUAL("RUNNING", changed["status"].get<std::string>().c_str());
}

TEST(Properties, an_encrypted_value_is_masked_and_survives_the_mask) {
  const Json stored = UNWRAP(accept_new(secret, {{"items", {{{"key", "a"}, {"value", "s"}}}}}));
  const Json shown = masked(secret, stored);
  STRCMP_EQUAL("********", shown["items"].get<std::string>().c_str());
  CHECK(UNWRAP(accept_change(secret, stored, shown)) == stored);
}

TEST(Properties, a_sealed_value_cannot_change) {
  ResourceType type;
  PropertyDef serial;
  serial.name = "serial";
  serial.sealed = true;
  type.properties.emplace("serial", serial);
  const Json current = {{"serial", "1"}};
  CHECK_OK(accept_change(type, current, {{"serial", "1"}}));
  CHECK_ERROR(Code::invalid_argument, "property_sealed",
              accept_change(type, current, {{"serial", "2"}}));
}

TEST(Properties, links_are_edges_and_can_be_cut) {
  const ResourceType& application = *all->find("Gestalt::Resource::Application");
  const Json properties = {{"services", {{{"id", kId}}, kOther}}, {"version", "1"}};
  const auto edges = edges_of(application, properties);
  CHECK_EQUAL(2u, edges.size());
  STRCMP_EQUAL("services", edges[0].property.c_str());
  CHECK(edges[0].on_delete == OnDelete::nullify);
  const Json rest = without_link(properties, "services", kId);
  CHECK_EQUAL(1u, rest["services"].size());
  CHECK(edges_of(environment, {{"environment_type", "test"}}).empty());
}

TEST(Properties, a_provider_is_a_link_too) {
  const auto edges =
      edges_of(container, {{"provider", {{"id", kId}, {"locations", Json::array()}}}});
  CHECK_EQUAL(1u, edges.size());
  CHECK(edges[0].on_delete == OnDelete::restricted);
}
