// SPDX-License-Identifier: Apache-2.0
// Shadow accounts and groups: what an external directory says of somebody, kept here by its DN.
#include <algorithm>
#include <set>

#include "common/sys/tls.h"
#include "services/framework/host.h"
#include "services/security/model/names.h"
#include "services/security/service.h"

namespace security {

namespace {

// By DN first, so that a renamed account keeps its id and rights; then by name, for an entry that
// was made anew.
base::Result<AccountRecord> shadow_of(store::Writer& writer, base::Rng& rng,
                                      const DirectoryRecord& directory,
                                      const ExternalAccount& external) {
  const std::string dn = sys::sha256_hex(external.dn);
  auto found = TRY(find_one<AccountRecord>(writer, "dn", pair_term(directory.id, dn)));
  if (found) return *std::move(found);
  found =
      TRY(find_one<AccountRecord>(writer, "username", pair_term(directory.id, external.username)));
  if (found) return *std::move(found);
  return AccountRecord{.id = rng.uuid(), .directory = directory.id};
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

base::Result<GroupRecord> shadow_group(store::Writer& writer, base::Rng& rng,
                                       const DirectoryRecord& directory,
                                       const ExternalGroup& external) {
  auto found = TRY(find_one<GroupRecord>(writer, "name", pair_term(directory.id, external.name)));
  if (found) return *std::move(found);
  GroupRecord group{.id = rng.uuid(), .directory = directory.id, .name = external.name};
  group.description = external.description;
  group.dn = external.dn;
  TRY(create_group(writer, group));
  return group;
}

}  // namespace

base::Result<AccountRecord> Security::shadow(store::Writer& writer,
                                             const DirectoryRecord& directory,
                                             const ExternalAccount& external) {
  base::Rng& rng = host_->rng();
  AccountRecord account = TRY(shadow_of(writer, rng, directory, external));
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
  TRY(put(writer, account));
  std::set<std::string> wanted;
  for (const ExternalGroup& each : external.groups) {
    const GroupRecord group = TRY(shadow_group(writer, rng, directory, each));
    wanted.insert(group.id);
    TRY(add_member(writer, group, account));
  }
  for (const MemberRecord& member : TRY(find_by<MemberRecord>(writer, "account", account.id))) {
    const auto group = TRY(find<GroupRecord>(writer, member.group));
    // Only groups of the directory are the directory's affair.
    const bool theirs = group && group->directory == directory.id && !group->dn.empty();
    if (theirs && !wanted.contains(member.group)) TRY(erase(writer, member));
  }
  return account;
}

}  // namespace security
