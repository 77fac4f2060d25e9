// SPDX-License-Identifier: Apache-2.0
// Labels of a service. Property: whatever they say, the map files have "key pool" lines and the
// commands have one line each, without anything that HAProxy would take for more.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/base/text.h"
#include "netfw/haproxy/cli.h"
#include "netfw/haproxy/config.h"

namespace {

void check_plain(const std::string& text) {
  for (const char c : text) {
    if (c < ' ' || c > '~' || c == ';' || c == '\\' || c == '"' || c == '#') std::abort();
  }
}

void check_maps(const netfw::LbDesired& desired) {
  for (const auto& [id, map] : desired.state.maps) {
    for (const auto& [key, pool] : map) {
      check_plain(netfw::Command::add_entry("/m", key, pool).text());
      const auto again = netfw::RouteKey::parse(key.text());
      if (!again || *again != key || key.text().find(' ') != std::string::npos) std::abort();
    }
    const std::string text = netfw::render_map(map);
    if (base::split(text, '\n').size() != map.size() + 1) std::abort();
  }
}

}  // namespace

// The input is lines "LABEL=value"; a byte 1 stands for a line break within a value.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::map<std::string, std::string> labels;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const std::string_view line : base::split(input, '\n')) {
    const std::size_t at = line.find('=');
    if (at == std::string_view::npos) continue;
    std::string value(line.substr(at + 1));
    for (char& c : value) c = c == 1 ? '\n' : c;
    labels[std::string(line.substr(0, at))] = value;
  }
  netfw::Service service{.id = netfw::ServiceId("/fuzz")};
  service.ports = {{.index = 0, .service_port = 10001}, {.index = 1, .service_port = 0}};
  netfw::apply_labels(labels, service);
  const std::vector<netfw::Service> services = {service};
  const std::map<netfw::InstanceId, netfw::Instance> instances;
  const std::set<netfw::PoolName> occupied;
  const netfw::LbLimits limits{.certified = {"web.demo", "*.x.demo"}};
  const netfw::LbDesired desired = netfw::make_lb({services, instances, limits, occupied}, {});
  if (desired.assignments.size() > 2 || desired.extra_ports.size() > 2) std::abort();
  check_maps(desired);
  return 0;
}
