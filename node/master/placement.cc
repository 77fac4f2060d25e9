// SPDX-License-Identifier: Apache-2.0
#include "node/master/placement.h"

#include <regex.h>

#include "common/base/check.h"
#include "common/base/text.h"

namespace node::master {
namespace {

// Rounding of cpus that were added and taken away many times.
constexpr double kCpuSlack = 1e-6;

bool matches(const std::string& pattern, const std::string& value) {
  regex_t compiled;
  const std::string whole = "^(" + pattern + ")$";
  if (regcomp(&compiled, whole.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
  const bool found = regexec(&compiled, value.c_str(), 0, nullptr, 0) == 0;
  regfree(&compiled);
  return found;
}

// Marathon's word for what is missing on a node; empty when nothing is.
std::string_view shortage(const App& app, const NodeState& node) {
  const api::NodeResources& all = node.info.resources;
  if (node.instances >= kInstancesPerNodeMax) return "TooManyInstances";
  if (node.used.cpus + app.cpus > all.cpus + kCpuSlack) return "InsufficientCpus";
  if (node.used.memory_bytes + app.memory_bytes > all.memory_bytes) return "InsufficientMemory";
  if (app.disk_bytes > 0 && node.used.disk_bytes + app.disk_bytes > all.disk_bytes)
    return "InsufficientDisk";
  if (node.ports.free_count() < app.ports.size()) return "InsufficientPorts";
  for (const PortSlot& slot : app.ports) {
    if (slot.host_port != 0 && !node.ports.is_free(slot.host_port)) return "InsufficientPorts";
  }
  return "";
}

// 0 (empty) to 1 (full), by the scarcest resource.
double load(const NodeState& node) {
  const api::NodeResources& all = node.info.resources;
  const double cpus = all.cpus > 0 ? node.used.cpus / all.cpus : 1;
  const double memory = all.memory_bytes > 0 ? static_cast<double>(node.used.memory_bytes) /
                                                   static_cast<double>(all.memory_bytes)
                                             : 1;
  return std::max(cpus, memory);
}

}  // namespace

PortPool::PortPool(std::int64_t first, std::int64_t last) : first_(first), last_(last) {
  const std::size_t count = last >= first ? static_cast<std::size_t>(last - first + 1) : 0;
  used_.assign(count, false);
  queued_.assign(count, true);
  free_count_ = count;
  for (std::int64_t port = first; port <= last; ++port)
    queue_.push_back(static_cast<std::uint16_t>(port));
}

bool PortPool::is_free(std::int64_t port) const {
  return covers(port) && !used_[static_cast<std::size_t>(port - first_)];
}

std::optional<std::vector<std::uint16_t>> PortPool::take(std::size_t count) {
  if (count > free_count_) return std::nullopt;
  std::vector<std::uint16_t> taken;
  while (taken.size() < count) {
    CHECK_THAT(!queue_.empty());
    const std::uint16_t port = queue_.front();
    queue_.pop_front();
    queued_[static_cast<std::size_t>(port - first_)] = false;
    if (!is_free(port)) continue;
    used_[static_cast<std::size_t>(port - first_)] = true;
    taken.push_back(port);
  }
  free_count_ -= count;
  return taken;
}

void PortPool::take_exactly(std::int64_t port) {
  CHECK_THAT(is_free(port));
  used_[static_cast<std::size_t>(port - first_)] = true;
  --free_count_;
}

void PortPool::give_back(std::int64_t port) {
  if (!covers(port)) return;
  const auto index = static_cast<std::size_t>(port - first_);
  if (!used_[index]) return;
  used_[index] = false;
  ++free_count_;
  if (!queued_[index]) queue_.push_back(static_cast<std::uint16_t>(port));
  queued_[index] = true;
}

std::optional<std::string> attribute(const api::Node& node, const std::string& field) {
  if (field == "hostname") return node.address.empty() ? node.name : node.address;
  if (field == "node") return node.name;
  if (field == "zone") return std::string(api::zone_word(node.zone));
  const auto found = node.attributes.find(field.starts_with('@') ? field.substr(1) : field);
  if (found == node.attributes.end()) return std::nullopt;
  return found->second;
}

Spread::Spread(const App& app, const std::map<std::string, NodeState>& nodes,
               const std::vector<std::string>& nodes_of) {
  for (const Constraint& constraint : app.constraints) {
    Rule rule{constraint, {}, 0};
    if (constraint.field == "zone") names_zone_ = true;
    if (constraint.op == Operator::group_by) {
      for (const auto& [name, node] : nodes) {
        if (!node.live || !node.known) continue;
        if (const auto value = attribute(node.info, constraint.field)) rule.counts[*value];
      }
      rule.values = rule.counts.size();
    }
    rules_.push_back(std::move(rule));
  }
  for (const std::string& name : nodes_of) {
    const auto node = nodes.find(name);
    if (node != nodes.end()) add(node->second);
  }
}

void Spread::add(const NodeState& node) {
  ++on_node_[node.info.name];
  for (Rule& rule : rules_) {
    if (const auto value = attribute(node.info, rule.constraint.field)) ++rule.counts[*value];
  }
}

int Spread::on_node(const std::string& name) const {
  const auto found = on_node_.find(name);
  return found == on_node_.end() ? 0 : found->second;
}

bool Spread::allows(const NodeState& node) const {
  // Without a word about zones an app stays out of the DMZ.
  if (!names_zone_ && node.info.zone == api::Zone::dmz) return false;
  return std::all_of(rules_.begin(), rules_.end(),
                     [&](const Rule& rule) { return allows(rule, node); });
}

bool Spread::allows(const Rule& rule, const NodeState& node) const {
  const auto value = attribute(node.info, rule.constraint.field);
  if (!value) return rule.constraint.op == Operator::unlike;
  const auto found = rule.counts.find(*value);
  const int count = found == rule.counts.end() ? 0 : found->second;
  switch (rule.constraint.op) {
    case Operator::unique: return count == 0;
    case Operator::cluster:
      if (!rule.constraint.value.empty()) return *value == rule.constraint.value;
      return rule.counts.empty() || count > 0;
    case Operator::like: return matches(rule.constraint.value, *value);
    case Operator::unlike: return !matches(rule.constraint.value, *value);
    case Operator::is: return *value == rule.constraint.value;
    case Operator::max_per:
      return count < base::parse_int(rule.constraint.value, 1, INT32_MAX).value_or(1);
    case Operator::group_by: {
      // One more on a value is fine while no other value has fewer. Values that were asked for and
      // are not seen yet count as empty, but must not stop everything.
      int least = INT32_MAX;
      for (const auto& [other, on_it] : rule.counts) least = std::min(least, on_it);
      return count <= least;
    }
  }
  return false;
}

NodeState* choose_node(const App& app, std::map<std::string, NodeState>& nodes,
                       const Spread& spread, Refusals& refusals) {
  NodeState* best = nullptr;
  int best_same = 0;
  double best_load = 0;
  refusals = {};
  for (auto& [name, node] : nodes) {
    if (!node.live || !node.known || !node.unreadable.empty()) continue;
    ++refusals.nodes;
    std::string_view missing = shortage(app, node);
    if (missing.empty() && !spread.allows(node)) missing = "UnfulfilledConstraint";
    if (!missing.empty()) {
      ++refusals.reasons[std::string(missing)];
      continue;
    }
    const int same = spread.on_node(name);
    const double full = load(node);
    if (best == nullptr || same < best_same || (same == best_same && full < best_load)) {
      best = &node;
      best_same = same;
      best_load = full;
    }
  }
  return best;
}

bool has_room(const App& app, const NodeState& node) {
  return node.live && node.known && node.unreadable.empty() && shortage(app, node).empty();
}

bool takes_more(const NodeState& node, const Usage& more) {
  if (!node.known) return true;
  const api::NodeResources& all = node.info.resources;
  return (more.cpus <= 0 || node.used.cpus + more.cpus <= all.cpus + kCpuSlack) &&
         (more.memory_bytes <= 0 ||
          node.used.memory_bytes + more.memory_bytes <= all.memory_bytes) &&
         (more.disk_bytes <= 0 || node.used.disk_bytes + more.disk_bytes <= all.disk_bytes);
}

Usage usage_of(const App& app) { return {app.cpus, app.memory_bytes, app.disk_bytes}; }

std::vector<std::uint16_t> occupy(const App& app, NodeState& node) {
  ++node.instances;
  node.used.cpus += app.cpus;
  node.used.memory_bytes += app.memory_bytes;
  node.used.disk_bytes += app.disk_bytes;
  std::size_t any = 0;
  for (const PortSlot& slot : app.ports) {
    if (slot.host_port != 0) {
      node.ports.take_exactly(slot.host_port);
    } else {
      ++any;
    }
  }
  const auto taken = node.ports.take(any);
  CHECK_THAT(taken.has_value());
  std::vector<std::uint16_t> ports;
  std::size_t next = 0;
  for (const PortSlot& slot : app.ports)
    ports.push_back(slot.host_port != 0 ? static_cast<std::uint16_t>(slot.host_port)
                                        : (*taken)[next++]);
  return ports;
}

void vacate(const Usage& usage, const std::vector<std::uint16_t>& ports, NodeState& node) {
  --node.instances;
  node.used.cpus -= usage.cpus;
  node.used.memory_bytes -= usage.memory_bytes;
  node.used.disk_bytes -= usage.disk_bytes;
  for (const std::uint16_t port : ports) node.ports.give_back(port);
}

}  // namespace node::master
