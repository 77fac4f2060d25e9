// SPDX-License-Identifier: Apache-2.0
#include "node/master/dependencies.h"

namespace node::master {
namespace {

// Apps named by `id`: itself, or all apps in the group of that name.
std::vector<std::string> apps_in(const std::map<std::string, AppPtr>& apps, const std::string& id) {
  std::vector<std::string> found;
  for (auto at = id == "/" ? apps.begin() : apps.lower_bound(id); at != apps.end(); ++at) {
    if (id != "/" && !at->first.starts_with(id)) break;
    if (is_within(at->first, id)) found.push_back(at->first);
  }
  return found;
}

}  // namespace

Needs make_needs(const std::map<std::string, AppPtr>& apps,
                 const std::map<std::string, GroupInfo>& groups) {
  Needs needs;
  const auto add = [&](const std::string& app, const std::string& dependency) {
    for (const std::string& other : apps_in(apps, dependency)) {
      if (other != app) needs[app].insert(other);
    }
  };
  for (const auto& [id, app] : apps) {
    needs[id];
    for (const std::string& dependency : app->dependencies) add(id, dependency);
  }
  for (const auto& [id, group] : groups) {
    if (group.dependencies.empty()) continue;
    for (const std::string& app : apps_in(apps, id)) {
      for (const std::string& dependency : group.dependencies) add(app, dependency);
    }
  }
  return needs;
}

bool has_cycle(const Needs& needs) { return make_layers(needs).size() < needs.size(); }

std::map<std::string, int> make_layers(const Needs& needs) {
  // Kahn's algorithm; apps on a circle never get a layer.
  std::map<std::string, std::vector<std::string>> needed_by;
  std::map<std::string, std::size_t> open;
  std::vector<std::string> ready;
  for (const auto& [app, others] : needs) {
    open[app] = others.size();
    for (const std::string& other : others) needed_by[other].push_back(app);
    if (others.empty()) ready.push_back(app);
  }
  std::map<std::string, int> layers;
  for (const std::string& app : ready) layers[app] = 0;
  for (std::size_t i = 0; i < ready.size(); ++i) {
    const std::string app = ready[i];
    for (const std::string& next : needed_by[app]) {
      if (--open[next] > 0) continue;
      // The last of its dependencies to be placed is the deepest one.
      layers[next] = layers[app] + 1;
      ready.push_back(next);
    }
  }
  return layers;
}

}  // namespace node::master
