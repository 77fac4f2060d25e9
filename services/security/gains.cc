// SPDX-License-Identifier: Apache-2.0
#include "services/security/gains.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "services/security/model/names.h"
#include "services/security/service.h"

namespace security {

namespace {

constexpr std::string_view kGains = "gains";
constexpr std::size_t kGainsMax = 32;

base::Json gain_json(std::uint64_t at, const Gain& gain) {
  return {at, gain.account, gain.group, gain.right.scope_id, gain.right.name};
}

// The list of a record of gains; empty when it is not one.
base::Json list_of(const std::optional<StateRecord>& record) {
  if (!record) return base::Json::array();
  auto list = base::parse_json(record->value);
  return list && list->is_array() ? *std::move(list) : base::Json::array();
}

bool is_gain(const base::Json& entry) {
  if (!entry.is_array() || entry.size() != 5 || !entry[0].is_number_unsigned()) return false;
  return std::all_of(entry.begin() + 1, entry.end(),
                     [](const base::Json& field) { return field.is_string(); });
}

services::CallerPtr with_gains(const services::CallerPtr& caller, const std::vector<Gain>& gains) {
  std::shared_ptr<services::Caller> more;
  for (const Gain& gain : gains) {
    if (gain.account != caller->account_id) continue;
    if (!more) more = std::make_shared<services::Caller>(*caller);
    more->group_ids.push_back(gain.group);
    more->rights.insert(gain.right);
  }
  return more ? services::CallerPtr(std::move(more)) : caller;
}

}  // namespace

base::Result<void> note_gain(store::Writer& writer, const Gain& gain) {
  const std::uint64_t before = TRY(epoch(writer));
  TRY(touch_epoch(writer));
  const std::uint64_t now = TRY(epoch(writer));
  const auto record = TRY(find<StateRecord>(writer, kGains));
  const bool goes_on = record && static_cast<std::uint64_t>(record->number) == before;
  base::Json list = goes_on ? list_of(record) : base::Json::array();
  list.push_back(gain_json(now, gain));
  if (list.size() > kGainsMax) list.erase(list.begin());
  return put(writer, StateRecord{.key = std::string(kGains),
                                 .value = base::dump_json(list),
                                 .number = static_cast<std::int64_t>(now)});
}

base::Result<void> note_new_org(store::Writer& writer, const OrgRecord& org,
                                std::string_view creator) {
  const AppRecord app = TRY(service_app(writer, org.id));
  const auto rights = TRY(find_by<RightRecord>(writer, "app", app.id));
  const bool is_plain = rights.size() == 1 && rights[0].name == kSuperuser && !rights[0].value;
  if (!is_plain) return touch_epoch(writer);
  return note_gain(writer, {std::string(creator), rights[0].subject, {org.id, rights[0].name, ""}});
}

base::Result<std::optional<std::vector<Gain>>> gains_between(store::Reader& reader,
                                                             std::uint64_t before,
                                                             std::uint64_t now) {
  using Found = std::optional<std::vector<Gain>>;
  if (before > now || now - before > kGainsMax) return Found();
  const auto record = TRY(find<StateRecord>(reader, kGains));
  if (!record || static_cast<std::uint64_t>(record->number) != now) return Found();
  std::vector<Gain> gains;
  for (const base::Json& entry : list_of(record)) {
    if (!is_gain(entry)) return Found();
    if (entry[0].get<std::uint64_t>() <= before) continue;
    gains.push_back({entry[1].get<std::string>(),
                     entry[2].get<std::string>(),
                     {entry[3].get<std::string>(), entry[4].get<std::string>(), ""}});
  }
  return gains.size() == now - before ? Found(std::move(gains)) : Found();
}

base::Result<std::optional<services::CallerPtr>> CallerCache::find(store::Reader& reader,
                                                                   const std::string& key,
                                                                   std::uint64_t epoch,
                                                                   std::int64_t now) {
  using Found = std::optional<services::CallerPtr>;
  Entry entry;
  {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(key);
    if (at == entries_.end() || at->second.expires <= now) return Found();
    if (at->second.epoch == epoch) return Found(at->second.caller);
    entry = at->second;
  }
  const auto gains = TRY(gains_between(reader, entry.epoch, epoch));
  if (!gains) return Found();
  services::CallerPtr caller = with_gains(entry.caller, *gains);
  put(key, epoch, caller, entry.expires);
  return Found(std::move(caller));
}

void CallerCache::put(const std::string& key, std::uint64_t epoch, services::CallerPtr caller,
                      std::int64_t expires) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(key);
  if (at != entries_.end()) {
    if (at->second.epoch <= epoch) at->second = {std::move(caller), epoch, expires};
    return;
  }
  if (entries_.size() >= entries_max_) entries_.clear();
  entries_.emplace(key, Entry{std::move(caller), epoch, expires});
}

}  // namespace security
