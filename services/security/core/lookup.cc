// SPDX-License-Identifier: Apache-2.0
#include "services/security/core/lookup.h"

#include <algorithm>
#include <map>

namespace security {

namespace {

template <class T>
base::Result<T> need(store::Reader& reader, std::string_view id, base::Error missing) {
  std::optional<T> found = TRY(find<T>(reader, id));
  if (!found) return missing;
  return *std::move(found);
}

base::Error account_missing() {
  return {base::Code::not_found, "could not locate requested account", "account_unknown"};
}

bool holds(const std::vector<std::string>& ids, std::string_view id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

base::Result<OrgRecord> need_org(store::Reader& reader, std::string_view id) {
  return need<OrgRecord>(reader, id,
                         {base::Code::not_found, "could not locate requested org", "org_unknown"});
}
base::Result<DirectoryRecord> need_directory(store::Reader& reader, std::string_view id) {
  return need<DirectoryRecord>(
      reader, id,
      {base::Code::not_found, "could not locate requested directory", "directory_unknown"});
}
base::Result<AccountRecord> need_account(store::Reader& reader, std::string_view id) {
  return need<AccountRecord>(reader, id, account_missing());
}
base::Result<GroupRecord> need_group(store::Reader& reader, std::string_view id) {
  return need<GroupRecord>(
      reader, id, {base::Code::not_found, "could not locate requested group", "group_unknown"});
}
base::Result<AppRecord> need_app(store::Reader& reader, std::string_view id) {
  return need<AppRecord>(
      reader, id,
      {base::Code::not_found, "could not locate requested app", "security_app_unknown"});
}
base::Result<StoreRecord> need_store(store::Reader& reader, std::string_view id) {
  return need<StoreRecord>(
      reader, id,
      {base::Code::not_found, "could not locate requested account store mapping",
       "account_store_unknown"});
}
base::Result<RightRecord> need_right(store::Reader& reader, std::string_view id) {
  return need<RightRecord>(reader, id,
                           {base::Code::not_found, "right grant not found", "right_unknown"});
}

base::Result<AppRecord> service_app(store::Reader& reader, std::string_view org) {
  std::optional<AppRecord> app = TRY(find_one<AppRecord>(reader, "service", org));
  if (!app) {
    return base::Error{base::Code::not_found, "the org has no service app", "security_app_unknown"};
  }
  return *std::move(app);
}

base::Result<OrgRecord> root_org(store::Reader& reader) {
  std::optional<OrgRecord> root = TRY(find_one<OrgRecord>(reader, "fqon", "root"));
  if (!root) {
    return base::Error{base::Code::failed_precondition, "service not initialized",
                       "security_not_initialised"};
  }
  return *std::move(root);
}

base::Result<std::string> org_of_account(store::Reader& reader, std::string_view id) {
  const AccountRecord account = TRY(need_account(reader, id));
  return TRY(need_directory(reader, account.directory)).org;
}

base::Result<std::string> org_of_group(store::Reader& reader, std::string_view id) {
  const GroupRecord group = TRY(need_group(reader, id));
  return TRY(need_directory(reader, group.directory)).org;
}

std::string admins_name(const OrgRecord& org) { return org.id + "-admins"; }
std::string users_name(const OrgRecord& org) { return org.fqon + "-users"; }

base::Result<std::vector<OrgRecord>> org_tree(store::Reader& reader, const OrgRecord& top) {
  std::vector<OrgRecord> out = {top};
  // `out` is its own queue: level by level, each level sorted.
  for (std::size_t begin = 0; begin < out.size();) {
    const std::size_t end = out.size();
    for (; begin < end; ++begin) {
      auto children = TRY(find_by<OrgRecord>(reader, "parent", out[begin].id));
      std::move(children.begin(), children.end(), std::back_inserter(out));
    }
    std::sort(out.begin() + static_cast<std::ptrdiff_t>(end), out.end(),
              [](const OrgRecord& a, const OrgRecord& b) { return a.fqon < b.fqon; });
  }
  return out;
}

base::Result<std::vector<GroupRecord>> own_groups(store::Reader& reader, const OrgRecord& org) {
  std::vector<GroupRecord> out;
  for (const AppRecord& app : TRY(find_by<AppRecord>(reader, "org", org.id))) {
    for (const StoreRecord& store : TRY(find_by<StoreRecord>(reader, "app", app.id))) {
      const auto group = store.type == kStoreGroup ? TRY(find<GroupRecord>(reader, store.store))
                                                   : std::optional<GroupRecord>();
      if (group && (group->name == admins_name(org) || group->name == users_name(org))) {
        out.push_back(*group);
      }
    }
  }
  return out;
}

base::Result<std::vector<std::string>> groups_of(store::Reader& reader, std::string_view account) {
  std::vector<std::string> out;
  for (const MemberRecord& member : TRY(find_by<MemberRecord>(reader, "account", account))) {
    const auto group = TRY(find<GroupRecord>(reader, member.group));
    if (group && !group->disabled) out.push_back(group->id);
  }
  return out;
}

base::Result<std::vector<AccountRecord>> members_of(store::Reader& reader, std::string_view group) {
  std::vector<AccountRecord> out;
  for (const MemberRecord& member : TRY(all<MemberRecord>(reader, std::string(group) + "/"))) {
    auto account = TRY(find<AccountRecord>(reader, member.account));
    if (account) out.push_back(*std::move(account));
  }
  return out;
}

base::Result<bool> belongs_to_app(store::Reader& reader, const AccountRecord& account,
                                  std::string_view app) {
  if (account.disabled) return false;
  const std::vector<std::string> groups = TRY(groups_of(reader, account.id));
  for (const StoreRecord& each : TRY(find_by<StoreRecord>(reader, "app", app))) {
    if (each.type == kStoreDirectory ? each.store == account.directory
                                     : holds(groups, each.store)) {
      return true;
    }
  }
  return false;
}

base::Result<std::vector<AccountRecord>> accounts_of_app(store::Reader& reader,
                                                         std::string_view app) {
  std::map<std::pair<std::string, std::string>, AccountRecord> found;  // by username, then id
  for (const StoreRecord& each : TRY(find_by<StoreRecord>(reader, "app", app))) {
    auto accounts = each.type == kStoreDirectory
                        ? TRY(find_by<AccountRecord>(reader, "directory", each.store))
                        : TRY(members_of(reader, each.store));
    for (AccountRecord& account : accounts) {
      if (!account.disabled) {
        found.try_emplace({account.username, account.id}, std::move(account));
      }
    }
  }
  std::vector<AccountRecord> out;
  for (auto& [key, account] : found) out.push_back(std::move(account));
  return out;
}

base::Result<std::vector<GroupRecord>> groups_of_app(store::Reader& reader, std::string_view app) {
  std::map<std::pair<std::string, std::string>, GroupRecord> found;
  for (const StoreRecord& each : TRY(find_by<StoreRecord>(reader, "app", app))) {
    std::vector<GroupRecord> groups;
    if (each.type == kStoreDirectory) {
      groups = TRY(find_by<GroupRecord>(reader, "directory", each.store));
    } else if (auto group = TRY(find<GroupRecord>(reader, each.store))) {
      groups.push_back(*std::move(group));
    }
    for (GroupRecord& group : groups) {
      found.try_emplace({group.name, group.id}, std::move(group));
    }
  }
  std::vector<GroupRecord> out;
  for (auto& [key, group] : found) out.push_back(std::move(group));
  return out;
}

base::Result<bool> group_in_app(store::Reader& reader, const GroupRecord& group,
                                std::string_view app) {
  for (const StoreRecord& each : TRY(find_by<StoreRecord>(reader, "app", app))) {
    if (each.store == group.id || each.store == group.directory) return true;
  }
  return false;
}

base::Result<StoreRecord> default_account_store(store::Reader& reader, std::string_view app) {
  for (StoreRecord& each : TRY(find_by<StoreRecord>(reader, "app", app))) {
    if (each.default_accounts) return std::move(each);
  }
  return base::Error{base::Code::invalid_argument, "app does not have a default account store",
                     "default_store_missing"};
}

base::Result<DirectoryRecord> default_group_store(store::Reader& reader, std::string_view app) {
  for (const StoreRecord& each : TRY(find_by<StoreRecord>(reader, "app", app))) {
    if (each.default_groups) return need_directory(reader, each.store);
  }
  return base::Error{base::Code::invalid_argument,
                     "specified app does not have a default group store", "default_store_missing"};
}

base::Result<DirectoryRecord> directory_of(store::Reader& reader, const StoreRecord& store) {
  if (store.type == kStoreDirectory) return need_directory(reader, store.store);
  const GroupRecord group = TRY(need_group(reader, store.store));
  return need_directory(reader, group.directory);
}

base::Result<AccountRecord> account_by_name(store::Reader& reader, std::string_view app,
                                            std::string_view username) {
  const StoreRecord store = TRY(default_account_store(reader, app));
  const DirectoryRecord directory = TRY(directory_of(reader, store));
  auto account =
      TRY(find_one<AccountRecord>(reader, "username", pair_term(directory.id, username)));
  if (!account) return account_missing();
  if (store.type == kStoreGroup &&
      !TRY(find<MemberRecord>(reader, pair_term(store.store, account->id)))) {
    return account_missing();
  }
  return *std::move(account);
}

base::Result<std::vector<RightRecord>> rights_of_subject(store::Reader& reader,
                                                         std::string_view app,
                                                         std::string_view subject) {
  std::vector<RightRecord> out = TRY(find_by<RightRecord>(reader, "subject", subject));
  std::erase_if(out, [&](const RightRecord& right) { return right.app != app; });
  return out;
}

base::Result<std::vector<RightRecord>> rights_of_account(store::Reader& reader,
                                                         std::string_view app,
                                                         std::string_view account) {
  std::vector<RightRecord> out = TRY(rights_of_subject(reader, app, account));
  for (const std::string& group : TRY(groups_of(reader, account))) {
    auto more = TRY(rights_of_subject(reader, app, group));
    std::move(more.begin(), more.end(), std::back_inserter(out));
  }
  return out;
}

base::Result<RightRecord> right_by_name(store::Reader& reader, std::string_view app,
                                        std::string_view subject, std::string_view name) {
  for (RightRecord& right : TRY(rights_of_subject(reader, app, subject))) {
    if (right.name == name) return std::move(right);
  }
  return base::Error{base::Code::not_found, "could not locate requested right", "right_unknown"};
}

}  // namespace security
