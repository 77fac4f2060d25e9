// SPDX-License-Identifier: Apache-2.0
// All resource types, with what each inherits from the ones it extends.
//
// Made of the built-in types and those of the store; immutable once made and shared by all calls.
// 1. A type inherits properties, verbs and parent types; its own properties win.
// 2. A chain of `extend` has at most 16 links and no circle.
// Threads: any.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/meta/type.h"

namespace services::meta {

inline constexpr std::string_view kOrgType = "Gestalt::Resource::Organization";
inline constexpr std::string_view kUserType = "Gestalt::Resource::User";
inline constexpr std::string_view kGroupType = "Gestalt::Resource::Group";
inline constexpr std::string_view kWorkspaceType = "Gestalt::Resource::Workspace";
inline constexpr std::string_view kEnvironmentType = "Gestalt::Resource::Environment";
inline constexpr std::string_view kContainerType = "Gestalt::Resource::Container";
inline constexpr std::string_view kPolicyType = "Gestalt::Resource::Policy";
inline constexpr std::string_view kRuleType = "Gestalt::Resource::Rule";
inline constexpr std::string_view kEntitlementType = "Gestalt::Resource::Entitlement";
inline constexpr std::string_view kProviderType = "Gestalt::Configuration::Provider";
inline constexpr std::string_view kTypeType = "Gestalt::Resource::ResourceType";

class Catalogue {
 public:
  // `custom` are added to the built-in types. Errors: invalid_argument type_invalid, type_unknown;
  // already_exists type_exists.
  static base::Result<std::shared_ptr<const Catalogue>> make(std::vector<ResourceType> custom);

  const ResourceType* find(std::string_view name) const;
  const ResourceType* find_id(std::string_view id) const;
  // By name or id. Errors: invalid_argument type_unknown.
  base::Result<const ResourceType*> get(std::string_view name_or_id) const;
  // The type that a collection of the address is of: "providers" gives the abstract provider.
  const ResourceType* find_rest(std::string_view rest_name) const;
  bool is_a(std::string_view type, std::string_view ancestor) const;
  // Whether a resource of `type` may stand under one of `parent`.
  bool may_stand_under(const ResourceType& type, std::string_view parent) const;
  // Types that may stand directly under `parent`, without the abstract ones.
  std::vector<const ResourceType*> children_of(std::string_view parent) const;
  // In order of name.
  std::vector<const ResourceType*> all() const;
  // "environment.create" and the rest: what can be entitled on a resource of this type, its own
  // verbs and those of what may stand under it. Sorted.
  std::vector<std::string> actions_on(const ResourceType& type) const;

 private:
  base::Result<void> inherit(std::vector<ResourceType> all);
  std::map<std::string, ResourceType, std::less<>> by_name_;
  std::map<std::string, const ResourceType*, std::less<>> by_id_;
  std::map<std::string, const ResourceType*, std::less<>> by_rest_;
  // Several types may share a prefix of actions and a collection; sorted, made once.
  std::map<std::string, std::vector<std::string>, std::less<>> actions_;
};

// The types that every installation has (services.md 2.2 and the nouns of 2015).
std::vector<ResourceType> builtin_types();

}  // namespace services::meta
