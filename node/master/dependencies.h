// SPDX-License-Identifier: Apache-2.0
// Who needs whom: the dependencies of apps and groups as one graph over apps, and its layers.
//
// Used by the scheduler to order a deployment's steps and by the routes to refuse circles.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "node/master/state.h"

namespace node::master {

// App → the apps that must stand before it.
using Needs = std::map<std::string, std::set<std::string>>;

// A dependency may name an app or a group (then all apps in it). Unknown names need nothing.
Needs make_needs(const std::map<std::string, AppPtr>& apps,
                 const std::map<std::string, GroupInfo>& groups);
bool has_cycle(const Needs& needs);
// How many steps an app is away from those that need nothing: 0, 1, … Requires: no cycle.
std::map<std::string, int> make_layers(const Needs& needs);

}  // namespace node::master
