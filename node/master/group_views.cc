// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "node/master/views.h"

namespace node::master {
namespace {

using base::Json;

bool exists(const AppState& app) { return app.current != nullptr; }
bool exists(const AppPtr& app) { return app != nullptr; }

// All groups below and at `id`: those that were made and those that apps stand in.
template <class Groups, class Apps>
std::set<std::string> groups_within(const Groups& groups, const Apps& apps, const std::string& id) {
  std::set<std::string> found;
  const auto add = [&](std::string group) {
    for (; is_within(group, id); group = parent_of(group)) {
      if (!found.insert(group).second || group == "/") return;
    }
  };
  for (const auto& [group, info] : groups) add(group);
  for (const auto& [app, state] : apps) {
    if (exists(state)) add(parent_of(app));
  }
  return found;
}

// Renders one group after another into one text, so that a tree of ten thousand apps never is a
// tree of JSON values as well.
class Tree {
 public:
  Tree(const GroupView& view, const GroupEmbed& embed) : view_(view), embed_(embed) {
    std::set<std::string> known = {view.id};
    for (const auto& [id, info] : view.groups) {
      add(id, known);
      note(id, info.version);
    }
    for (const AppView& app : view.apps) {
      const std::string group = parent_of(app.app->id);
      add(group, known);
      note(group, app.app->version);
      apps_[group].push_back(&app);
    }
  }

  void render(const std::string& id, std::string& out) const {
    Json head = {{"dependencies", Json::array()},
                 {"id", id},
                 {"pods", Json::array()},
                 {"version", version_of(id)}};
    const auto info = view_.groups.find(id);
    if (info != view_.groups.end()) head["dependencies"] = info->second.dependencies;
    const std::string text = base::dump_json(head);
    out.append(text, 0, text.size() - 1);
    out += R"(,"apps":[)";
    if (const auto found = apps_.find(id); embed_.apps && found != apps_.end()) {
      for (const AppView* app : found->second) {
        if (out.back() != '[') out += ',';
        out += base::dump_json(app_json(*app, embed_.app));
      }
    }
    out += R"(],"groups":[)";
    if (const auto found = children_.find(id); embed_.groups && found != children_.end()) {
      for (const std::string& child : found->second) {
        if (out.back() != '[') out += ',';
        render(child, out);
      }
    }
    out += "]}";
  }

 private:
  // The group and those between it and the root of the view.
  void add(std::string group, std::set<std::string>& known) {
    while (known.insert(group).second) {
      const std::string parent = parent_of(group);
      children_[parent].insert(group);
      group = parent;
    }
  }
  // A group's version is that of the last change of anything in it.
  void note(std::string group, const std::string& version) {
    for (; is_within(group, view_.id); group = parent_of(group)) {
      std::string& last = versions_[group];
      last = std::max(last, version);
      if (group == "/") return;
    }
  }
  std::string version_of(const std::string& id) const {
    if (id == view_.id && !view_.version.empty()) return view_.version;
    const auto found = versions_.find(id);
    return found == versions_.end() ? "1970-01-01T00:00:00.000Z" : found->second;
  }

  const GroupView& view_;
  const GroupEmbed& embed_;
  std::map<std::string, std::set<std::string>> children_;
  std::map<std::string, std::vector<const AppView*>> apps_;
  std::map<std::string, std::string> versions_;
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
  return id == "/" || groups_within(scheduler.groups(), scheduler.apps(), id).contains(id);
}

bool has_group(const GroupContent& content, const std::string& id) {
  return id == "/" || groups_within(content.groups, content.apps, id).contains(id);
}

std::string group_text(const GroupView& view, const GroupEmbed& embed) {
  std::string text;
  Tree(view, embed).render(view.id, text);
  return text;
}

}  // namespace node::master
