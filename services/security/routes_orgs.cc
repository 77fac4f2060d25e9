// SPDX-License-Identifier: Apache-2.0
// Initialisation, health, organisations and their synchronisation.
#include <map>

#include "services/framework/host.h"
#include "services/security/core/render.h"
#include "services/security/grants.h"
#include "services/security/model/names.h"
#include "services/security/org_calls.h"
#include "services/security/routes.h"
#include "services/security/schemas.h"
#include "services/security/token/password.h"

namespace security {

namespace {

using base::Result;
using services::Call;
using services::Kind;
using services::Reply;

Result<bool> is_initialised(store::Reader& reader) {
  return TRY(find_one<OrgRecord>(reader, "fqon", kRootFqon)).has_value();
}

Result<Reply> show_health(Security&, Call& call) {
  if (TRY(is_initialised(call.read()))) return Reply::text("healthy");
  return base::Error{base::Code::invalid_argument, "service not initialized",
                     "security_not_initialised"};
}

Result<Reply> show_info(Security& self, Call&) {
  return ok({{"name", "gestalt-security"}, {"issuer", self.config().issuer}});
}

Result<Reply> show_init(Security&, Call& call) {
  return ok({{"initialized", TRY(is_initialised(call.read()))}});
}

Result<void> prepare_init(Security& self, Call& call) {
  std::string username = self.config().admin_name, password;
  if (!call.body().is_null()) {
    base::Fields fields(call.body());
    fields.optional("username", username, {.length_min = 1, .length_max = kNameMax});
    fields.optional("password", password, {.length_max = kPasswordMax});
    TRY(fields.finish(base::UnknownFields::ignore));
  }
  const base::Secret secret(std::move(password));
  bool fresh = false;
  const base::Result<void> done =
      self.host().store().read([&](store::Reader& reader) -> Result<void> {
        fresh = !TRY(is_initialised(reader));
        return {};
      });
  TRY(done);
  InitWish wish{.username = username, .hash = std::nullopt};
  // An initialised service costs whoever asks again no hashing.
  if (fresh && !secret.empty()) wish.hash = TRY(self.hash_new_password(secret.reveal()));
  call.keep(std::move(wish));
  return {};
}

Result<Reply> init(Security& self, Call& call) {
  const MadeKey made = TRY(
      initialise(call.write(), self.host().rng(), seconds_of(call.now()), *call.kept<InitWish>()));
  call.emit("security.initialised", {{"account", made.record.account}});
  base::Json key = {{"apiKey", made.record.id},
                    {"apiSecret", made.secret.reveal()},
                    {"accountId", made.record.account},
                    {"disabled", false}};
  return ok(base::Json::array({std::move(key)}));
}

// Organisations below one that the caller is somebody of.
Result<Reply> orgs_below(Security& self, Call& call, bool with_top) {
  TRY(self.require_member(call, call.org().id));
  const OrgRecord top = TRY(need_org(call.read(), call.org().id));
  base::Json out = base::Json::array();
  for (const OrgRecord& org : TRY(org_tree(call.read(), top))) {
    if (org.id != top.id || with_top) out.push_back(TRY(org_json(call.read(), org)));
  }
  return ok(out);
}

Result<Reply> list_orgs(Security& self, Call& call) { return orgs_below(self, call, true); }
Result<Reply> list_org_tree(Security& self, Call& call) { return orgs_below(self, call, false); }

Result<Reply> show_org(Security& self, Call& call) {
  TRY(self.require_member(call, call.org().id));
  const OrgRecord org = TRY(need_org(call.read(), call.org().id));
  return ok(TRY(org_json(call.read(), org)));
}

Result<Reply> make_org(Security& self, Call& call) {
  NewOrg wanted;
  std::string description;
  base::Fields fields(call.body());
  fields.required("name", wanted.name, {.length_min = 1, .length_max = 63});
  fields.optional("description", description, {.length_max = 1024});
  fields.optional("createDefaultUserGroup", wanted.default_users);
  fields.optional("inheritParentMappings", wanted.inherit_parent);
  TRY(fields.finish(base::UnknownFields::ignore));
  if (!description.empty()) wanted.description = description;
  const OrgRecord org = TRY(create_org(call, self.host().rng(), call.org().id, wanted));
  return created(TRY(org_json(call.write(), org)), "orgs");
}

Result<Reply> remove_org(Security&, Call& call) {
  const OrgRecord org = TRY(need_org(call.write(), call.org().id));
  TRY(delete_org(call, org));
  return was_deleted(true);
}

Result<Reply> sync_orgs(Security&, Call& call) {
  const OrgRecord top = TRY(need_org(call.read(), call.org().id));
  std::map<std::string, AccountRecord> accounts;
  std::map<std::string, GroupRecord> groups;
  base::Json orgs = base::Json::array();
  for (const OrgRecord& org : TRY(org_tree(call.read(), top))) {
    const AppRecord app = TRY(service_app(call.read(), org.id));
    for (auto& each : TRY(accounts_of_app(call.read(), app.id))) accounts.emplace(each.id, each);
    for (auto& each : TRY(groups_of_app(call.read(), app.id))) groups.emplace(each.id, each);
    orgs.push_back(TRY(org_json(call.read(), org)));
  }
  std::vector<AccountRecord> people;
  for (auto& [id, account] : accounts) people.push_back(std::move(account));
  std::vector<GroupRecord> teams;
  for (auto& [id, group] : groups) teams.push_back(std::move(group));
  base::Json out = {{"accounts", TRY(accounts_json(call.read(), people))}};
  out["groups"] = TRY(groups_json(call.read(), teams));
  out["orgs"] = std::move(orgs);
  const auto state = TRY(find<StateRecord>(call.read(), "admin"));
  std::optional<AccountRecord> admin;
  if (state) admin = TRY(find<AccountRecord>(call.read(), state->value));
  if (admin) out["admin"] = link_json(admin->id, admin->username, "accounts");
  return ok(out);
}

Result<Reply> show_service_app(Security& self, Call& call) {
  TRY(self.require_member(call, call.org().id));
  return ok(app_json(TRY(service_app(call.read(), call.org().id))));
}

using rest::Method;
constexpr services::Action<Security> kActions[] = {
    {Method::get, "/health", "security.health", services::anonymous(), Kind::query, show_health,
     "Whether the service is initialised"},
    {Method::get,
     "/info",
     "security.info",
     services::anonymous(),
     Kind::query,
     show_info,
     "What the service is",
     {.reply = reply::kInfo}},
    {Method::get,
     "/init",
     "security.init.view",
     services::anonymous(),
     Kind::query,
     show_init,
     "Whether the service is initialised",
     {.reply = reply::kInitialised}},
    {Method::post,
     "/init",
     "security.init",
     services::anonymous(),
     Kind::mutation,
     init,
     "Initialises an empty service",
     {.flags = services::kUngated, .reply = reply::kKeys, .prepare = prepare_init}},
    {Method::get,
     "/sync",
     "security.sync",
     services::right("sync"),
     Kind::query,
     sync_orgs,
     "Accounts, groups and organisations of the credential's organisation and below",
     {.flags = services::kOnWorker, .reply = reply::kSync, .resolve = resolve_own_org}},
    {Method::get,
     "/orgs",
     "org.list",
     services::authenticated(),
     Kind::query,
     list_orgs,
     "The credential's organisation and those below",
     {.reply = reply::kOrgs, .resolve = resolve_own_org}},
    {Method::get,
     "/orgs/current",
     "org.current",
     services::authenticated(),
     Kind::query,
     show_org,
     "The credential's organisation",
     {.reply = reply::kOrg, .resolve = resolve_own_org}},
    {Method::get,
     "/orgs/{org}",
     "org.view",
     services::authenticated(),
     Kind::query,
     show_org,
     "An organisation",
     {.reply = reply::kOrg}},
    {Method::del,
     "/orgs/{org}",
     "org.delete",
     services::right("deleteOrg"),
     Kind::mutation,
     noticed<remove_org>,
     "Deletes an organisation and everything in it",
     {.reply = reply::kDeleted}},
    {Method::get,
     "/orgs/{org}/orgs",
     "org.list",
     services::authenticated(),
     Kind::query,
     list_org_tree,
     "Organisations below an organisation",
     {.reply = reply::kOrgs}},
    {Method::post,
     "/orgs/{org}/orgs",
     "org.create",
     services::right("createOrg"),
     Kind::mutation,
     make_org,
     "Creates an organisation below another",
     {.reply = reply::kOrg}},
    {Method::post,
     "/orgs/{org}",
     "org.create",
     services::right("createOrg"),
     Kind::mutation,
     make_org,
     "Creates an organisation below another",
     {.reply = reply::kOrg}},
    {Method::get,
     "/orgs/{org}/sync",
     "security.sync",
     services::right("sync"),
     Kind::query,
     sync_orgs,
     "Accounts, groups and organisations of an organisation and below",
     {.flags = services::kOnWorker, .reply = reply::kSync}},
    {Method::get,
     "/orgs/{org}/serviceApp",
     "app.view",
     services::authenticated(),
     Kind::query,
     show_service_app,
     "The app whose rights are the organisation's own",
     {.reply = reply::kApp}},
};

}  // namespace

void add_org_actions(services::ActionTable& table, Security& self) { table.add(kActions, self); }

}  // namespace security
