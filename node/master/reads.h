// SPDX-License-Identifier: Apache-2.0
// What the big lists show, taken from the scheduler in small bites and rendered by the caller.
//
// Called by route handlers on workers. Each bite runs on the loop and copies about kBite instances,
// so that a list of a thousand apps delays other requests by less than a millisecond at a time.
// 1. A bite is consistent in itself; between two bites things may change, so a list may show one
// app older than another. No app or instance is shown twice, and none that was there all the time
// is left out. Threads: any but the loop's. Errors of all: those of MasterService::read.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "node/master/service.h"

namespace node::master {

inline constexpr std::size_t kBite = 250;

using AppWanted = std::function<bool(const App&)>;
// The apps in `group` that `wanted` lets through, by id.
base::Result<void> read_apps(MasterService& service, const std::string& group,
                             const AppEmbed& embed, const AppWanted& wanted,
                             const std::function<void(const AppView&)>& visit);
// A group and all in it. Errors: not_found group_unknown.
base::Result<GroupView> read_group(MasterService& service, const std::string& id,
                                   const GroupEmbed& embed);
// All instances by id, with the current definitions of their apps (null while they are removed).
base::Result<void> read_instances(MasterService& service,
                                  const std::function<void(const Instance&, const App*)>& visit);

}  // namespace node::master
