// SPDX-License-Identifier: Apache-2.0
#include "services/security/routes_people.h"

#include <algorithm>

#include "services/framework/host.h"
#include "services/security/core/render.h"
#include "services/security/model/names.h"

namespace security {

namespace {

using base::Result;
using services::Call;
using services::Reply;

base::Error read_only(std::string_view what) {
  return {base::Code::invalid_argument,
          std::string(what) +
              " create request not valid: the "
              "directory is kept elsewhere and only read",
          "directory_read_only"};
}

bool fits(const std::optional<std::string>& pattern, std::string_view text) {
  return !pattern || matches_wildcard(*pattern, text);
}

// Asks an external directory and keeps what it said as shadows, so that the search itself reads
// the store alone.
Result<void> shadow_accounts(Security& self, const DirectoryRecord& directory,
                             const AccountQuery& query) {
  const bool asked = query.username || query.email || query.phone;
  if (directory.type != kLdap || self.ldap() == nullptr || !asked) return {};
  const base::Json config = TRY(self.open_config(directory));
  const auto found = TRY(self.ldap()->find_accounts(config, query));
  if (found.empty()) return {};
  return self.host().transact("security.account.shadow", services::internal_caller("security"),
                              [&](Call& call) -> Result<void> {
                                for (const ExternalAccount& each : found) {
                                  TRY(shadow_account(call, directory, each));
                                }
                                return {};
                              });
}

Result<void> shadow_groups(Security& self, const DirectoryRecord& directory,
                           const std::string& name) {
  if (directory.type != kLdap || self.ldap() == nullptr) return {};
  const base::Json config = TRY(self.open_config(directory));
  const auto found = TRY(self.ldap()->find_groups(config, name));
  if (found.empty()) return {};
  return self.host().transact("security.group.shadow", services::internal_caller("security"),
                              [&](Call& call) -> Result<void> {
                                for (const ExternalGroup& each : found) {
                                  TRY(shadow_group(call, directory, each));
                                }
                                return {};
                              });
}

// The groups a new account is put into by its creator.
Result<void> join_groups(Security& self, Call& call, const AccountRecord& account,
                         const std::vector<std::string>& ids) {
  for (const std::string& id : ids) {
    const GroupRecord group = TRY(need_group(call.write(), id));
    const std::string org = TRY(org_of_group(call.write(), id));
    TRY(self.require(call, org, "updateGroup"));
    TRY(self.require_no_less(call, id));
    TRY(add_member(call.write(), group, account));
  }
  return {};
}

Result<void> grant_all(Security& self, Call& call, const AppRecord& app, std::string_view subject,
                       bool for_group, const std::vector<NewRight>& rights) {
  if (rights.empty()) return {};
  TRY(self.require(call, app.org, app.service ? "createOrgGrant" : "createAppGrant"));
  for (const NewRight& right : rights) {
    TRY(self.require_superuser_if(call, right.name, app));
    TRY(add_right(call.write(), self.host().rng(), app.id, subject, for_group, right));
  }
  return {};
}

}  // namespace

AccountQuery account_query(const Call& call) {
  return {.username = call.query("username"),
          .email = call.query("email"),
          .phone = call.query("phoneNumber")};
}

bool fits_query(const AccountRecord& account, const AccountQuery& query) {
  return fits(query.username, account.username) && fits(query.email, account.email.value_or("")) &&
         fits(query.phone, account.phone.value_or(""));
}

Result<Reply> make_account_in(Security& self, Call& call, const DirectoryRecord& directory,
                              const AppRecord* app, const GroupRecord* group) {
  if (directory.type != kInternal) return read_only("Account");
  TRY(self.require(call, directory.org, "createAccount"));
  NewAccount wanted = TRY(read_account(call.body()));
  wanted.record.id = call.new_id();
  wanted.record.directory = directory.id;
  if (const std::string* hash = call.kept<std::string>()) wanted.record.hash = *hash;
  TRY(create_account(call.write(), wanted.record));
  TRY(join_groups(self, call, wanted.record, wanted.groups));
  if (group != nullptr) {
    TRY(self.require_no_less(call, group->id));
    TRY(add_member(call.write(), *group, wanted.record));
  }
  if (app != nullptr) {
    TRY(grant_all(self, call, *app, wanted.record.id, false, wanted.rights));
  }
  const base::Json out = TRY(account_json(call.write(), wanted.record));
  call.emit("security.account.created", out);
  return created(out, "accounts");
}

Result<Reply> make_group_in(Security& self, Call& call, const DirectoryRecord& directory,
                            const AppRecord* app) {
  if (directory.type != kInternal) return read_only("Group");
  TRY(self.require(call, directory.org, "createGroup"));
  GroupRecord group{.id = call.new_id(), .directory = directory.id};
  std::string description;
  std::vector<NewRight> rights;
  base::Fields fields(call.body());
  fields.required("name", group.name, {.length_min = 1, .length_max = kNameMax});
  fields.optional("description", description, {.length_max = 1024});
  if (const base::Json* list = fields.find_array("rights", 100)) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      rights.push_back(TRY(read_right((*list)[i], "/rights/" + std::to_string(i))));
    }
  }
  TRY(fields.finish(base::UnknownFields::ignore));
  if (!description.empty()) group.description = description;
  TRY(create_group(call.write(), group));
  if (app != nullptr) TRY(grant_all(self, call, *app, group.id, true, rights));
  const base::Json out = TRY(group_json(call.write(), group));
  call.emit("security.group.created", out);
  return created(out, "groups");
}

Result<std::optional<DirectoryRecord>> directory_of_path(Security& self, Call& call) {
  std::optional<DirectoryRecord> out;
  const base::Result<void> done =
      self.host().store().read([&](store::Reader& reader) -> Result<void> {
        out = TRY(find<DirectoryRecord>(reader, call.parameter("directory")));
        return {};
      });
  TRY(done);
  return out;
}

Result<void> prepare_directory_search(Security& self, Call& call) {
  const auto directory = TRY(directory_of_path(self, call));
  if (!directory) return {};
  return shadow_accounts(self, *directory, account_query(call));
}

Result<void> prepare_directory_group_search(Security& self, Call& call) {
  const auto directory = TRY(directory_of_path(self, call));
  const auto name = call.query("name");
  if (!directory || !name) return {};
  return shadow_groups(self, *directory, *name);
}

Result<void> prepare_app_search(Security& self, Call& call) {
  const AccountQuery query = account_query(call);
  const auto name = call.query("name");
  std::vector<DirectoryRecord> directories;
  const base::Result<void> read =
      self.host().store().read([&](store::Reader& reader) -> Result<void> {
        const AppRecord app = TRY(service_app(reader, call.org().id));
        for (const StoreRecord& each : TRY(find_by<StoreRecord>(reader, "app", app.id))) {
          directories.push_back(TRY(directory_of(reader, each)));
        }
        return {};
      });
  TRY(read);
  for (const DirectoryRecord& directory : directories) {
    TRY(shadow_accounts(self, directory, query));
    if (name) TRY(shadow_groups(self, directory, *name));
  }
  return {};
}

}  // namespace security
