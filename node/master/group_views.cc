// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "node/master/views.h"

namespace node::master {
namespace {

using base::Json;

// All groups below and at `id`: those that were made and those that apps stand in.
std::set<std::string> groups_within(const Scheduler& scheduler, const std::string& id) {
  std::set<std::string> found;
  const auto add = [&](std::string group) {
    for (; is_within(group, id); group = parent_of(group)) {
      if (!found.insert(group).second || group == "/") return;
    }
  };
  for (const auto& [group, info] : scheduler.groups()) add(group);
  for (const auto& [app, state] : scheduler.apps()) {
    if (state.current != nullptr) add(parent_of(app));
  }
  return found;
}

class Tree {
 public:
  Tree(const Scheduler& scheduler, const std::string& root, const GroupEmbed& embed)
      : scheduler_(scheduler), embed_(embed) {
    for (const std::string& group : groups_within(scheduler, root)) {
      if (group != root) children_[parent_of(group)].push_back(group);
    }
    if (!embed.apps) return;
    for (const auto& [id, app] : scheduler.apps()) {
      if (app.current != nullptr && is_within(id, root)) apps_[parent_of(id)].push_back(&app);
    }
  }

  Json render(const std::string& id) const {
    Json shown = {{"id", id},
                  {"version", version_of(id)},
                  {"dependencies", Json::array()},
                  {"pods", Json::array()},
                  {"apps", Json::array()},
                  {"groups", Json::array()}};
    const auto info = scheduler_.groups().find(id);
    if (info != scheduler_.groups().end()) shown["dependencies"] = info->second.dependencies;
    if (const auto found = apps_.find(id); found != apps_.end()) {
      for (const AppState* app : found->second)
        shown["apps"].push_back(app_json(scheduler_, *app, embed_.app));
    }
    if (!embed_.groups) return shown;
    if (const auto found = children_.find(id); found != children_.end()) {
      for (const std::string& child : found->second) shown["groups"].push_back(render(child));
    }
    return shown;
  }

 private:
  // Of the group itself, or of the last change of anything in it.
  std::string version_of(const std::string& id) const {
    std::string version = "1970-01-01T00:00:00.000Z";
    if (id == "/" && !scheduler_.group_versions().empty())
      return scheduler_.group_versions().back();
    for (const auto& [group, info] : scheduler_.groups()) {
      if (is_within(group, id)) version = std::max(version, info.version);
    }
    for (const auto& [app, state] : scheduler_.apps()) {
      if (state.current != nullptr && is_within(app, id))
        version = std::max(version, state.current->version);
    }
    return version;
  }

  const Scheduler& scheduler_;
  const GroupEmbed& embed_;
  std::map<std::string, std::vector<std::string>> children_;
  std::map<std::string, std::vector<const AppState*>> apps_;
};

}  // namespace

GroupEmbed read_group_embed(const std::vector<std::string>& embed) {
  GroupEmbed out;
  if (embed.empty()) return out;
  out = {.apps = false, .groups = false, .app = {.counts = false, .deployments = false}};
  for (const std::string& value : embed) {
    if (value == "group.groups") out.groups = true;
    if (value == "group.apps" || value.starts_with("group.apps.")) out.apps = true;
  }
  out.app = read_app_embed(embed, out.app);
  return out;
}

bool has_group(const Scheduler& scheduler, const std::string& id) {
  return id == "/" || groups_within(scheduler, id).contains(id);
}

std::optional<base::Json> group_json(const Scheduler& scheduler, const std::string& id,
                                     const GroupEmbed& embed) {
  if (!has_group(scheduler, id)) return std::nullopt;
  return Tree(scheduler, id, embed).render(id);
}

}  // namespace node::master
