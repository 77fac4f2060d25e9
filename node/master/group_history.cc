// SPDX-License-Identifier: Apache-2.0
#include "node/master/group_history.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace node::master {
namespace {

using base::Json;

constexpr std::size_t kDefinitionsMax = 20'000;

}  // namespace

std::vector<GroupVersion> GroupHistory::add(GroupVersion version) {
  definitions_ += version.apps.size();
  versions_.push_back(std::move(version));
  std::vector<GroupVersion> gone;
  while (versions_.size() > 1 &&
         (versions_.size() > kGroupVersionsMax || definitions_ > kDefinitionsMax)) {
    definitions_ -= versions_.front().apps.size();
    gone.push_back(std::move(versions_.front()));
    versions_.pop_front();
  }
  return gone;
}

const GroupVersion* GroupHistory::find(const std::string& version) const {
  const auto found =
      std::find_if(versions_.begin(), versions_.end(),
                   [&](const GroupVersion& each) { return each.version == version; });
  return found == versions_.end() ? nullptr : &*found;
}

GroupContent GroupHistory::at(const std::string& version, GroupContent now) const {
  for (auto change = versions_.rbegin(); change != versions_.rend() && change->version > version;
       ++change) {
    for (const auto& [id, app] : change->apps) {
      if (app == nullptr) now.apps.erase(id);
      if (app != nullptr) now.apps[id] = app;
    }
    for (const auto& [id, info] : change->groups) {
      if (!info) now.groups.erase(id);
      if (info) now.groups[id] = *info;
    }
  }
  return now;
}

base::Json to_json(const GroupInfo& info) {
  return {{"dependencies", info.dependencies}, {"version", info.version}};
}

base::Result<GroupInfo> read_group_info(const base::Json& json) {
  GroupInfo info;
  base::Fields fields(json);
  fields.optional("dependencies", info.dependencies);
  fields.optional("version", info.version);
  TRY(fields.finish(base::UnknownFields::ignore));
  return info;
}

std::vector<std::string> to_parts(const GroupVersion& version, std::size_t bytes_max) {
  Json groups = Json::object();
  for (const auto& [id, info] : version.groups) groups[id] = info ? to_json(*info) : Json();
  std::vector<std::string> parts;
  Json apps = Json::object();
  std::size_t bytes = 0;
  const auto close = [&] {
    Json part = {{"apps", std::exchange(apps, Json::object())}};
    if (parts.empty()) part["groups"] = std::move(groups);
    parts.push_back(base::dump_json(part));
    bytes = 0;
  };
  for (const auto& [id, app] : version.apps) {
    Json record = app == nullptr ? Json() : to_record(*app);
    const std::size_t size = base::dump_json(record).size();
    if (bytes > 0 && bytes + size > bytes_max) close();
    bytes += size;
    apps[id] = std::move(record);
  }
  close();
  return parts;
}

base::Result<void> read_part(const base::Json& part, GroupVersion& version) {
  base::Fields fields(part);
  const Json* apps = fields.find_object("apps");
  const Json* groups = fields.find_object("groups");
  TRY(fields.finish(base::UnknownFields::ignore));
  if (groups != nullptr) {
    for (const auto& [id, info] : groups->items()) {
      std::optional<GroupInfo>& into = version.groups[id];
      if (!info.is_null()) into = TRY(read_group_info(info));
    }
  }
  if (apps == nullptr) return {};
  for (const auto& [id, record] : apps->items()) {
    AppPtr& into = version.apps[id];
    if (!record.is_null()) into = std::make_shared<const App>(TRY(from_record(record)));
  }
  return {};
}

}  // namespace node::master
