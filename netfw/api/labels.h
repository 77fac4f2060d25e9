// SPDX-License-Identifier: Apache-2.0
// How a service wants to be reached: its ports, and what its HAPROXY_… labels ask for.
//
// Used by the daemon's PUT /v1/services. The labels are marathon-lb's that route; its raw template
// labels are refused, since they are configuration text of foreign origin.
// 1. Parsing never fails as a whole: a label that is unknown or wrong is left out with a problem,
// and the other labels count.
// Threads: any. Source: marathon-lb's Longhelp.md.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "netfw/api/grammar.h"

namespace netfw {

enum class Mode : std::uint8_t { http, tcp };
enum class Balance : std::uint8_t { roundrobin, leastconn, source };

struct ServicePort {
  unsigned index = 0;
  std::uint16_t service_port = 0;  // 0: reached by virtual host only
  bool tcp = true;
  bool udp = false;  // no load balancing for UDP; its instances are opened all the same
  Mode mode = Mode::http;
  Balance balance = Balance::roundrobin;
  bool sticky = false;
  bool enabled = true;
  bool redirect_to_https = false;
  bool hsts = false;  // browsers are told to come by https only
  int weight = 0;     // of two services that claim one host and path the greater wins
  std::vector<Vhost> vhosts = {};
  std::vector<UrlPath> paths = {};  // none or one
  friend bool operator==(const ServicePort&, const ServicePort&) = default;
};

struct Service {
  ServiceId id;
  // HAPROXY_GROUP. Empty: nobody reaches the service through the load balancer. "internal": the
  // cluster and management networks do, by service port; any other: anybody.
  std::string group = {};
  std::vector<ServicePort> ports = {};
  friend bool operator==(const Service&, const Service&) = default;
};

inline constexpr std::string_view kInternalGroup = "internal";

struct Problem {
  std::string service;
  std::string label;
  std::string detail;
  friend bool operator==(const Problem&, const Problem&) = default;
};

inline constexpr std::size_t kVhostsMax = 64;

// Applies `labels` to `service`, whose ports are known already, and returns what was left out.
std::vector<Problem> apply_labels(const std::map<std::string, std::string>& labels,
                                  Service& service);

}  // namespace netfw
