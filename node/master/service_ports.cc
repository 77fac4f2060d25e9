// SPDX-License-Identifier: Apache-2.0
#include "node/master/service_ports.h"

#include <algorithm>

namespace node::master {
namespace {

void count(std::map<int, int>& counts, const App& app) {
  for (const PortSlot& slot : app.ports) {
    if (slot.service_port != 0) ++counts[slot.service_port];
  }
}

// Returns the lowest port that nobody counts any more; 0 when there is none.
int discount(std::map<int, int>& counts, const App& app) {
  int lowest = 0;
  for (const PortSlot& slot : app.ports) {
    const auto found = counts.find(slot.service_port);
    if (found == counts.end() || --found->second > 0) continue;
    if (lowest == 0 || found->first < lowest) lowest = found->first;
    counts.erase(found);
  }
  return lowest;
}

}  // namespace

void ServicePorts::hold(const App& app) { count(held_, app); }

void ServicePorts::release(const App& app) {
  if (const int freed = discount(held_, app)) next_ = std::clamp(freed, first_, next_);
}

void ServicePorts::remember(const App& app) { count(remembered_, app); }

void ServicePorts::forget(const App& app) {
  if (const int freed = discount(remembered_, app)) next_ = std::clamp(freed, first_, next_);
}

int ServicePorts::find_free(const std::set<int>& mine) {
  while (next_ <= last_ && !is_free(next_)) ++next_;
  for (int port = next_; port <= last_; ++port) {
    if (is_free(port) && !mine.contains(port)) return port;
  }
  for (int port = first_; port <= last_; ++port) {
    if (!held_.contains(port) && !mine.contains(port)) return port;
  }
  return 0;
}

App ServicePorts::assign(App app, const App* before) {
  std::vector<int> ports;
  std::set<int> mine;
  for (const PortSlot& slot : app.ports) mine.insert(slot.service_port);
  bool changed = false;
  for (std::size_t i = 0; i < app.ports.size(); ++i) {
    int port = app.ports[i].service_port;
    if (port == 0 && before != nullptr && i < before->ports.size() &&
        !mine.contains(before->ports[i].service_port))
      port = before->ports[i].service_port;
    if (port == 0) port = find_free(mine);
    mine.insert(port);
    changed = changed || port != app.ports[i].service_port;
    ports.push_back(port);
  }
  return changed ? with_service_ports(std::move(app), ports) : app;
}

}  // namespace node::master
