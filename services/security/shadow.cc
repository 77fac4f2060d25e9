// SPDX-License-Identifier: Apache-2.0
// Shadow accounts and groups: what an external directory says of somebody, kept here by its DN.
#include <algorithm>
#include <set>

#include "common/sys/tls.h"
#include "services/security/core/change.h"
#include "services/security/core/render.h"
#include "services/security/model/names.h"
#include "services/security/service.h"

namespace security {

namespace {

// By DN first, so that a renamed account keeps its id and rights; then by name, for an entry that
// was made anew.
base::Result<std::optional<AccountRecord>> known_shadow(store::Reader& reader,
                                                        const DirectoryRecord& directory,
                                                        const ExternalAccount& external) {
  const std::string dn = sys::sha256_hex(external.dn);
  auto found = TRY(find_one<AccountRecord>(reader, "dn", pair_term(directory.id, dn)));
  if (found) return found;
  return find_one<AccountRecord>(reader, "username", pair_term(directory.id, external.username));
}

// An e-mail or phone number that somebody else of the directory has here is left out: the entry
// itself must not keep a person from logging in.
base::Result<std::optional<std::string>> unless_taken(store::Writer& writer, std::string_view index,
                                                      const AccountRecord& account,
                                                      const std::optional<std::string>& value) {
  if (!value) return value;
  const auto found =
      TRY(find_by<AccountRecord>(writer, index, pair_term(account.directory, *value)));
  const bool taken = std::any_of(found.begin(), found.end(),
                                 [&](const AccountRecord& each) { return each.id != account.id; });
  return taken ? std::optional<std::string>() : value;
}

// The account as the directory says it is.
base::Result<AccountRecord> account_said(store::Writer& writer, AccountRecord account,
                                         const ExternalAccount& external) {
  account.username = external.username;
  account.first_name = external.first_name;
  account.last_name = external.last_name;
  account.description = external.description;
  account.hash = std::string(kShadowed);
  account.dn = external.dn;
  const bool email_fits = external.email && check_email(*external.email).has_value();
  account.email = std::nullopt;
  if (email_fits) account.email = TRY(unless_taken(writer, "email", account, external.email));
  account.phone = std::nullopt;
  if (external.phone) {
    const auto phone = canonical_phone(*external.phone);
    if (phone) account.phone = TRY(unless_taken(writer, "phone", account, *phone));
  }
  TRY(check_username(account.username));
  return account;
}

// Makes the account's groups of the directory those of `external`; whether that changed any.
base::Result<bool> follow_groups(services::Call& call, const DirectoryRecord& directory,
                                 const AccountRecord& account, const ExternalAccount& external) {
  store::Writer& writer = call.write();
  std::set<std::string> wanted;
  std::set<std::string> changed;
  for (const ExternalGroup& each : external.groups) {
    const GroupRecord group = TRY(shadow_group(call, directory, each));
    wanted.insert(group.id);
    if (TRY(find<MemberRecord>(writer, pair_term(group.id, account.id)))) continue;
    TRY(add_member(writer, group, account));
    changed.insert(group.id);
  }
  for (const MemberRecord& member : TRY(find_by<MemberRecord>(writer, "account", account.id))) {
    const auto group = TRY(find<GroupRecord>(writer, member.group));
    // Only groups of the directory are the directory's affair.
    const bool theirs = group && group->directory == directory.id && !group->dn.empty();
    if (!theirs || wanted.contains(member.group)) continue;
    TRY(erase(writer, member));
    changed.insert(member.group);
  }
  for (const std::string& id : changed) call.emit("security.group.members", {{"id", id}});
  return !changed.empty();
}

}  // namespace

base::Result<GroupRecord> shadow_group(services::Call& call, const DirectoryRecord& directory,
                                       const ExternalGroup& external) {
  store::Writer& writer = call.write();
  auto found = TRY(find_one<GroupRecord>(writer, "name", pair_term(directory.id, external.name)));
  if (found) return *std::move(found);
  GroupRecord group{.id = call.new_id(), .directory = directory.id, .name = external.name};
  group.description = external.description;
  group.dn = external.dn;
  TRY(create_group(writer, group));
  call.emit("security.group.created", TRY(group_json(writer, group)));
  return group;
}

base::Result<AccountRecord> shadow_account(services::Call& call, const DirectoryRecord& directory,
                                           const ExternalAccount& external) {
  store::Writer& writer = call.write();
  const auto known = TRY(known_shadow(writer, directory, external));
  AccountRecord account = TRY(account_said(
      writer, known.value_or(AccountRecord{.id = call.new_id(), .directory = directory.id}),
      external));
  const bool is_news = !known || encode(*known) != encode(account);
  if (is_news) {
    TRY(put(writer, account));
    call.emit(known ? "security.account.updated" : "security.account.created",
              TRY(account_json(writer, account)));
  }
  const bool moved = TRY(follow_groups(call, directory, account, external));
  if (is_news || moved) TRY(touch_epoch(writer));
  return account;
}

}  // namespace security
