// SPDX-License-Identifier: Apache-2.0
#include "node/master/edits.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "node/master/dependencies.h"
#include "node/master/views.h"

namespace node::master {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr std::size_t kGroupDepthMax = 16;
constexpr std::size_t kGroupsMax = 2000;

Error no_such_app(const std::string& id) {
  return {Code::not_found, "App '" + id + "' does not exist", "app_unknown"};
}

// Whether the body asks for an old version and nothing else.
std::optional<std::string> wanted_version(const Json& body) {
  if (!body.is_object() || !body.contains("version") || !body["version"].is_string())
    return std::nullopt;
  if (body.size() > 2 || (body.size() == 2 && !body.contains("id"))) return std::nullopt;
  return body["version"].get<std::string>();
}

// Reads a group definition and everything below it into a change.
class GroupReader {
 public:
  GroupReader(const Scheduler& scheduler, Problems& problems)
      : scheduler_(scheduler), problems_(problems) {}

  void read(const Json& body, const std::string& id, const std::string& pointer,
            std::size_t depth) {
    if (depth > kGroupDepthMax || ++groups_read_ > kGroupsMax) {
      problems_.add(pointer, "groups are nested too deep or are too many");
      return;
    }
    base::Fields fields(body, pointer);
    GroupInfo info;
    const auto known = scheduler_.groups().find(id);
    if (known != scheduler_.groups().end()) info = known->second;
    std::vector<std::string> dependencies;
    fields.optional("dependencies", dependencies, 200, {.length_min = 1, .length_max = 255});
    if (body.is_object() && body.contains("dependencies")) {
      info.dependencies.clear();
      for (const std::string& name : dependencies) {
        const auto other = resolve_id(name, parent_of(id));
        if (!other) problems_.add(pointer + "/dependencies", "'" + name + "' is not an id");
        if (other) info.dependencies.push_back(*other);
      }
    }
    for (const char* name : {"id", "version", "enforceRole", "scaleBy"}) fields.find(name);
    if (const Json* pods = fields.find_array("pods"); pods != nullptr && !pods->empty())
      fields.reject("pods", "pods are not available");
    const Json* apps = fields.find_array("apps");
    const Json* groups = fields.find_array("groups");
    if (auto done = fields.finish(base::UnknownFields::refuse); !done) {
      problems_.add(done.error());
      return;
    }
    change.groups[id] = info;
    if (apps != nullptr) read_apps(*apps, id, pointer);
    if (groups != nullptr) read_groups(*groups, id, pointer, depth);
  }

  Change change;

 private:
  void read_apps(const Json& apps, const std::string& id, const std::string& pointer) {
    std::set<std::string> listed;
    for (std::size_t i = 0; i < apps.size(); ++i) {
      const std::string at = pointer + "/apps/" + std::to_string(i);
      auto app = make_app(apps[i], id, at, problems_);
      if (!app) continue;
      if (parent_of(app->id) != id && !is_within(app->id, id))
        problems_.add(at + "/id", "is not in the group " + id);
      if (!listed.insert(app->id).second) problems_.add(at + "/id", "is listed twice");
      change.put.push_back(std::move(*app));
    }
    // The list is the whole group: what is not in it goes.
    for (const auto& [name, state] : scheduler_.apps()) {
      if (state.current != nullptr && parent_of(name) == id && !listed.contains(name))
        change.remove.insert(name);
    }
  }

  void read_groups(const Json& groups, const std::string& id, const std::string& pointer,
                   std::size_t depth) {
    std::set<std::string> listed;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const std::string at = pointer + "/groups/" + std::to_string(i);
      const bool named =
          groups[i].is_object() && groups[i].contains("id") && groups[i]["id"].is_string();
      const auto child =
          named ? resolve_id(groups[i]["id"].get_ref<const std::string&>(), id) : std::nullopt;
      if (!child || !is_within(*child, id) || *child == id) {
        problems_.add(at + "/id", "must name a group inside " + id);
        continue;
      }
      listed.insert(*child);
      read(groups[i], *child, at, depth + 1);
    }
    const auto stays = [&](const std::string& name) {
      return std::any_of(listed.begin(), listed.end(),
                         [&](const std::string& group) { return is_within(name, group); });
    };
    for (const auto& [name, state] : scheduler_.apps()) {
      const bool below = is_within(name, id) && parent_of(name) != id;
      if (state.current != nullptr && below && !stays(name)) change.remove.insert(name);
    }
    for (const auto& [name, info] : scheduler_.groups()) {
      if (name != id && is_within(name, id) && !stays(name)) change.groups[name] = std::nullopt;
    }
  }

  const Scheduler& scheduler_;
  Problems& problems_;
  std::size_t groups_read_ = 0;
};

Change scale_group(const Scheduler& scheduler, const std::string& id, double factor) {
  Change change;
  for (const auto& [name, state] : scheduler.apps()) {
    if (state.current == nullptr || !is_within(name, id)) continue;
    const double wanted = std::ceil(static_cast<double>(state.current->instances) * factor);
    change.put.push_back(with_instances(*state.current, static_cast<std::int64_t>(wanted)));
  }
  return change;
}

// All of a group as it was at `version`; what has been removed since comes back.
Change group_at(const Scheduler& scheduler, const std::string& id, const std::string& version) {
  Change change = remove_group(scheduler, id);
  const GroupContent content = scheduler.content_at(version);
  for (const auto& [name, definition] : content.apps) {
    if (!is_within(name, id)) continue;
    change.remove.erase(name);
    App app = *definition;
    app.restart_version.clear();
    change.put.push_back(std::move(app));
  }
  for (const auto& [name, info] : content.groups) {
    if (is_within(name, id)) change.groups[name] = info;
  }
  return change;
}

}  // namespace

Result<std::optional<App>> edit_app(const Scheduler& scheduler, const std::string& id,
                                    const Json& body, Partial partial, Create create,
                                    const std::string& pointer, Problems& problems) {
  const AppState* state = scheduler.find_app(id);
  if (state == nullptr && create == Create::no && scheduler.find_unreadable(id) == nullptr)
    return no_such_app(id);
  if (!body.is_object()) {
    problems.add(pointer, "must be an object");
    return std::optional<App>();
  }
  if (const auto version = wanted_version(body)) {
    if (state == nullptr) state = scheduler.find_unreadable(id);
    if (state == nullptr) return no_such_app(id);
    const auto old = state->versions.find(*version);
    if (old == state->versions.end())
      return Error{Code::not_found, "App '" + id + "' does not exist in version " + *version,
                   "version_unknown"};
    App app = *old->second;
    app.restart_version.clear();
    return std::optional<App>(std::move(app));
  }
  Json wanted = body;
  if (state != nullptr && partial == Partial::yes)
    wanted = merge_update(*state->current->document, body);
  wanted["id"] = id;
  return make_app(wanted, "/", pointer, problems);
}

Result<std::optional<Change>> edit_group(const Scheduler& scheduler, const std::string& id,
                                         const Json& body, Create create, Problems& problems) {
  if (!body.is_object()) {
    problems.add("/", "must be an object");
    return std::optional<Change>();
  }
  if (create == Create::no && !has_group(scheduler, id))
    return Error{Code::not_found, "Group '" + id + "' does not exist", "group_unknown"};
  if (body.contains("scaleBy") && !body["scaleBy"].is_null()) {
    const bool fine =
        body["scaleBy"].is_number() && body["scaleBy"] >= 0 && body["scaleBy"] <= 1000;
    if (!fine) {
      problems.add("/scaleBy", "must be a number from 0 to 1000");
      return std::optional<Change>();
    }
    return std::optional<Change>(scale_group(scheduler, id, body["scaleBy"]));
  }
  if (const auto version = wanted_version(body)) {
    if (scheduler.history().find(*version) == nullptr ||
        !has_group(scheduler.content_at(*version), id))
      return Error{Code::not_found, "Group '" + id + "' does not exist in version " + *version,
                   "version_unknown"};
    return std::optional<Change>(group_at(scheduler, id, *version));
  }
  GroupReader reader(scheduler, problems);
  reader.read(body, id, "", 0);
  if (!problems.empty()) return std::optional<Change>();
  // An app that is listed again in another group of the body is not removed.
  for (const App& app : reader.change.put) reader.change.remove.erase(app.id);
  return std::optional<Change>(std::move(reader.change));
}

Change remove_group(const Scheduler& scheduler, const std::string& id) {
  Change change;
  for (const auto& [name, state] : scheduler.apps()) {
    if (state.current != nullptr && is_within(name, id)) change.remove.insert(name);
  }
  for (const auto& [name, info] : scheduler.groups()) {
    if (is_within(name, id)) change.groups[name] = std::nullopt;
  }
  return change;
}

namespace {

// Whether the change could close a circle: only what it puts in with dependencies of its own, or
// what groups depend on, can.
bool may_close_circle(const Change& change, const std::map<std::string, GroupInfo>& groups) {
  return std::any_of(change.put.begin(), change.put.end(),
                     [](const App& app) { return !app.dependencies.empty(); }) ||
         std::any_of(groups.begin(), groups.end(),
                     [](const auto& group) { return !group.second.dependencies.empty(); });
}

}  // namespace

void check_whole(const Scheduler& scheduler, const Change& change, Problems& problems) {
  std::set<std::string> put;
  for (const App& app : change.put) put.insert(app.id);
  const auto stays = [&](const std::string& id, const AppState& state) {
    return state.current != nullptr && !change.remove.contains(id);
  };
  const auto exists = [&](const std::string& id) {
    const auto found = scheduler.apps().find(id);
    return put.contains(id) || (found != scheduler.apps().end() && stays(id, found->second));
  };
  const auto has_apps = [&](const std::string& group) {
    const std::string prefix = group + "/";
    const auto next = put.lower_bound(prefix);
    if (next != put.end() && next->starts_with(prefix)) return true;
    for (auto at = scheduler.apps().lower_bound(prefix);
         at != scheduler.apps().end() && at->first.starts_with(prefix); ++at) {
      if (stays(at->first, at->second)) return true;
    }
    return false;
  };
  std::map<std::string, GroupInfo> groups = scheduler.groups();
  for (const auto& [id, info] : change.groups) {
    if (info) groups[id] = *info;
    if (!info) groups.erase(id);
  }
  const auto is_new = [&](const std::string& id) { return !scheduler.apps().contains(id); };
  if (scheduler.apps().size() +
          static_cast<std::size_t>(std::count_if(put.begin(), put.end(), is_new)) >
      kAppsMax)
    problems.add("/", "there may be at most " + std::to_string(kAppsMax) + " apps");
  for (const std::string& id : put) {
    if (groups.contains(id) || has_apps(id))
      problems.add("/id", "An app and a group cannot both have the id " + id);
    for (std::string group = parent_of(id); group != "/"; group = parent_of(group)) {
      if (exists(group)) problems.add("/id", "An app and a group cannot both have the id " + group);
    }
  }
  if (!may_close_circle(change, groups)) return;
  std::map<std::string, AppPtr> targets;
  for (const auto& [id, state] : scheduler.apps()) {
    if (stays(id, state)) targets[id] = state.current;
  }
  for (const App& app : change.put) targets[app.id] = std::make_shared<const App>(app);
  if (has_cycle(make_needs(targets, groups)))
    problems.add("/dependencies", "Dependency graph has cyclic dependencies.");
}

}  // namespace node::master
