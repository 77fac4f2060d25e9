// SPDX-License-Identifier: Apache-2.0
// Apps and their account stores; accounts and groups as an app or an organisation sees them.
#include <array>

#include "services/framework/host.h"
#include "services/security/core/render.h"
#include "services/security/model/names.h"
#include "services/security/routes.h"
#include "services/security/routes_people.h"
#include "services/security/schemas.h"

namespace security {

namespace {

using base::Result;
using services::Call;
using services::Kind;
using services::Reply;

Result<Reply> list_apps(Security& self, Call& call) {
  TRY(self.require_member(call, call.org().id));
  base::Json out = base::Json::array();
  for (const auto& each : TRY(find_by<AppRecord>(call.read(), "org", call.org().id))) {
    out.push_back(app_json(each));
  }
  return ok(out);
}

Result<Reply> make_app(Security&, Call& call) {
  AppRecord wanted{.id = call.new_id(), .org = call.org().id};
  std::string description;
  base::Fields fields(call.body());
  fields.required("name", wanted.name, {.length_min = 1, .length_max = kNameMax});
  fields.optional("description", description, {.length_max = 1024});
  TRY(fields.finish(base::UnknownFields::ignore));
  if (!description.empty()) wanted.description = description;
  const base::Json out = app_json(TRY(create_app(call.write(), wanted)));
  call.emit("security.app.created", out);
  return created(out, "apps");
}

Result<Reply> show_app(Security& self, Call& call) {
  TRY(self.require_member(call, call.org().id));
  return ok(app_json(TRY(app_of(call))));
}

Result<Reply> remove_app(Security&, Call& call) {
  const AppRecord app = TRY(app_of(call));
  if (app.service) {
    return base::Error{base::Code::invalid_argument, "cannot delete service app",
                       "service_app_kept"};
  }
  TRY(delete_app(call.write(), app));
  call.emit("security.app.deleted", {{"id", app.id}, {"org", app.org}});
  return was_deleted(true);
}

Result<Reply> list_stores(Security& self, Call& call) {
  TRY(self.require_member(call, call.org().id));
  const AppRecord app = TRY(app_of(call));
  base::Json out = base::Json::array();
  for (const auto& each : TRY(find_by<StoreRecord>(call.read(), "app", app.id))) {
    out.push_back(store_json(each));
  }
  return ok(out);
}

// Who maps a directory or group reads it through the app, so he must be let to read it anyway.
Result<void> check_store_owner(Security& self, Call& call, const StoreRecord& store) {
  std::string directory = store.store;
  if (store.type == kStoreGroup) {
    const auto group = TRY(find<GroupRecord>(call.write(), store.store));
    if (!group) return {};  // create_store says so
    directory = group->directory;
  }
  const auto found = TRY(find<DirectoryRecord>(call.write(), directory));
  if (!found || found->org == call.org().id) return {};
  return self.require(call, found->org, "readDirectory");
}

Result<Reply> make_store(Security& self, Call& call) {
  StoreRecord wanted{.id = call.new_id(), .app = TRY(app_of(call)).id};
  std::string description;
  base::Fields fields(call.body());
  fields.optional("name", wanted.name, {.length_max = kNameMax});
  fields.optional("description", description, {.length_max = 1024});
  fields.required("storeType", wanted.type, {.length_max = 16});
  fields.required("accountStoreId", wanted.store, {.length_min = 1, .length_max = 64});
  fields.optional("isDefaultAccountStore", wanted.default_accounts);
  fields.optional("isDefaultGroupStore", wanted.default_groups);
  TRY(fields.finish(base::UnknownFields::ignore));
  for (char& c : wanted.type) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  if (!description.empty()) wanted.description = description;
  TRY(check_store_owner(self, call, wanted));
  TRY(create_store(call.write(), wanted));
  const base::Json out = store_json(wanted);
  call.emit("security.accountStore.created", out);
  return created(out, "accountStores");
}

Result<services::Target> resolve_store(Security&, Call& call) {
  const StoreRecord store = TRY(need_store(call.read(), call.parameter("mapping")));
  const AppRecord app = TRY(need_app(call.read(), store.app));
  return target_of_org(call.read(), app.org);
}

Result<Reply> show_store(Security& self, Call& call) {
  TRY(self.require_member(call, call.org().id));
  return ok(store_json(TRY(need_store(call.read(), call.parameter("mapping")))));
}

Result<Reply> patch_store_route(Security&, Call& call) {
  constexpr std::array<std::string_view, 4> kPaths = {
      "/isDefaultAccountStore", "/isDefaultGroupStore", "/name", "/description"};
  StoreRecord store = TRY(need_store(call.write(), call.parameter("mapping")));
  const auto ops = TRY(parse_patch(call.body(), kPaths));
  TRY(patch_store(call.write(), store, ops));
  call.emit("security.accountStore.updated", store_json(store));
  return ok(store_json(store));
}

Result<Reply> remove_store(Security&, Call& call) {
  const StoreRecord store = TRY(need_store(call.write(), call.parameter("mapping")));
  TRY(erase(call.write(), store));
  call.emit("security.accountStore.deleted", {{"id", store.id}, {"app", store.app}});
  return was_deleted(true);
}

Result<Reply> list_accounts(Security& self, Call& call) {
  TRY(self.require_member(call, call.org().id));
  const AppRecord app = TRY(app_of(call));
  const AccountQuery query = account_query(call);
  std::vector<AccountRecord> out;
  for (auto& each : TRY(accounts_of_app(call.read(), app.id))) {
    if (fits_query(each, query)) out.push_back(std::move(each));
  }
  return ok(TRY(accounts_json(call.read(), out)));
}

Result<Reply> make_account(Security& self, Call& call) {
  const AppRecord app = TRY(app_of(call));
  const StoreRecord store = TRY(default_account_store(call.write(), app.id));
  const DirectoryRecord directory = TRY(directory_of(call.write(), store));
  if (store.type == kStoreDirectory) return make_account_in(self, call, directory, &app);
  const GroupRecord group = TRY(need_group(call.write(), store.store));
  return make_account_in(self, call, directory, &app, &group);
}

Result<Reply> show_account_of_app(Security& self, Call& call) {
  TRY(self.require_member(call, call.org().id));
  const AppRecord app = TRY(app_of(call));
  const auto account = TRY(need_account(call.read(), call.parameter("account")));
  if (!TRY(belongs_to_app(call.read(), account, app.id))) {
    return base::Error{base::Code::not_found,
                       "could not locate requested account in the " +
                           std::string(app.service ? "organization" : "application"),
                       "account_unknown"};
  }
  return ok(TRY(account_json(call.read(), account)));
}

Result<Reply> show_account_by_name(Security&, Call& call) {
  const AppRecord app = TRY(app_of(call));
  const auto account = TRY(account_by_name(call.read(), app.id, call.parameter("username")));
  return ok(TRY(account_json(call.read(), account)));
}

Result<Reply> list_groups(Security& self, Call& call) {
  TRY(self.require_member(call, call.org().id));
  const AppRecord app = TRY(app_of(call));
  const std::string pattern = call.query("name").value_or("*");
  std::vector<GroupRecord> out;
  for (auto& each : TRY(groups_of_app(call.read(), app.id))) {
    if (matches_wildcard(pattern, each.name)) out.push_back(std::move(each));
  }
  return ok(TRY(groups_json(call.read(), out)));
}

Result<Reply> make_group(Security& self, Call& call) {
  const AppRecord app = TRY(app_of(call));
  const DirectoryRecord directory = TRY(default_group_store(call.write(), app.id));
  return make_group_in(self, call, directory, &app);
}

Result<Reply> show_group_of_app(Security&, Call& call) {
  const AppRecord app = TRY(app_of(call));
  const auto group = TRY(need_group(call.read(), call.parameter("group")));
  if (!TRY(group_in_app(call.read(), group, app.id))) {
    return base::Error{base::Code::not_found,
                       "could not locate requested group in the organization", "group_unknown"};
  }
  return ok(TRY(group_json(call.read(), group)));
}

Result<Reply> show_group_by_name(Security&, Call& call) {
  const AppRecord app = TRY(app_of(call));
  const DirectoryRecord directory = TRY(default_group_store(call.read(), app.id));
  const auto group = TRY(find_one<GroupRecord>(
      call.read(), "name", pair_term(directory.id, call.parameter("groupname"))));
  if (!group) {
    return base::Error{base::Code::not_found, "could not locate requested group", "group_unknown"};
  }
  return ok(TRY(group_json(call.read(), *group)));
}

using rest::Method;
constexpr services::ActionOptions<Security> kApp = {.resolve = resolve_app};
constexpr services::ActionOptions<Security> kStore = {.resolve = resolve_store};
constexpr services::Action<Security> kActions[] = {
    {Method::get,
     "/orgs/{org}/apps",
     "app.list",
     services::authenticated(),
     Kind::query,
     list_apps,
     "An organisation's apps",
     {.reply = reply::kApps}},
    {Method::post,
     "/orgs/{org}/apps",
     "app.create",
     services::right("createApp"),
     Kind::mutation,
     noticed<make_app>,
     "Creates an app",
     {.reply = reply::kApp}},
    {Method::get, "/apps/{app}", "app.view", services::authenticated(), Kind::query, show_app,
     "An app", services::replying(kApp, reply::kApp)},
    {Method::del, "/apps/{app}", "app.delete", services::right("deleteApp"), Kind::mutation,
     noticed<remove_app>, "Deletes an app with its rights",
     services::replying(kApp, reply::kDeleted)},
    {Method::get,
     "/orgs/{org}/accountStores",
     "accountstore.list",
     services::authenticated(),
     Kind::query,
     list_stores,
     "Account stores of an organisation",
     {.reply = reply::kStores}},
    {Method::post,
     "/orgs/{org}/accountStores",
     "accountstore.create",
     services::right("createAccountStore"),
     Kind::mutation,
     noticed<make_store>,
     "Maps a directory or group to an organisation",
     {.reply = reply::kStore}},
    {Method::get, "/apps/{app}/accountStores", "accountstore.list", services::authenticated(),
     Kind::query, list_stores, "Account stores of an app",
     services::replying(kApp, reply::kStores)},
    {Method::post, "/apps/{app}/accountStores", "accountstore.create",
     services::right("createAccountStore"), Kind::mutation, noticed<make_store>,
     "Maps a directory or group to an app", services::replying(kApp, reply::kStore)},
    {Method::get, "/accountStores/{mapping}", "accountstore.view", services::authenticated(),
     Kind::query, show_store, "An account store", services::replying(kStore, reply::kStore)},
    {Method::patch, "/accountStores/{mapping}", "accountstore.update",
     services::right("updateAccountStore"), Kind::mutation, noticed<patch_store_route>,
     "Changes an account store", services::replying(kStore, reply::kStore)},
    {Method::del, "/accountStores/{mapping}", "accountstore.delete",
     services::right("deleteAccountStore"), Kind::mutation, noticed<remove_store>,
     "Removes an account store from its app", services::replying(kStore, reply::kDeleted)},
    {Method::get,
     "/orgs/{org}/accounts",
     "account.list",
     services::authenticated(),
     Kind::query,
     list_accounts,
     "Accounts of an organisation, by ?username=, ?email=, ?phoneNumber= with *",
     {.flags = services::kOnWorker, .reply = reply::kAccounts, .prepare = prepare_app_search}},
    {Method::post,
     "/orgs/{org}/accounts",
     "account.create",
     services::right("createAccount"),
     Kind::mutation,
     noticed<make_account>,
     "Creates an account in the organisation's default account store",
     {.reply = reply::kAccount, .prepare = prepare_password}},
    {Method::get,
     "/orgs/{org}/accounts/{account}",
     "account.view",
     services::authenticated(),
     Kind::query,
     show_account_of_app,
     "An account of an organisation",
     {.reply = reply::kAccount}},
    {Method::get,
     "/orgs/{org}/usernames/{username}",
     "account.view",
     services::right("readDirectory"),
     Kind::query,
     show_account_by_name,
     "An account of an organisation by name",
     {.reply = reply::kAccount}},
    {Method::get, "/apps/{app}/accounts", "account.list", services::authenticated(), Kind::query,
     list_accounts, "Accounts of an app", services::replying(kApp, reply::kAccounts)},
    {Method::post,
     "/apps/{app}/accounts",
     "account.create",
     services::right("createAccount"),
     Kind::mutation,
     noticed<make_account>,
     "Creates an account in the app's default account store",
     {.reply = reply::kAccount, .prepare = prepare_password, .resolve = resolve_app}},
    {Method::get, "/apps/{app}/accounts/{account}", "account.view", services::authenticated(),
     Kind::query, show_account_of_app, "An account of an app",
     services::replying(kApp, reply::kAccount)},
    {Method::get, "/apps/{app}/usernames/{username}", "account.view",
     services::right("readDirectory"), Kind::query, show_account_by_name,
     "An account of an app by name", services::replying(kApp, reply::kAccount)},
    {Method::get,
     "/orgs/{org}/groups",
     "group.list",
     services::authenticated(),
     Kind::query,
     list_groups,
     "Groups of an organisation, by ?name= with *",
     {.flags = services::kOnWorker, .reply = reply::kGroups, .prepare = prepare_app_search}},
    {Method::post,
     "/orgs/{org}/groups",
     "group.create",
     services::right("createGroup"),
     Kind::mutation,
     noticed<make_group>,
     "Creates a group in the organisation's default group store",
     {.reply = reply::kGroup}},
    {Method::get,
     "/orgs/{org}/groups/{group}",
     "group.view",
     services::right("readDirectory"),
     Kind::query,
     show_group_of_app,
     "A group of an organisation",
     {.reply = reply::kGroup}},
    {Method::get,
     "/orgs/{org}/groupnames/{groupname}",
     "group.view",
     services::right("readDirectory"),
     Kind::query,
     show_group_by_name,
     "A group of an organisation by name",
     {.reply = reply::kGroup}},
    {Method::get, "/apps/{app}/groups", "group.list", services::authenticated(), Kind::query,
     list_groups, "Groups of an app", services::replying(kApp, reply::kGroups)},
    {Method::post, "/apps/{app}/groups", "group.create", services::right("createGroup"),
     Kind::mutation, noticed<make_group>, "Creates a group in the app's default group store",
     services::replying(kApp, reply::kGroup)},
    {Method::get, "/apps/{app}/groups/{group}", "group.view", services::right("readDirectory"),
     Kind::query, show_group_of_app, "A group of an app", services::replying(kApp, reply::kGroup)},
    {Method::get, "/apps/{app}/groupnames/{groupname}", "group.view",
     services::right("readDirectory"), Kind::query, show_group_by_name, "A group of an app by name",
     services::replying(kApp, reply::kGroup)},
};

}  // namespace

void add_app_actions(services::ActionTable& table, Security& self) { table.add(kActions, self); }

}  // namespace security
