// SPDX-License-Identifier: Apache-2.0
#include "services/meta/entitlements.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/text.h"
#include "services/meta/work.h"

namespace services::meta {

using base::Result;

namespace {

std::string key_of(std::string_view resource, std::string_view action) {
  return std::string(resource) + "/" + std::string(action);
}

bool is_superuser(const Caller& caller, std::string_view org) { return caller.holds(org, "**"); }

// "resource.view" of a generic row is "container.view" for a collection of containers.
std::string action_asked(const Catalogue& types, const Question& question, const Call& call) {
  const std::string_view name = question.access.name();
  if (!name.starts_with("resource.")) return std::string(name);
  const std::string rest = collection_of(call);
  const ResourceType* type = types.find_rest(rest);
  if (type == nullptr) type = types.find(question.target.type);
  if (type == nullptr) return std::string(name);
  return type->prefix + std::string(name.substr(name.find('.')));
}

}  // namespace

bool names(const Caller& caller, std::string_view id) {
  return !id.empty() &&
         (caller.account_id == id || std::find(caller.group_ids.begin(), caller.group_ids.end(),
                                               id) != caller.group_ids.end());
}

Result<std::vector<Level>> levels_of(store::Reader& reader, std::string_view id) {
  std::vector<Level> levels;
  const Stored stored = TRY(get_resource(reader, id));
  const Header header = TRY(stored.header());
  levels.push_back({stored.id, std::string(header.owner), std::string(header.name)});
  const auto ancestors = header.ancestors();
  for (auto next = ancestors.rbegin(); next != ancestors.rend(); ++next) {
    const Stored above = TRY(get_resource(reader, *next));
    const Header head = TRY(above.header());
    levels.push_back({above.id, std::string(head.owner), std::string(head.name)});
  }
  return levels;
}

Result<std::optional<std::vector<std::string>>> find_grant(store::Reader& reader,
                                                           std::string_view resource,
                                                           std::string_view action) {
  using Found = std::optional<std::vector<std::string>>;
  const auto record = TRY(reader.find(kGrants, key_of(resource, action)));
  if (!record) return Found();
  std::vector<std::string> identities;
  for (const std::string_view id : base::split(record->value, ',')) {
    if (!id.empty()) identities.emplace_back(id);
  }
  return Found(std::move(identities));
}

Result<void> put_grant(store::Writer& writer, std::string_view resource, std::string_view action,
                       const std::vector<std::string>& identities) {
  TRY(writer.put(kGrants, key_of(resource, action), base::join(identities, ",")));
  return {};
}

Result<Decision> is_entitled(store::Reader& reader, const Caller& caller, std::string_view resource,
                             std::string_view action) {
  // Ancestors are read one by one from below, most calls need few of them.
  Stored here = TRY(get_resource(reader, resource));
  const std::string path(TRY(here.header()).path);
  if (is_superuser(caller, here.id)) return Decision{true, "right '**' here"};
  std::vector<std::string_view> ancestors;
  if (!path.empty()) ancestors = base::split(path, ',');
  for (const std::string_view ancestor : ancestors) {
    if (!is_superuser(caller, ancestor)) continue;
    return Decision{true, "right '**' of the organisation " + std::string(ancestor)};
  }
  while (true) {
    const Header header = TRY(here.header());
    const auto grant = TRY(find_grant(reader, here.id, action));
    const std::string name(header.name);
    if (grant) {
      const bool named = std::any_of(grant->begin(), grant->end(),
                                     [&caller](const auto& id) { return names(caller, id); });
      if (named) return Decision{true, "granted at " + name};
      return Decision{false, "the grant at " + name + " names others"};
    }
    if (names(caller, header.owner)) return Decision{true, "owner of " + name};
    if (ancestors.empty()) break;
    here = TRY(get_resource(reader, ancestors.back()));
    ancestors.pop_back();
  }
  return Decision{false, "nobody granted " + std::string(action) + " here or above"};
}

Result<void> need_entitlement(store::Reader& reader, const Caller& caller,
                              std::string_view resource, std::string_view action) {
  const Decision decision = TRY(is_entitled(reader, caller, resource, action));
  if (decision.allowed || caller.is_internal()) return {};
  return base::Error{base::Code::permission_denied, std::string(action) + ": " + decision.because,
                     "entitlement_missing"};
}

Result<std::vector<std::string>> effective_identities(store::Reader& reader,
                                                      const std::vector<Level>& levels,
                                                      std::string_view action) {
  std::set<std::string> identities;
  for (const Level& level : levels) {
    const auto grant = TRY(find_grant(reader, level.id, action));
    if (grant) {
      identities.insert(grant->begin(), grant->end());
      break;
    }
    if (!level.owner.empty()) identities.insert(level.owner);
  }
  return std::vector<std::string>(identities.begin(), identities.end());
}

std::string entitlement_id(std::string_view resource, std::string_view action) {
  return derived_id(key_of(resource, action));
}

Result<Decision> Meta::decide(store::Reader& reader, const Question& question, Call& call) {
  const Target& target = question.target;
  const std::string& id = target.resource_id.empty() ? target.org.id : target.resource_id;
  const auto catalogue = TRY(types(reader));
  const std::string action = action_asked(*catalogue, question, call);
  return is_entitled(reader, question.caller, id, action);
}

}  // namespace services::meta
