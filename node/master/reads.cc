// SPDX-License-Identifier: Apache-2.0
#include "node/master/reads.h"

#include <nlohmann/json.hpp>

namespace node::master {
namespace {

// What looking at an app costs, in instances: counting one is cheaper than copying it.
std::size_t cost_of(const AppState& app, const AppEmbed& embed) {
  constexpr std::size_t kCountedPerCopy = 8;
  return 1 + app.instances.size() / (embed.tasks ? 1 : kCountedPerCopy);
}

}  // namespace

base::Result<void> read_apps(MasterService& service, const std::string& group,
                             const AppEmbed& embed, const AppWanted& wanted,
                             const std::function<void(const AppView&)>& visit) {
  std::string next = group == "/" ? "" : group;
  std::vector<AppView> bite;
  bool more = true;
  while (more) {
    bite.clear();
    more = false;
    TRY(service.read([&](const Scheduler& scheduler) {
      std::size_t cost = 0;
      for (auto at = scheduler.apps().lower_bound(next); at != scheduler.apps().end(); ++at) {
        if (group != "/" && !at->first.starts_with(group)) break;
        if (cost >= kBite) {
          next = at->first;
          more = true;
          break;
        }
        ++cost;
        if (at->second.current == nullptr || !is_within(at->first, group)) continue;
        if (wanted && !wanted(*at->second.current)) continue;
        cost += cost_of(at->second, embed);
        bite.push_back(look_at(scheduler, at->second, embed));
      }
    }));
    for (const AppView& view : bite) visit(view);
  }
  return {};
}

base::Result<GroupView> read_group(MasterService& service, const std::string& id,
                                   const GroupEmbed& embed) {
  GroupView view{id, "", {}, {}};
  bool found = false;
  TRY(service.read([&](const Scheduler& scheduler) {
    found = has_group(scheduler, id);
    if (id == "/" && !scheduler.history().versions().empty())
      view.version = scheduler.history().versions().back().version;
    for (const auto& [name, info] : scheduler.groups()) {
      if (is_within(name, id)) view.groups[name] = info;
    }
  }));
  if (!found)
    return base::Error{base::Code::not_found, "Group '" + id + "' does not exist", "group_unknown"};
  // Without their apps, groups still need to know which of them exist.
  const AppEmbed parts = embed.apps ? embed.app : AppEmbed{.counts = false, .deployments = false};
  TRY(read_apps(service, id, parts, {}, [&](const AppView& app) { view.apps.push_back(app); }));
  return view;
}

base::Result<void> read_instances(MasterService& service,
                                  const std::function<void(const Instance&, const App*)>& visit) {
  std::string next;
  std::vector<std::pair<Instance, AppPtr>> bite;
  bool more = true;
  while (more) {
    bite.clear();
    more = false;
    TRY(service.read([&](const Scheduler& scheduler) {
      const auto& all = scheduler.instances();
      for (auto at = all.lower_bound(api::InstanceId(next)); at != all.end(); ++at) {
        if (bite.size() >= kBite) {
          next = at->first.text();
          more = true;
          break;
        }
        const AppState* app = scheduler.find_app(at->second.app);
        bite.emplace_back(at->second, app == nullptr ? nullptr : app->current);
      }
    }));
    for (const auto& [instance, app] : bite) visit(instance, app.get());
  }
  return {};
}

}  // namespace node::master
