// SPDX-License-Identifier: Apache-2.0
// Accounts and groups by id: oneself, changes, members, API keys.
#include <array>

#include "services/framework/host.h"
#include "services/security/core/render.h"
#include "services/security/grants.h"
#include "services/security/routes.h"
#include "services/security/schemas.h"

namespace security {

namespace {

using base::Result;
using services::Call;
using services::Kind;
using services::Reply;

constexpr std::array<std::string_view, 7> kAccountPaths = {
    "/username", "/email",       "/phoneNumber", "/firstName",
    "/lastName", "/description", "/credential"};

bool is_self(const Call& call, std::string_view account) {
  return call.caller().account_id == account;
}

base::Error not_oneself(std::string_view what) {
  return {base::Code::invalid_argument, "cannot " + std::string(what) + " self",
          "self_change_refused"};
}

Result<Reply> show_self(Security&, Call& call) {
  const AccountRecord account = TRY(need_account(call.read(), call.caller().account_id));
  return ok(TRY(account_json(call.read(), account)));
}

Result<Reply> show_account(Security& self, Call& call) {
  const auto account = TRY(need_account(call.read(), call.parameter("account")));
  if (!is_self(call, account.id)) TRY(self.require(call, call.org().id, "readDirectory"));
  return ok(TRY(account_json(call.read(), account)));
}

Result<Reply> account_groups(Security& self, Call& call) {
  const auto account = TRY(need_account(call.read(), call.parameter("account")));
  if (!is_self(call, account.id)) TRY(self.require(call, call.org().id, "readDirectory"));
  std::vector<GroupRecord> groups;
  for (const std::string& id : TRY(groups_of(call.read(), account.id))) {
    groups.push_back(TRY(need_group(call.read(), id)));
  }
  return ok(TRY(groups_json(call.read(), groups)));
}

// The password inside a patch: {"op":"replace","path":"/credential","value":{…}} or the older form.
Result<void> prepare_patch(Security& self, Call& call) {
  const auto ops = TRY(parse_patch(call.body(), kAccountPaths));
  for (const PatchOp& op : ops) {
    if (op.path != "/credential") continue;
    if (op.verb == PatchVerb::remove) {
      return base::Error{base::Code::invalid_argument, "a credential is replaced, not removed",
                         "credential_invalid"};
    }
    const base::Json value = TRY(base::parse_json(op.text));
    const auto password = TRY(read_password(base::Json{{"credential", value}}));
    if (password) call.keep(TRY(self.hash_new_password(password->reveal())));
  }
  return {};
}

Result<Reply> change_account(Security& self, Call& call, const std::vector<PatchOp>& ops) {
  AccountRecord account = TRY(need_account(call.write(), call.parameter("account")));
  if (!is_self(call, account.id)) {
    TRY(self.require(call, call.org().id, "updateAccount"));
    TRY(self.require_no_less(call, account.id));
  } else if (!call.caller().scopes.empty()) {
    TRY(self.require(call, call.org().id, "updateAccount"));  // a narrowed token is not oneself
  }
  std::optional<std::string> hash;
  if (const std::string* made = call.kept<std::string>()) hash = *made;
  if (account.hash == kShadowed && hash) {
    return base::Error{base::Code::invalid_argument,
                       "the password is kept by the account's directory", "directory_read_only"};
  }
  TRY(patch_account(call.write(), account, ops, hash));
  const base::Json out = TRY(account_json(call.write(), account));
  call.emit("security.account.updated", out);
  return ok(out);
}

Result<Reply> patch_account_route(Security& self, Call& call) {
  return change_account(self, call, TRY(parse_patch(call.body(), kAccountPaths)));
}

Result<Reply> remove_email(Security& self, Call& call) {
  return change_account(self, call, {{PatchVerb::remove, "/email", ""}});
}

Result<Reply> remove_phone(Security& self, Call& call) {
  return change_account(self, call, {{PatchVerb::remove, "/phoneNumber", ""}});
}

Result<Reply> remove_account(Security& self, Call& call) {
  const auto account = TRY(need_account(call.write(), call.parameter("account")));
  if (is_self(call, account.id)) return not_oneself("delete");
  TRY(self.require_no_less(call, account.id));
  TRY(delete_account(call.write(), account));
  call.emit("security.account.deleted", {{"id", account.id}, {"username", account.username}});
  return was_deleted(true);
}

Result<Reply> switch_account(Security& self, Call& call, bool disabled) {
  const auto account = TRY(need_account(call.write(), call.parameter("account")));
  if (is_self(call, account.id)) return not_oneself(disabled ? "disable" : "enable");
  TRY(self.require_no_less(call, account.id));
  TRY(set_disabled(call.write(), account, disabled));
  call.emit(disabled ? "security.account.disabled" : "security.account.enabled",
            {{"id", account.id}});
  return ok(disabled ? base::Json{{"disabled", true}} : base::Json{{"enabled", true}});
}

Result<Reply> disable(Security& self, Call& call) { return switch_account(self, call, true); }
Result<Reply> enable(Security& self, Call& call) { return switch_account(self, call, false); }

// The parent of a new key: only somebody who came with a key makes one.
Result<std::string> parent_key(Call& call) {
  const services::Caller& caller = call.caller();
  if (caller.credential == services::CredentialKind::api_key) return caller.credential_id;
  if (caller.credential == services::CredentialKind::peer) return std::string();
  return base::Error{base::Code::invalid_argument,
                     "API key creation requires API key authentication", "api_key_needed"};
}

Result<Reply> make_key(Security& self, Call& call) {
  const auto account = TRY(need_account(call.write(), call.parameter("account")));
  std::string org;
  if (!call.body().is_null()) {
    base::Fields fields(call.body());
    fields.optional("orgId", org, {.length_max = 64});
    TRY(fields.finish(base::UnknownFields::ignore));
  }
  const std::string parent = TRY(parent_key(call));
  if (!is_self(call, account.id)) {
    TRY(self.require(call, call.org().id, "createAPIKey"));
    TRY(self.require_no_less(call, account.id));
    if (org.empty()) {
      return base::Error{base::Code::invalid_argument, "delegated API key creation requires orgId",
                         "field_missing"};
    }
  }
  if (org.empty()) org = call.caller().org_id;
  const AppRecord app = TRY(service_app(call.write(), org));
  if (!TRY(belongs_to_app(call.write(), account, app.id))) {
    return base::Error{base::Code::invalid_argument,
                       "the account does not belong to the organization", "field_invalid"};
  }
  const MadeKey made = TRY(create_api_key(call.write(), self.host().rng(), seconds_of(call.now()),
                                          account.id, org, parent));
  call.emit("security.apiKey.created", {{"apiKey", made.record.id}, {"account", account.id}});
  return created({{"apiKey", made.record.id},
                  {"apiSecret", made.secret.reveal()},
                  {"accountId", account.id},
                  {"disabled", false}},
                 "apiKeys");
}

Result<Reply> show_group(Security&, Call& call) {
  const GroupRecord group = TRY(need_group(call.read(), call.parameter("group")));
  return ok(TRY(group_json(call.read(), group)));
}

Result<Reply> patch_group_route(Security& self, Call& call) {
  constexpr std::array<std::string_view, 2> kPaths = {"/name", "/description"};
  GroupRecord group = TRY(need_group(call.write(), call.parameter("group")));
  TRY(self.require_no_less(call, group.id));
  const auto ops = TRY(parse_patch(call.body(), kPaths));
  TRY(patch_group(call.write(), group, ops));
  const base::Json out = TRY(group_json(call.write(), group));
  call.emit("security.group.updated", {{"id", group.id}, {"name", group.name}});
  return ok(out);
}

Result<Reply> remove_group(Security& self, Call& call) {
  const auto group = TRY(need_group(call.write(), call.parameter("group")));
  TRY(self.require_no_less(call, group.id));
  TRY(delete_group(call.write(), group));
  call.emit("security.group.deleted", {{"id", group.id}, {"name", group.name}});
  return was_deleted(true);
}

Result<Reply> group_members(Security&, Call& call) {
  const auto group = TRY(need_group(call.read(), call.parameter("group")));
  const auto members = TRY(members_of(call.read(), group.id));
  return ok(TRY(accounts_json(call.read(), members)));
}

Result<Reply> patch_members(Security& self, Call& call) {
  constexpr std::array<std::string_view, 1> kPaths = {"/accounts"};
  const auto group = TRY(need_group(call.write(), call.parameter("group")));
  if (!call.body().is_array()) {
    return base::Error{base::Code::invalid_argument, "a patch is a list of operations",
                       "patch_invalid"};
  }
  TRY(self.require_no_less(call, group.id));
  for (const PatchOp& op : TRY(parse_patch(call.body(), kPaths))) {
    const std::string id = TRY(op.string_value());
    if (op.verb == PatchVerb::remove) {
      TRY(remove_member(call.write(), group.id, id));
      continue;
    }
    const auto account = TRY(need_account(call.write(), id));
    const std::string org = TRY(org_of_account(call.write(), id));
    if (org != call.org().id) TRY(self.require(call, org, "readDirectory"));
    TRY(add_member(call.write(), group, account));
  }
  const base::Json out = account_links(TRY(members_of(call.write(), group.id)));
  call.emit("security.group.members", {{"id", group.id}, {"accounts", out}});
  return ok(out);
}

using rest::Method;
constexpr services::ActionOptions<Security> kAccount = {.resolve = resolve_account};
constexpr services::ActionOptions<Security> kGroup = {.resolve = resolve_group};
constexpr services::Action<Security> kActions[] = {
    {Method::get,
     "/accounts/self",
     "account.self",
     services::authenticated(),
     Kind::query,
     show_self,
     "The caller's account",
     {.reply = reply::kAccount}},
    {Method::get, "/accounts/{account}", "account.view", services::authenticated(), Kind::query,
     show_account, "An account", services::replying(kAccount, reply::kAccount)},
    {Method::patch,
     "/accounts/{account}",
     "account.update",
     services::authenticated(),
     Kind::mutation,
     noticed<patch_account_route>,
     "Changes an account",
     {.reply = reply::kAccount, .prepare = prepare_patch, .resolve = resolve_account}},
    {Method::del, "/accounts/{account}", "account.delete", services::right("deleteAccount"),
     Kind::mutation, noticed<remove_account>, "Deletes an account",
     services::replying(kAccount, reply::kDeleted)},
    {Method::post, "/accounts/{account}/disable", "account.disable",
     services::right("updateAccount"), Kind::mutation, noticed<disable>, "Disables an account",
     services::replying(kAccount, reply::kSwitched)},
    {Method::post, "/accounts/{account}/enable", "account.enable", services::right("updateAccount"),
     Kind::mutation, noticed<enable>, "Enables an account",
     services::replying(kAccount, reply::kSwitched)},
    {Method::get, "/accounts/{account}/groups", "account.groups", services::authenticated(),
     Kind::query, account_groups, "Groups of an account",
     services::replying(kAccount, reply::kGroups)},
    {Method::del, "/accounts/{account}/email", "account.update", services::authenticated(),
     Kind::mutation, noticed<remove_email>, "Takes an account's e-mail address away",
     services::replying(kAccount, reply::kAccount)},
    {Method::del, "/accounts/{account}/phoneNumber", "account.update", services::authenticated(),
     Kind::mutation, noticed<remove_phone>, "Takes an account's phone number away",
     services::replying(kAccount, reply::kAccount)},
    {Method::post, "/accounts/{account}/apiKeys", "apikey.create", services::authenticated(),
     Kind::mutation, make_key, "Makes an API key for an account",
     services::replying(kAccount, reply::kKey)},
    {Method::get, "/groups/{group}", "group.view", services::right("readDirectory"), Kind::query,
     show_group, "A group", services::replying(kGroup, reply::kGroup)},
    {Method::patch, "/groups/{group}", "group.update", services::right("updateGroup"),
     Kind::mutation, noticed<patch_group_route>, "Changes a group",
     services::replying(kGroup, reply::kGroup)},
    {Method::del, "/groups/{group}", "group.delete", services::right("deleteGroup"), Kind::mutation,
     noticed<remove_group>, "Deletes a group", services::replying(kGroup, reply::kDeleted)},
    {Method::get, "/groups/{group}/accounts", "group.members", services::right("readDirectory"),
     Kind::query, group_members, "Members of a group",
     services::replying(kGroup, reply::kAccounts)},
    {Method::patch, "/groups/{group}/accounts", "group.members.update",
     services::right("updateGroup"), Kind::mutation, noticed<patch_members>,
     "Adds members to a group and removes them", services::replying(kGroup, reply::kMembers)},
};

}  // namespace

void add_account_actions(services::ActionTable& table, Security& self) {
  table.add(kActions, self);
}

}  // namespace security
