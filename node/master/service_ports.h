// SPDX-License-Identifier: Apache-2.0
// Which service ports the definitions hold, and a free one for those that ask for any.
//
// Used by the scheduler only.
// 1. A port that a kept definition of any app names is not given to another app.
// 2. Ports of apps that were removed are given last, so that a group that is brought back finds
// its own.
// Threads: none of its own.
#pragma once

#include <map>
#include <set>

#include "node/master/app.h"

namespace node::master {

class ServicePorts {
 public:
  ServicePorts(int first, int last) : first_(first), last_(last), next_(first) {}
  // A definition is kept, or is not any more. Definitions are counted.
  void hold(const App& app);
  void release(const App& app);
  // The same for definitions that only the history of the groups has.
  void remember(const App& app);
  void forget(const App& app);
  // Gives every port of `app` whose service port is 0 a free one, the lowest first; those of
  // `before`, which may be null, stay the app's. 0 stays where none is free.
  App assign(App app, const App* before);

 private:
  bool is_free(int port) const { return !held_.contains(port) && !remembered_.contains(port); }
  int find_free(const std::set<int>& mine);

  int first_;
  int last_;
  int next_;                 // no port below is free
  std::map<int, int> held_;  // port → by how many definitions
  std::map<int, int> remembered_;
};

}  // namespace node::master
