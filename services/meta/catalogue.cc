// SPDX-License-Identifier: Apache-2.0
#include "services/meta/catalogue.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace services::meta {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr int kExtendMax = 16;

// Adds what `parent` has and `child` does not.
void inherit_from(const ResourceType& parent, ResourceType& child) {
  for (const auto& [name, property] : parent.properties) child.properties.emplace(name, property);
  for (const std::string& verb : parent.verbs) {
    if (std::find(child.verbs.begin(), child.verbs.end(), verb) == child.verbs.end()) {
      child.verbs.push_back(verb);
    }
  }
  if (child.parents.empty()) child.parents = parent.parents;
  if (child.prefix.empty()) child.prefix = parent.prefix;
  if (child.rest_name.empty()) child.rest_name = parent.rest_name;
  child.open = child.open || parent.open;
}

}  // namespace

Result<std::shared_ptr<const Catalogue>> Catalogue::make(std::vector<ResourceType> custom) {
  std::vector<ResourceType> all = builtin_types();
  for (ResourceType& type : custom) all.push_back(std::move(type));
  auto catalogue = std::make_shared<Catalogue>();
  TRY(catalogue->inherit(std::move(all)));
  return std::shared_ptr<const Catalogue>(std::move(catalogue));
}

Result<void> Catalogue::inherit(std::vector<ResourceType> all) {
  std::map<std::string, ResourceType, std::less<>> own;
  for (ResourceType& type : all) {
    const std::string name = type.name;
    if (!own.emplace(name, std::move(type)).second) {
      return Error{Code::already_exists, "there is a type " + name + " already", "type_exists"};
    }
  }
  for (const auto& [name, type] : own) {
    ResourceType whole = type;
    std::string next = type.extends;
    for (int depth = 0; !next.empty(); ++depth) {
      const auto parent = own.find(next);
      if (parent == own.end()) {
        return Error{Code::invalid_argument, name + " extends " + next + ", which there is not",
                     "type_unknown"};
      }
      if (depth == kExtendMax) {
        return Error{Code::invalid_argument, name + " extends itself, or through too many types",
                     "type_invalid"};
      }
      inherit_from(parent->second, whole);
      next = parent->second.extends;
    }
    by_name_.emplace(name, std::move(whole));
  }
  for (const auto& [name, type] : by_name_) {
    if (!by_id_.emplace(type.id, &type).second) {
      return Error{Code::already_exists, "another type has the id of " + name, "type_exists"};
    }
  }
  for (const auto& [name, type] : by_name_) {
    if (type.rest_name.empty()) continue;
    // The most general type of a collection stands for it: providers, rules.
    const ResourceType*& stands = by_rest_[type.rest_name];
    if (stands == nullptr || is_a(stands->name, name)) stands = &type;
  }
  for (const auto& [name, type] : by_name_) {
    std::set<std::string> actions;
    for (const std::string& verb : type.verbs) actions.insert(type.prefix + "." + verb);
    for (const ResourceType* child : children_of(name)) {
      for (const std::string& verb : child->verbs) actions.insert(child->prefix + "." + verb);
    }
    actions_[name].assign(actions.begin(), actions.end());
  }
  return {};
}

const ResourceType* Catalogue::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &found->second;
}

const ResourceType* Catalogue::find_id(std::string_view id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

Result<const ResourceType*> Catalogue::get(std::string_view name_or_id) const {
  const ResourceType* type = find(name_or_id);
  if (type == nullptr) type = find_id(name_or_id);
  if (type != nullptr) return type;
  return Error{Code::invalid_argument, "there is no resource type " + std::string(name_or_id),
               "type_unknown"};
}

const ResourceType* Catalogue::find_rest(std::string_view rest_name) const {
  const auto found = by_rest_.find(rest_name);
  return found == by_rest_.end() ? nullptr : found->second;
}

bool Catalogue::is_a(std::string_view type, std::string_view ancestor) const {
  for (const ResourceType* here = find(type); here != nullptr; here = find(here->extends)) {
    if (here->name == ancestor) return true;
  }
  return false;
}

bool Catalogue::may_stand_under(const ResourceType& type, std::string_view parent) const {
  return std::any_of(type.parents.begin(), type.parents.end(),
                     [&](const std::string& allowed) { return is_a(parent, allowed); });
}

std::vector<const ResourceType*> Catalogue::children_of(std::string_view parent) const {
  std::vector<const ResourceType*> children;
  for (const auto& [name, type] : by_name_) {
    if (!type.is_abstract && may_stand_under(type, parent)) children.push_back(&type);
  }
  return children;
}

std::vector<const ResourceType*> Catalogue::all() const {
  std::vector<const ResourceType*> types;
  for (const auto& [name, type] : by_name_) types.push_back(&type);
  return types;
}

std::vector<std::string> Catalogue::actions_on(const ResourceType& type) const {
  const auto found = actions_.find(type.name);
  return found == actions_.end() ? std::vector<std::string>() : found->second;
}

}  // namespace services::meta
