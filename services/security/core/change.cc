// SPDX-License-Identifier: Apache-2.0
#include "services/security/core/change.h"

#include <algorithm>
#include <set>

#include "services/security/model/names.h"
#include "services/security/token/secret_token.h"

namespace security {

namespace {

base::Error taken(std::string detail) {
  return {base::Code::already_exists, std::move(detail), "name_taken"};
}

template <class T>
base::Result<void> erase_all(store::Writer& writer, std::string_view index, std::string_view term) {
  for (const T& each : TRY(find_by<T>(writer, index, term))) TRY(erase(writer, each));
  return {};
}

base::Result<void> erase_rights_and_stores(store::Writer& writer, std::string_view subject) {
  TRY(erase_all<RightRecord>(writer, "subject", subject));
  return erase_all<StoreRecord>(writer, "store", subject);
}

// Name, e-mail and phone of an account are unique within its directory.
base::Result<void> check_unique(store::Writer& writer, const AccountRecord& account) {
  struct Rule {
    std::string_view index;
    std::optional<std::string> value;
    base::Error error;
  };
  const Rule rules[] = {
      {"username", account.username, taken("username already exists in the directory")},
      {"email",
       account.email,
       {base::Code::already_exists, "email address already exists in the directory",
        "email_taken"}},
      {"phone",
       account.phone,
       {base::Code::already_exists, "phone number already exists in the directory",
        "phone_taken"}}};
  for (const Rule& rule : rules) {
    if (!rule.value) continue;
    const auto found =
        TRY(find_by<AccountRecord>(writer, rule.index, pair_term(account.directory, *rule.value)));
    if (std::any_of(found.begin(), found.end(),
                    [&](const AccountRecord& each) { return each.id != account.id; })) {
      return rule.error;
    }
  }
  return {};
}

base::Result<void> check_account(const AccountRecord& account) {
  TRY(check_username(account.username));
  for (const std::string& name : {account.first_name, account.last_name}) {
    if (!name.empty()) TRY(check_display_name(name, "a person's name"));
  }
  if (account.email) TRY(check_email(*account.email));
  return {};
}

// The original's `""` for a field that may be absent.
std::optional<std::string> unless_empty(std::string text) {
  if (text.empty()) return std::nullopt;
  return text;
}

base::Result<void> apply_account_op(AccountRecord& account, const PatchOp& op) {
  if (op.path == "/credential") return {};  // its hash comes beside the operations
  const bool removes = op.verb == PatchVerb::remove;
  const std::string value = removes ? std::string() : TRY(op.string_value());
  if (op.path == "/email") {
    account.email = unless_empty(value);
  } else if (op.path == "/phoneNumber") {
    account.phone = std::nullopt;
    if (!value.empty()) account.phone = TRY(canonical_phone(value));
  } else if (op.path == "/description") {
    account.description = unless_empty(value);
  } else if (op.path == "/firstName") {
    account.first_name = value;
  } else if (op.path == "/lastName") {
    account.last_name = value;
  } else if (op.path == "/username") {
    account.username = value;
  }
  return {};
}

}  // namespace

base::Result<DirectoryRecord> create_directory(store::Writer& writer, DirectoryRecord wanted) {
  TRY(check_display_name(wanted.name, "a directory's name"));
  for (const auto& each : TRY(find_by<DirectoryRecord>(writer, "org", wanted.org))) {
    if (each.name == wanted.name) return taken("directory name already exists in the org");
  }
  TRY(put(writer, wanted));
  return wanted;
}

base::Result<void> delete_directory(store::Writer& writer, const DirectoryRecord& directory) {
  for (const auto& each : TRY(find_by<AccountRecord>(writer, "directory", directory.id))) {
    TRY(delete_account(writer, each));
  }
  for (const auto& each : TRY(find_by<GroupRecord>(writer, "directory", directory.id))) {
    TRY(delete_group(writer, each));
  }
  TRY(erase_all<StoreRecord>(writer, "store", directory.id));
  return erase(writer, directory);
}

base::Result<void> create_account(store::Writer& writer, AccountRecord& account) {
  if (account.phone) account.phone = TRY(canonical_phone(*account.phone));
  TRY(check_account(account));
  TRY(check_unique(writer, account));
  return put(writer, account);
}

base::Result<void> patch_account(store::Writer& writer, AccountRecord& account,
                                 std::span<const PatchOp> ops,
                                 const std::optional<std::string>& new_hash) {
  for (const PatchOp& op : ops) TRY(apply_account_op(account, op));
  TRY(check_account(account));
  TRY(check_unique(writer, account));
  if (new_hash) {
    account.hash = *new_hash;
    // Who holds a token made with the old password holds nothing now.
    TRY(erase_all<TokenRecord>(writer, "account", account.id));
  }
  return put(writer, account);
}

base::Result<void> delete_account(store::Writer& writer, const AccountRecord& account) {
  TRY(erase_all<MemberRecord>(writer, "account", account.id));
  TRY(erase_all<RightRecord>(writer, "subject", account.id));
  TRY(erase_all<TokenRecord>(writer, "account", account.id));
  while (true) {  // deleting a key may delete others of the list
    const auto keys = TRY(find_by<ApiKeyRecord>(writer, "account", account.id));
    if (keys.empty()) break;
    TRY(delete_api_key(writer, keys.front()));
  }
  return erase(writer, account);
}

base::Result<void> set_disabled(store::Writer& writer, AccountRecord account, bool disabled) {
  account.disabled = disabled;
  if (disabled) TRY(erase_all<TokenRecord>(writer, "account", account.id));
  return put(writer, account);
}

base::Result<void> create_group(store::Writer& writer, GroupRecord& group) {
  TRY(check_display_name(group.name, "a group's name"));
  if (TRY(find_one<GroupRecord>(writer, "name", pair_term(group.directory, group.name)))) {
    return taken("group name already exists in the directory");
  }
  return put(writer, group);
}

base::Result<void> patch_group(store::Writer& writer, GroupRecord& group,
                               std::span<const PatchOp> ops) {
  for (const PatchOp& op : ops) {
    const std::string value = op.verb == PatchVerb::remove ? std::string() : TRY(op.string_value());
    if (op.path == "/description") {
      group.description = unless_empty(value);
    } else {
      group.name = value;
    }
  }
  TRY(check_display_name(group.name, "a group's name"));
  const auto other =
      TRY(find_one<GroupRecord>(writer, "name", pair_term(group.directory, group.name)));
  if (other && other->id != group.id) return taken("group name already exists in the directory");
  return put(writer, group);
}

base::Result<void> delete_group(store::Writer& writer, const GroupRecord& group) {
  for (const auto& member : TRY(all<MemberRecord>(writer, group.id + "/"))) {
    TRY(erase(writer, member));
  }
  TRY(erase_rights_and_stores(writer, group.id));
  return erase(writer, group);
}

base::Result<void> add_member(store::Writer& writer, const GroupRecord& group,
                              const AccountRecord& account) {
  return put(writer, MemberRecord{.group = group.id, .account = account.id});
}

base::Result<bool> remove_member(store::Writer& writer, std::string_view group,
                                 std::string_view account) {
  const auto member = TRY(find<MemberRecord>(writer, pair_term(group, account)));
  if (!member) return false;
  TRY(erase(writer, *member));
  return true;
}

base::Result<AppRecord> create_app(store::Writer& writer, AppRecord wanted) {
  TRY(check_display_name(wanted.name, "an app's name"));
  for (const auto& each : TRY(find_by<AppRecord>(writer, "org", wanted.org))) {
    if (each.name == wanted.name) return taken("app name already exists in the org");
  }
  TRY(put(writer, wanted));
  return wanted;
}

base::Result<void> delete_app(store::Writer& writer, const AppRecord& app) {
  TRY(erase_all<RightRecord>(writer, "app", app.id));
  TRY(erase_all<StoreRecord>(writer, "app", app.id));
  return erase(writer, app);
}

base::Result<MadeKey> create_api_key(store::Writer& writer, base::Rng& rng, std::int64_t now,
                                     std::string_view account, std::string_view org,
                                     std::string_view parent) {
  MadeKey made{.record = {.id = rng.uuid()}, .secret = make_token(TokenKind::api_secret, rng)};
  made.record.secret_sha256 = token_hash(made.secret.reveal());
  made.record.account = account;
  made.record.org = org;
  made.record.parent = parent;
  made.record.created = now;
  TRY(put(writer, made.record));
  return made;
}

base::Result<void> delete_api_key(store::Writer& writer, const ApiKeyRecord& key) {
  std::vector<ApiKeyRecord> doomed = {key};
  std::set<std::string> seen = {key.id};
  for (std::size_t i = 0; i < doomed.size(); ++i) {
    for (ApiKeyRecord& child : TRY(find_by<ApiKeyRecord>(writer, "parent", doomed[i].id))) {
      if (seen.insert(child.id).second) doomed.push_back(std::move(child));
    }
  }
  for (const ApiKeyRecord& each : doomed) {
    TRY(erase_all<TokenRecord>(writer, "key", each.id));
    TRY(erase(writer, each));
  }
  return {};
}

base::Result<RightRecord> add_right(store::Writer& writer, base::Rng& rng, std::string_view app,
                                    std::string_view subject, bool for_group,
                                    const NewRight& wanted) {
  TRY(check_grant_name(wanted.name));
  for (const RightRecord& each : TRY(rights_of_subject(writer, app, subject))) {
    if (each.name == wanted.name) {
      return base::Error{base::Code::already_exists, "right grant already exists", "right_exists"};
    }
  }
  RightRecord right{.id = rng.uuid(),
                    .app = std::string(app),
                    .name = wanted.name,
                    .value = wanted.value,
                    .subject = std::string(subject),
                    .for_group = for_group};
  TRY(put(writer, right));
  return right;
}

base::Result<void> patch_right(store::Writer& writer, RightRecord& right,
                               std::span<const PatchOp> ops) {
  for (const PatchOp& op : ops) {
    right.value = std::nullopt;
    if (op.verb != PatchVerb::remove) right.value = TRY(op.string_value());
  }
  return put(writer, right);
}

}  // namespace security
