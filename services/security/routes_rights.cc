// SPDX-License-Identifier: Apache-2.0
// Rights of accounts (by id or name) and groups, within an organisation or an app.
#include <array>

#include "services/framework/host.h"
#include "services/security/core/render.h"
#include "services/security/routes.h"
#include "services/security/schemas.h"

namespace security {

namespace {

using base::Result;
using services::Call;
using services::Kind;
using services::Reply;

// Whose rights a path is about.
struct Subject {
  AppRecord app;
  std::string id;
  bool group = false;
};

// The subject belongs to the app: rights elsewhere are nobody's business here.
Result<Subject> subject_of(Call& call) {
  Subject out{.app = TRY(app_of(call)), .id = {}, .group = false};
  const auto& parameters = call.request().path_parameters;
  if (const auto group = parameters.find("group"); group != parameters.end()) {
    const GroupRecord record = TRY(need_group(call.read(), group->second));
    if (!TRY(group_in_app(call.read(), record, out.app.id))) {
      return base::Error{base::Code::not_found, "could not locate requested group",
                         "group_unknown"};
    }
    out.id = record.id;
    out.group = true;
    return out;
  }
  if (const auto name = parameters.find("username"); name != parameters.end()) {
    out.id = TRY(account_by_name(call.read(), out.app.id, name->second)).id;
    return out;
  }
  const AccountRecord account = TRY(need_account(call.read(), call.parameter("account")));
  if (!TRY(belongs_to_app(call.read(), account, out.app.id))) {
    return base::Error{base::Code::not_found, "could not locate requested account",
                       "account_unknown"};
  }
  out.id = account.id;
  return out;
}

Result<Reply> list_rights(Security&, Call& call) {
  const Subject subject = TRY(subject_of(call));
  return ok(rights_json(TRY(rights_of_subject(call.read(), subject.app.id, subject.id))));
}

Result<Reply> show_right(Security&, Call& call) {
  const Subject subject = TRY(subject_of(call));
  return ok(right_json(
      TRY(right_by_name(call.read(), subject.app.id, subject.id, call.parameter("grant")))));
}

Result<Reply> make_right(Security& self, Call& call) {
  const Subject subject = TRY(subject_of(call));
  const NewRight wanted = TRY(read_right(call.body(), ""));
  TRY(self.require_superuser_if(call, wanted.name, subject.app));
  const RightRecord right = TRY(add_right(call.write(), self.host().rng(), subject.app.id,
                                          subject.id, subject.group, wanted));
  call.emit("security.right.created", right_json(right));
  return created(right_json(right), "rights");
}

Result<Reply> change_right(Security& self, Call& call, RightRecord right, const AppRecord& app) {
  constexpr std::array<std::string_view, 1> kPaths = {"/grantValue"};
  TRY(self.require_superuser_if(call, right.name, app));
  const auto ops = TRY(parse_patch(call.body(), kPaths));
  TRY(patch_right(call.write(), right, ops));
  call.emit("security.right.updated", right_json(right));
  return ok(right_json(right));
}

Result<Reply> drop_right(Security& self, Call& call, const RightRecord& right,
                         const AppRecord& app) {
  TRY(self.require_superuser_if(call, right.name, app));
  TRY(erase(call.write(), right));
  call.emit("security.right.deleted", right_json(right));
  return was_deleted(true);
}

Result<Reply> patch_named(Security& self, Call& call) {
  const Subject subject = TRY(subject_of(call));
  const auto right =
      TRY(right_by_name(call.write(), subject.app.id, subject.id, call.parameter("grant")));
  return change_right(self, call, right, subject.app);
}

Result<Reply> remove_named(Security& self, Call& call) {
  const Subject subject = TRY(subject_of(call));
  for (const RightRecord& right :
       TRY(rights_of_subject(call.write(), subject.app.id, subject.id))) {
    if (right.name == call.parameter("grant")) return drop_right(self, call, right, subject.app);
  }
  return was_deleted(false);
}

Result<services::Target> resolve_right(Security&, Call& call) {
  const RightRecord right = TRY(need_right(call.read(), call.parameter("right")));
  const AppRecord app = TRY(need_app(call.read(), right.app));
  return target_of_org(call.read(), app.org);
}

Result<Reply> show_by_id(Security&, Call& call) {
  return ok(right_json(TRY(need_right(call.read(), call.parameter("right")))));
}

Result<Reply> patch_by_id(Security& self, Call& call) {
  const RightRecord right = TRY(need_right(call.write(), call.parameter("right")));
  const AppRecord app = TRY(need_app(call.write(), right.app));
  return change_right(self, call, right, app);
}

Result<Reply> remove_by_id(Security& self, Call& call) {
  const RightRecord right = TRY(need_right(call.write(), call.parameter("right")));
  const AppRecord app = TRY(need_app(call.write(), right.app));
  return drop_right(self, call, right, app);
}

using rest::Method;
constexpr services::ActionOptions<Security> kApp = {.resolve = resolve_app};
constexpr services::ActionOptions<Security> kRight = {.resolve = resolve_right};
constexpr services::ActionOptions<Security> kOrg = {};

// The five rows of one kind of subject.
#define RIGHT_ROWS(PATH, SCOPE, WHAT, OPTIONS)                                                    \
  {Method::get, PATH "/rights", "right.list",      services::right("list" SCOPE "Grants"),        \
   Kind::query, list_rights,    "Rights of " WHAT, services::replying(OPTIONS, reply::kRights)},  \
      {Method::post,                                                                              \
       PATH "/rights",                                                                            \
       "right.create",                                                                            \
       services::right("create" SCOPE "Grant"),                                                   \
       Kind::mutation,                                                                            \
       noticed<make_right>,                                                                       \
       "Grants a right to " WHAT,                                                                 \
       services::replying(OPTIONS, reply::kRight)},                                               \
      {Method::get,                                                                               \
       PATH "/rights/{grant}",                                                                    \
       "right.view",                                                                              \
       services::right("list" SCOPE "Grants"),                                                    \
       Kind::query,                                                                               \
       show_right,                                                                                \
       "A right of " WHAT " by name",                                                             \
       services::replying(OPTIONS, reply::kRight)},                                               \
      {Method::patch,                                                                             \
       PATH "/rights/{grant}",                                                                    \
       "right.update",                                                                            \
       services::right("update" SCOPE "Grant"),                                                   \
       Kind::mutation,                                                                            \
       noticed<patch_named>,                                                                      \
       "Changes the value of a right of " WHAT,                                                   \
       services::replying(OPTIONS, reply::kRight)},                                               \
  {                                                                                               \
    Method::del, PATH "/rights/{grant}", "right.delete", services::right("delete" SCOPE "Grant"), \
        Kind::mutation, noticed<remove_named>, "Takes a right from " WHAT,                        \
        services::replying(OPTIONS, reply::kDeleted)                                              \
  }

constexpr services::Action<Security> kActions[] = {
    RIGHT_ROWS("/orgs/{org}/accounts/{account}", "Org", "an account", kOrg),
    RIGHT_ROWS("/orgs/{org}/usernames/{username}", "Org", "an account by name", kOrg),
    RIGHT_ROWS("/orgs/{org}/groups/{group}", "Org", "a group", kOrg),
    RIGHT_ROWS("/apps/{app}/accounts/{account}", "App", "an account in an app", kApp),
    RIGHT_ROWS("/apps/{app}/usernames/{username}", "App", "an account in an app by name", kApp),
    RIGHT_ROWS("/apps/{app}/groups/{group}", "App", "a group in an app", kApp),
    {Method::get, "/rights/{right}", "right.view", services::right("listAppGrants"), Kind::query,
     show_by_id, "A right", services::replying(kRight, reply::kRight)},
    {Method::patch, "/rights/{right}", "right.update", services::right("updateAppGrant"),
     Kind::mutation, noticed<patch_by_id>, "Changes the value of a right",
     services::replying(kRight, reply::kRight)},
    {Method::del, "/rights/{right}", "right.delete", services::right("deleteAppGrant"),
     Kind::mutation, noticed<remove_by_id>, "Takes a right away",
     services::replying(kRight, reply::kDeleted)},
};
#undef RIGHT_ROWS

}  // namespace

void add_right_actions(services::ActionTable& table, Security& self) { table.add(kActions, self); }

}  // namespace security
