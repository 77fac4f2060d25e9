// SPDX-License-Identifier: Apache-2.0
// Directories, their accounts and groups; groups and their members.
#include <array>

#include "services/framework/host.h"
#include "services/security/adapters/saml/saml.h"
#include "services/security/core/render.h"
#include "services/security/directory_sync.h"
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

constexpr std::string_view kPasswordField = "systemPassword";

// A configuration as it is stored: checked by the adapter, its password sealed.
Result<std::string> close_config(Security& self, const DirectoryRecord& directory,
                                 base::Json config) {
  if (directory.type == kLdap) {
    if (self.ldap() == nullptr) {
      return base::Error{base::Code::unsupported, "LDAP directories are not built in",
                         "directory_type_unknown"};
    }
    TRY(self.ldap()->validate(config));
  }
  if (directory.type == kSaml) TRY(read_saml_config(config));
  const auto password = config.find(kPasswordField);
  if (password != config.end() && password->is_string()) {
    *password =
        TRY(self.seal("directory/" + directory.id, password->get_ref<const std::string&>()));
  }
  return base::dump_json(config);
}

Result<Reply> list_directories(Security& self, Call& call) {
  TRY(self.require_member(call, call.org().id));
  base::Json out = base::Json::array();
  for (const auto& each : TRY(find_by<DirectoryRecord>(call.read(), "org", call.org().id))) {
    out.push_back(directory_json(each, ConfigShown::yes));
  }
  return ok(out);
}

Result<Reply> make_directory(Security& self, Call& call) {
  DirectoryRecord wanted{.id = call.new_id(), .org = call.org().id};
  std::string description;
  base::Fields fields(call.body());
  fields.required("name", wanted.name, {.length_min = 1, .length_max = kNameMax});
  fields.optional("description", description, {.length_max = 1024});
  fields.optional("directoryType", wanted.type, {.length_min = 1, .length_max = 16});
  const base::Json* config = fields.find_object("config");
  TRY(fields.finish(base::UnknownFields::ignore));
  if (!description.empty()) wanted.description = description;
  if (wanted.type != kInternal && wanted.type != kLdap && wanted.type != kSaml) {
    return base::Error{base::Code::invalid_argument,
                       "a directory is of type INTERNAL, LDAP or SAML", "directory_type_unknown"};
  }
  if (config != nullptr || wanted.type != kInternal) {
    wanted.config =
        TRY(close_config(self, wanted, config != nullptr ? *config : base::Json::object()));
  }
  const DirectoryRecord made = TRY(create_directory(call.write(), wanted));
  const base::Json out = directory_json(made, ConfigShown::yes);
  call.emit("security.directory.created", {{"id", made.id}, {"org", made.org}});
  return created(out, "directories");
}

Result<Reply> show_directory(Security& self, Call& call) {
  TRY(self.require_member(call, call.org().id));
  const auto directory = TRY(need_directory(call.read(), call.parameter("directory")));
  return ok(directory_json(directory, ConfigShown::yes));
}

Result<void> patch_config(base::Json& config, const PatchOp& op) {
  const std::string name = op.path.substr(std::string_view("/config/").size());
  if (op.verb == PatchVerb::remove) {
    config.erase(name);
    return {};
  }
  config[name] = TRY(base::parse_json(op.text));
  return {};
}

Result<Reply> patch_directory(Security& self, Call& call) {
  constexpr std::array<std::string_view, 4> kPaths = {"/name", "/description", "/config",
                                                      "/config/*"};
  auto directory = TRY(need_directory(call.write(), call.parameter("directory")));
  base::Json config = TRY(self.open_config(directory));
  const base::Json before = config;
  for (const PatchOp& op : TRY(parse_patch(call.body(), kPaths))) {
    if (op.path == "/name") {
      directory.name = TRY(op.string_value());
    } else if (op.path == "/description") {
      directory.description = std::nullopt;
      if (op.verb != PatchVerb::remove) directory.description = TRY(op.string_value());
    } else if (op.path == "/config") {
      config = op.verb == PatchVerb::remove ? base::Json::object() : TRY(base::parse_json(op.text));
      if (!config.is_object()) {
        return base::Error{base::Code::invalid_argument, "a directory's config is an object",
                           "patch_invalid"};
      }
    } else {
      TRY(patch_config(config, op));
    }
  }
  // The mask that GET shows is no password: who sends it back leaves the password as it is.
  const auto password = config.find(kPasswordField);
  if (password != config.end() && *password == "********") {
    *password = before.value(kPasswordField, base::Json(""));
  }
  directory.config = TRY(close_config(self, directory, std::move(config)));
  TRY(check_display_name(directory.name, "a directory's name"));
  TRY(put(call.write(), directory));
  call.emit("security.directory.updated", {{"id", directory.id}, {"org", directory.org}});
  return ok(directory_json(directory, ConfigShown::yes));
}

Result<Reply> remove_directory(Security& self, Call& call) {
  const auto directory = TRY(need_directory(call.write(), call.parameter("directory")));
  for (const auto& each : TRY(find_by<AccountRecord>(call.write(), "directory", directory.id))) {
    if (each.id == call.caller().account_id) {
      return base::Error{base::Code::invalid_argument,
                         "cannot delete the directory that holds one's own account",
                         "self_change_refused"};
    }
    TRY(self.require_no_less(call, each.id));
  }
  TRY(delete_directory(call.write(), directory));
  call.emit("security.directory.deleted", {{"id", directory.id}, {"org", directory.org}});
  return was_deleted(true);
}

Result<Reply> list_directory_accounts(Security&, Call& call) {
  const auto directory = TRY(need_directory(call.read(), call.parameter("directory")));
  const AccountQuery query = account_query(call);
  std::vector<AccountRecord> out;
  for (auto& each : TRY(find_by<AccountRecord>(call.read(), "directory", directory.id))) {
    if (fits_query(each, query)) out.push_back(std::move(each));
  }
  return ok(TRY(accounts_json(call.read(), out)));
}

Result<Reply> list_directory_groups(Security&, Call& call) {
  const auto directory = TRY(need_directory(call.read(), call.parameter("directory")));
  const std::string pattern = call.query("name").value_or("*");
  std::vector<GroupRecord> out;
  for (auto& each : TRY(find_by<GroupRecord>(call.read(), "directory", directory.id))) {
    if (matches_wildcard(pattern, each.name)) out.push_back(std::move(each));
  }
  return ok(TRY(groups_json(call.read(), out)));
}

Result<Reply> make_directory_account(Security& self, Call& call) {
  const auto directory = TRY(need_directory(call.read(), call.parameter("directory")));
  return make_account_in(self, call, directory, nullptr);
}

Result<Reply> make_directory_group(Security& self, Call& call) {
  const auto directory = TRY(need_directory(call.read(), call.parameter("directory")));
  return make_group_in(self, call, directory, nullptr);
}

Result<Reply> directory_account(Security&, Call& call) {
  const auto directory = TRY(need_directory(call.read(), call.parameter("directory")));
  const auto found = TRY(find_one<AccountRecord>(
      call.read(), "username", pair_term(directory.id, call.parameter("username"))));
  if (!found) {
    return base::Error{base::Code::not_found, "could not locate requested account in the directory",
                       "account_unknown"};
  }
  return ok(TRY(account_json(call.read(), *found)));
}

Result<Reply> directory_group(Security&, Call& call) {
  const auto directory = TRY(need_directory(call.read(), call.parameter("directory")));
  const auto found = TRY(find_one<GroupRecord>(
      call.read(), "name", pair_term(directory.id, call.parameter("groupname"))));
  if (!found) {
    return base::Error{base::Code::not_found, "could not locate requested group in the directory",
                       "group_unknown"};
  }
  return ok(TRY(group_json(call.read(), *found)));
}

Result<void> prepare_sync(Security& self, Call& call) {
  const auto directory = TRY(directory_of_path(self, call));
  if (!directory) return {};  // gone meanwhile; the handler says so
  call.keep(TRY(look_up_shadows(self, *directory)));
  return {};
}

Result<Reply> sync_directory(Security&, Call& call) {
  const auto directory = TRY(need_directory(call.write(), call.parameter("directory")));
  const auto* seen = call.kept<std::vector<ShadowSeen>>();
  const SyncReport report = TRY(take_over(call, directory, *seen));
  return ok({{"present", report.present}, {"disabled", report.disabled}});
}

using rest::Method;
constexpr services::ActionOptions<Security> kHere = {.resolve = resolve_directory};
constexpr services::Action<Security> kActions[] = {
    {Method::get,
     "/orgs/{org}/directories",
     "directory.list",
     services::authenticated(),
     Kind::query,
     list_directories,
     "An organisation's directories",
     {.reply = reply::kDirectories}},
    {Method::post,
     "/orgs/{org}/directories",
     "directory.create",
     services::right("createDirectory"),
     Kind::mutation,
     noticed<make_directory>,
     "Creates a directory",
     {.reply = reply::kDirectory}},
    {Method::get, "/directories/{directory}", "directory.view", services::authenticated(),
     Kind::query, show_directory, "A directory", services::replying(kHere, reply::kDirectory)},
    {Method::patch, "/directories/{directory}", "directory.update",
     services::right("updateDirectory"), Kind::mutation, noticed<patch_directory>,
     "Changes a directory", services::replying(kHere, reply::kDirectory)},
    {Method::del, "/directories/{directory}", "directory.delete",
     services::right("deleteDirectory"), Kind::mutation, noticed<remove_directory>,
     "Deletes a directory with its accounts and groups",
     services::replying(kHere, reply::kDeleted)},
    {Method::post,
     "/directories/{directory}/sync",
     "directory.sync",
     services::right("updateDirectory"),
     Kind::mutation,
     sync_directory,
     "Brings who was taken over from an LDAP directory up to date, disables who is gone there",
     {.reply = reply::kDirectorySync, .prepare = prepare_sync, .resolve = resolve_directory}},
    {Method::get,
     "/directories/{directory}/accounts",
     "account.list",
     services::right("readDirectory"),
     Kind::query,
     list_directory_accounts,
     "Accounts of a directory, by ?username=, ?email=, ?phoneNumber= with *",
     {.flags = services::kOnWorker,
      .reply = reply::kAccounts,
      .prepare = prepare_directory_search,
      .resolve = resolve_directory}},
    {Method::post,
     "/directories/{directory}/accounts",
     "account.create",
     services::right("createAccount"),
     Kind::mutation,
     noticed<make_directory_account>,
     "Creates an account in a directory",
     {.reply = reply::kAccount, .prepare = prepare_password, .resolve = resolve_directory}},
    {Method::get,
     "/directories/{directory}/groups",
     "group.list",
     services::right("readDirectory"),
     Kind::query,
     list_directory_groups,
     "Groups of a directory, by ?name= with *",
     {.flags = services::kOnWorker,
      .reply = reply::kGroups,
      .prepare = prepare_directory_group_search,
      .resolve = resolve_directory}},
    {Method::post, "/directories/{directory}/groups", "group.create",
     services::right("createGroup"), Kind::mutation, noticed<make_directory_group>,
     "Creates a group in a directory", services::replying(kHere, reply::kGroup)},
    {Method::get, "/directories/{directory}/usernames/{username}", "account.view",
     services::right("readDirectory"), Kind::query, directory_account,
     "An account of a directory by name", services::replying(kHere, reply::kAccount)},
    {Method::get, "/directories/{directory}/groupnames/{groupname}", "group.view",
     services::right("readDirectory"), Kind::query, directory_group,
     "A group of a directory by name", services::replying(kHere, reply::kGroup)},
};

}  // namespace

void add_directory_actions(services::ActionTable& table, Security& self) {
  table.add(kActions, self);
}

}  // namespace security
