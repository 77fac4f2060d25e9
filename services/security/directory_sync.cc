// SPDX-License-Identifier: Apache-2.0
#include "services/security/directory_sync.h"

#include <algorithm>

#include "common/base/log.h"
#include "services/framework/host.h"
#include "services/security/core/change.h"

namespace security {

namespace {

constexpr std::size_t kTogetherMax = 200;  // accounts per transaction of the timer

base::Result<void> sync_directory(Security& self, const DirectoryRecord& directory) {
  const std::vector<ShadowSeen> seen = TRY(look_up_shadows(self, directory));
  for (std::size_t at = 0; at < seen.size(); at += kTogetherMax) {
    const auto part = std::span(seen).subspan(at, std::min(kTogetherMax, seen.size() - at));
    const base::Result<void> taken =
        self.host().transact("security.directory.sync", services::internal_caller("security"),
                             [&](services::Call& call) -> base::Result<void> {
                               if (!TRY(find<DirectoryRecord>(call.write(), directory.id)))
                                 return {};
                               TRY(take_over(call, directory, part));
                               return {};
                             });
    TRY(taken);
  }
  return {};
}

}  // namespace

base::Result<std::vector<ShadowSeen>> look_up_shadows(Security& self,
                                                      const DirectoryRecord& directory) {
  if (directory.type != kLdap || self.ldap() == nullptr) {
    return base::Error{base::Code::invalid_argument, "only LDAP directories are kept elsewhere",
                       "directory_type_unknown"};
  }
  const base::Json config = TRY(self.open_config(directory));
  std::vector<AccountRecord> accounts;
  const auto read = self.host().store().read([&](store::Reader& reader) -> base::Result<void> {
    accounts = TRY(find_by<AccountRecord>(reader, "directory", directory.id));
    return {};
  });
  TRY(read);
  std::vector<ShadowSeen> seen;
  for (AccountRecord& account : accounts) {
    if (account.hash != kShadowed || account.disabled) continue;
    auto found = TRY(self.ldap()->find_accounts(config, {.username = account.username}));
    const auto same = std::find_if(found.begin(), found.end(), [&](const ExternalAccount& each) {
      return each.dn == account.dn || each.username == account.username;
    });
    seen.push_back({std::move(account.id), same == found.end() ? std::optional<ExternalAccount>()
                                                               : std::optional(std::move(*same))});
  }
  const bool has_nobody = std::none_of(
      seen.begin(), seen.end(), [](const ShadowSeen& each) { return each.external.has_value(); });
  if (seen.size() > 1 && has_nobody) {
    return base::Error{base::Code::failed_precondition,
                       "the directory knows none of its " + std::to_string(seen.size()) +
                           " accounts any more: nobody was disabled",
                       "directory_empty"};
  }
  return seen;
}

base::Result<SyncReport> take_over(services::Call& call, const DirectoryRecord& directory,
                                   std::span<const ShadowSeen> seen) {
  SyncReport report;
  for (const ShadowSeen& each : seen) {
    const auto account = TRY(find<AccountRecord>(call.write(), each.account));
    if (!account || account->disabled) continue;  // changed here meanwhile
    if (each.external) {
      TRY(shadow_account(call, directory, *each.external));
      ++report.present;
      continue;
    }
    TRY(set_disabled(call.write(), *account, true));
    call.emit("security.account.disabled", {{"id", account->id}});
    ++report.disabled;
  }
  if (report.disabled > 0) TRY(touch_epoch(call.write()));
  return report;
}

void sync_directories(Security& self) {
  std::vector<DirectoryRecord> directories;
  const auto read = self.host().store().read([&](store::Reader& reader) -> base::Result<void> {
    directories = TRY(all<DirectoryRecord>(reader));
    return {};
  });
  if (!read) base::log::warning("SECURITY_DIRECTORY", "no directory was read", {}, read.error());
  for (const DirectoryRecord& directory : directories) {
    if (directory.type != kLdap || self.ldap() == nullptr) continue;
    const auto synced = sync_directory(self, directory);
    if (!synced) {
      base::log::warning("SECURITY_DIRECTORY", "a directory's accounts stay as they are",
                         {{"directory", directory.id}}, synced.error());
    }
  }
}

}  // namespace security
