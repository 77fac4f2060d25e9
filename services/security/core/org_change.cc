// SPDX-License-Identifier: Apache-2.0
// Organisations and account stores: the part of change.h that copies and maps.
#include <algorithm>

#include "services/security/core/change.h"
#include "services/security/model/names.h"

namespace security {

namespace {

base::Error store_error(std::string detail) {
  return {base::Code::invalid_argument, std::move(detail), "account_store_invalid"};
}

base::Result<void> map_store(store::Writer& writer, base::Rng& rng, std::string_view app,
                             std::string_view type, std::string_view target, bool accounts,
                             bool groups) {
  StoreRecord store{.id = rng.uuid(), .app = std::string(app)};
  store.type = type;
  store.store = target;
  store.default_accounts = accounts;
  store.default_groups = groups;
  return put(writer, store);
}

base::Result<void> make_admins(store::Writer& writer, base::Rng& rng, const OrgRecord& org,
                               const AppRecord& app, const AccountRecord& creator) {
  GroupRecord admins{.id = rng.uuid(), .directory = creator.directory, .name = admins_name(org)};
  admins.description = "automatically created admin group for " + org.fqon + " to house creator";
  TRY(create_group(writer, admins));
  TRY(add_member(writer, admins, creator));
  TRY(map_store(writer, rng, app.id, kStoreGroup, admins.id, false, false));
  TRY(add_right(writer, rng, app.id, admins.id, true,
                {.name = std::string(kSuperuser), .value = {}}));
  return {};
}

base::Result<void> make_users(store::Writer& writer, base::Rng& rng, const OrgRecord& org,
                              const AppRecord& app) {
  const DirectoryRecord directory = TRY(
      create_directory(writer, {.id = rng.uuid(),
                                .org = org.id,
                                .name = org.id + "-user-dir",
                                .description = "automatically created directory for " + org.fqon +
                                               " to house organization users and groups"}));
  GroupRecord users{.id = rng.uuid(), .directory = directory.id, .name = users_name(org)};
  users.description = "automatically created user group for " + org.fqon + " to house users";
  TRY(create_group(writer, users));
  TRY(map_store(writer, rng, app.id, kStoreGroup, users.id, true, false));
  return map_store(writer, rng, app.id, kStoreDirectory, directory.id, false, true);
}

base::Result<void> inherit(store::Writer& writer, base::Rng& rng, const OrgRecord& parent,
                           const AppRecord& app) {
  const AppRecord source = TRY(service_app(writer, parent.id));
  for (StoreRecord store : TRY(find_by<StoreRecord>(writer, "app", source.id))) {
    store.id = rng.uuid();
    store.app = app.id;
    TRY(put(writer, store));
  }
  for (RightRecord right : TRY(find_by<RightRecord>(writer, "app", source.id))) {
    right.id = rng.uuid();
    right.app = app.id;
    TRY(put(writer, right));
  }
  return {};
}

base::Result<void> check_defaults(store::Writer& writer, const StoreRecord& store) {
  if (store.default_groups && store.type != kStoreDirectory) {
    return store_error("default group store must be an account store of type DIRECTORY");
  }
  for (const StoreRecord& each : TRY(find_by<StoreRecord>(writer, "app", store.app))) {
    if (each.id == store.id) continue;
    if ((each.default_accounts && store.default_accounts) ||
        (each.default_groups && store.default_groups)) {
      return base::Error{base::Code::already_exists,
                         each.default_accounts && store.default_accounts
                             ? "default account store already set"
                             : "default group store already set",
                         "default_store_set"};
    }
  }
  return {};
}

}  // namespace

base::Result<OrgRecord> create_org(store::Writer& writer, base::Rng& rng, const OrgRecord& parent,
                                   const AccountRecord& creator, const NewOrg& wanted) {
  if (wanted.default_users && wanted.inherit_parent) {
    return base::Error{base::Code::invalid_argument,
                       "cannot inherit permissions and create default account group",
                       "org_invalid"};
  }
  OrgRecord org{.id = rng.uuid(), .name = wanted.name, .parent = parent.id};
  org.fqon = TRY(make_fqon(parent.fqon, wanted.name));
  org.description = wanted.description;
  if (TRY(find_one<OrgRecord>(writer, "fqon", org.fqon))) {
    return base::Error{base::Code::already_exists, "org name already exists in the parent org",
                       "name_taken"};
  }
  TRY(put(writer, org));
  const AppRecord app = TRY(create_app(
      writer, {.id = rng.uuid(), .org = org.id, .name = org.id + "-system-app", .service = true}));
  if (wanted.inherit_parent) {
    TRY(inherit(writer, rng, parent, app));
    return org;
  }
  if (wanted.default_users) TRY(make_users(writer, rng, org, app));
  TRY(make_admins(writer, rng, org, app, creator));
  return org;
}

base::Result<std::vector<std::string>> delete_org(store::Writer& writer, const OrgRecord& org) {
  if (org.parent.empty()) {
    return base::Error{base::Code::invalid_argument, "cannot delete root org", "root_org_kept"};
  }
  std::vector<OrgRecord> tree = TRY(org_tree(writer, org));
  std::reverse(tree.begin(), tree.end());  // children first
  std::vector<std::string> gone;
  for (const OrgRecord& each : tree) {
    for (const GroupRecord& group : TRY(own_groups(writer, each))) {
      TRY(delete_group(writer, group));
      gone.push_back(group.id);
    }
    for (const auto& app : TRY(find_by<AppRecord>(writer, "org", each.id))) {
      TRY(delete_app(writer, app));
    }
    for (const auto& directory : TRY(find_by<DirectoryRecord>(writer, "org", each.id))) {
      TRY(delete_directory(writer, directory));
    }
    for (const auto& token : TRY(find_by<TokenRecord>(writer, "org", each.id))) {
      TRY(erase(writer, token));
    }
    while (true) {
      const auto keys = TRY(find_by<ApiKeyRecord>(writer, "org", each.id));
      if (keys.empty()) break;
      TRY(delete_api_key(writer, keys.front()));
    }
    for (const auto& client : TRY(find_by<ClientRecord>(writer, "org", each.id))) {
      TRY(erase(writer, client));
    }
    TRY(erase(writer, each));
  }
  return gone;
}

base::Result<void> create_store(store::Writer& writer, const StoreRecord& store) {
  if (store.type == kStoreDirectory) {
    if (!TRY(find<DirectoryRecord>(writer, store.store))) {
      return store_error("account store does not correspond to an existing directory");
    }
  } else if (store.type == kStoreGroup) {
    if (!TRY(find<GroupRecord>(writer, store.store))) {
      return store_error("account store does not correspond to an existing group");
    }
  } else {
    return store_error("an account store is of type DIRECTORY or GROUP");
  }
  for (const StoreRecord& each : TRY(find_by<StoreRecord>(writer, "app", store.app))) {
    if (each.store == store.store) {
      return base::Error{base::Code::already_exists, "mapping already exists",
                         "account_store_exists"};
    }
  }
  TRY(check_defaults(writer, store));
  return put(writer, store);
}

base::Result<void> patch_store(store::Writer& writer, StoreRecord& store,
                               std::span<const PatchOp> ops) {
  for (const PatchOp& op : ops) {
    const bool removes = op.verb == PatchVerb::remove;
    if (op.path == "/isDefaultAccountStore") {
      store.default_accounts = removes ? false : TRY(op.bool_value());
    } else if (op.path == "/isDefaultGroupStore") {
      store.default_groups = removes ? false : TRY(op.bool_value());
    } else if (op.path == "/name") {
      store.name = removes ? std::string() : TRY(op.string_value());
    } else {
      store.description = std::nullopt;
      if (!removes) store.description = TRY(op.string_value());
    }
  }
  TRY(check_defaults(writer, store));
  return put(writer, store);
}

}  // namespace security
