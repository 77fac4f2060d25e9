// SPDX-License-Identifier: Apache-2.0
#include "services/meta/change_checks.h"

#include <nlohmann/json.hpp>

#include "services/meta/config_stage.h"
#include "services/policy/api/rule.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

// Where a rule's record stands: "OWNER/RULE", the owner being the parent of the rule's policy.
Result<std::string> rule_key(const Work& work, std::string_view policy, std::string_view rule) {
  const Stored stored = TRY(get_resource(work.call.read(), policy));
  const Header header = TRY(stored.header());
  return std::string(header.parent) + "/" + std::string(rule);
}

}  // namespace

Result<void> check_links(const Work& work, const Resource& resource, const ResourceType& type) {
  for (const Edge& edge : edges_of(type, resource.properties)) {
    const auto wrong = [&edge](const std::string& what) {
      return Error{Code::invalid_argument, edge.property + " leads to " + edge.target + what,
                   "link_unknown", 0, base::child_pointer("/properties", edge.property)};
    };
    const auto found = TRY(find_resource(work.call.read(), edge.target));
    if (!found) return wrong(", which there is not");
    const Header header = TRY(found->header());
    const auto property = type.properties.find(edge.property);
    if (property == type.properties.end() || property->second.refers_to.empty()) continue;
    if (!work.types->is_a(header.type, property->second.refers_to)) {
      return wrong(", which is no " + property->second.refers_to);
    }
  }
  return {};
}

Result<void> check_config(const Work& work, const Resource& resource) {
  if (!resource.properties.contains("config") && !resource.properties.contains("env")) return {};
  const ResourceType* type = work.types->find(resource.type);
  if (type != nullptr && type->open) return {};  // a provider's config is its own affair
  const auto own = TRY(config::read_entries(resource.properties));
  if (own.empty()) return {};
  const auto above = TRY(read_levels(work.call.read(), resource.path));
  TRY(config::check_final(above, own, facts_of(resource)));
  return check_config_rules(work, resource, own);
}

Result<Link> find_owner(const Work& work, std::string_view id) {
  const auto found = TRY(find_resource(work.call.read(), id));
  if (found) {
    const Header header = TRY(found->header());
    if (header.rest == "users" || header.rest == "groups") return link_of(work, *found);
  }
  return Error{Code::invalid_argument, "there is nobody with the id " + std::string(id),
               "owner_unknown", 0, "/owner"};
}

Result<void> write_rule(const Work& work, const Resource& resource) {
  if (resource.rest != "rules") return {};
  const Json document = {{"id", resource.id},
                         {"name", resource.name},
                         {"resource_type", resource.type},
                         {"properties", resource.properties}};
  TRY(policy::read_rule(document));
  const std::string key = TRY(rule_key(work, resource.parent_id, resource.id));
  TRY(work.call.write().put(kRules, key, base::dump_json(document)));
  work.meta.note_rule();
  return {};
}

Result<void> drop_rule(const Work& work, const Stored& stored) {
  const Header header = TRY(stored.header());
  if (header.rest != "rules") return {};
  const std::string key = TRY(rule_key(work, header.parent, stored.id));
  return work.call.write().remove(kRules, key);
}

Result<void> write_type(const Work& work, const Resource& resource) {
  const Json document = {
      {"id", resource.id}, {"name", resource.name}, {"properties", resource.properties}};
  TRY(read_type(document));
  TRY(work.meta.touch_types(work.call));
  TRY(work.meta.types(work.call.read()));  // it fits the others
  return {};
}

}  // namespace services::meta
