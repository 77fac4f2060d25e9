// SPDX-License-Identifier: Apache-2.0
#include "services/security/core/render.h"

#include <map>

#include "common/base/text.h"

namespace security {

namespace {

void set_optional(base::Json& out, const char* name, const std::optional<std::string>& value) {
  if (value) out[name] = *value;
}

base::Json masked(const std::string& text) {
  base::Result<base::Json> config = base::parse_json(text);
  if (!config || !config->is_object()) return base::Json::object();
  for (auto& [name, value] : config->items()) {
    if (base::lower(name).find("password") != std::string::npos) value = "********";
  }
  return *std::move(config);
}

base::Json account_of(const AccountRecord& account, const base::Json& directory) {
  base::Json out = {{"id", account.id},
                    {"username", account.username},
                    {"firstName", account.first_name},
                    {"lastName", account.last_name},
                    {"directory", directory}};
  set_optional(out, "description", account.description);
  set_optional(out, "email", account.email);
  set_optional(out, "phoneNumber", account.phone);
  return out;
}

}  // namespace

base::Json link_json(std::string_view id, std::string_view name, std::string_view collection) {
  return {
      {"id", id}, {"name", name}, {"href", "/" + std::string(collection) + "/" + std::string(id)}};
}

base::Result<base::Json> org_json(store::Reader& reader, const OrgRecord& org) {
  base::Json out = {{"id", org.id}, {"name", org.name}, {"fqon", org.fqon}};
  set_optional(out, "description", org.description);
  if (!org.parent.empty()) {
    const OrgRecord parent = TRY(need_org(reader, org.parent));
    out["parent"] = link_json(parent.id, parent.name, "orgs");
  }
  base::Json children = base::Json::array();
  for (const OrgRecord& child : TRY(find_by<OrgRecord>(reader, "parent", org.id))) {
    children.push_back(link_json(child.id, child.fqon, "orgs"));
  }
  out["children"] = std::move(children);
  return out;
}

base::Json directory_json(const DirectoryRecord& directory, ConfigShown config) {
  base::Json out = {{"id", directory.id},
                    {"name", directory.name},
                    {"orgId", directory.org},
                    {"directoryType", directory.type}};
  set_optional(out, "description", directory.description);
  if (config == ConfigShown::yes && !directory.config.empty()) {
    out["config"] = masked(directory.config);
  }
  return out;
}

base::Result<base::Json> account_json(store::Reader& reader, const AccountRecord& account) {
  const DirectoryRecord directory = TRY(need_directory(reader, account.directory));
  return account_of(account, directory_json(directory, ConfigShown::no));
}

base::Result<base::Json> accounts_json(store::Reader& reader,
                                       const std::vector<AccountRecord>& accounts) {
  std::map<std::string, base::Json> directories;
  base::Json out = base::Json::array();
  for (const AccountRecord& account : accounts) {
    auto [at, is_new] = directories.try_emplace(account.directory);
    if (is_new) {
      const DirectoryRecord directory = TRY(need_directory(reader, account.directory));
      at->second = directory_json(directory, ConfigShown::no);
    }
    out.push_back(account_of(account, at->second));
  }
  return out;
}

base::Result<base::Json> group_json(store::Reader& reader, const GroupRecord& group) {
  const DirectoryRecord directory = TRY(need_directory(reader, group.directory));
  base::Json out = {{"id", group.id},
                    {"name", group.name},
                    {"directory", directory_json(directory, ConfigShown::no)},
                    {"disabled", group.disabled}};
  set_optional(out, "description", group.description);
  out["accounts"] = account_links(TRY(members_of(reader, group.id)));
  return out;
}

base::Result<base::Json> groups_json(store::Reader& reader,
                                     const std::vector<GroupRecord>& groups) {
  base::Json out = base::Json::array();
  for (const GroupRecord& group : groups) out.push_back(TRY(group_json(reader, group)));
  return out;
}

base::Json app_json(const AppRecord& app) {
  base::Json out = {
      {"id", app.id}, {"name", app.name}, {"orgId", app.org}, {"isServiceApp", app.service}};
  set_optional(out, "description", app.description);
  return out;
}

base::Json store_json(const StoreRecord& store) {
  return {{"id", store.id},
          {"name", store.name},
          {"description", store.description.value_or("mapping between app " + store.app + " and " +
                                                     store.type + " " + store.store)},
          {"storeType", store.type},
          {"storeId", store.store},
          {"appId", store.app},
          {"isDefaultAccountStore", store.default_accounts},
          {"isDefaultGroupStore", store.default_groups}};
}

base::Json right_json(const RightRecord& right) {
  base::Json out = {{"id", right.id}, {"grantName", right.name}, {"appId", right.app}};
  set_optional(out, "grantValue", right.value);
  return out;
}

base::Json rights_json(const std::vector<RightRecord>& rights) {
  base::Json out = base::Json::array();
  for (const RightRecord& right : rights) out.push_back(right_json(right));
  return out;
}

base::Json account_links(const std::vector<AccountRecord>& accounts) {
  base::Json out = base::Json::array();
  for (const AccountRecord& account : accounts) {
    out.push_back(link_json(account.id, account.username, "accounts"));
  }
  return out;
}

base::Result<base::Json> group_links(store::Reader& reader, std::string_view account) {
  base::Json out = base::Json::array();
  for (const std::string& id : TRY(groups_of(reader, account))) {
    const GroupRecord group = TRY(need_group(reader, id));
    out.push_back(link_json(group.id, group.name, "groups"));
  }
  return out;
}

base::Result<base::Json> auth_json(store::Reader& reader, const AccountRecord& account,
                                   const AppRecord& app) {
  base::Json out = {{"account", TRY(account_json(reader, account))}};
  out["groups"] = TRY(group_links(reader, account.id));
  out["rights"] = rights_json(TRY(rights_of_account(reader, app.id, account.id)));
  out["orgId"] = app.org;
  return out;
}

}  // namespace security
