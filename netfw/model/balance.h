// SPDX-License-Identifier: Apache-2.0
// What the load balancer should do, as a value: pools with their members, and which host, path or
// port leads to which pool.
//
// The daemon makes it from services and instances; haproxy/ writes it as a configuration and as
// runtime commands.
// 1. Pools are slots that exist before they are used, so that a new application needs no reload. A
// service port keeps its slot as long as it lives.
// 2. Names of slots and members are generated here; nothing a user wrote becomes part of a name.
// 3. Of two services that claim the same host and path, or the same port, the one with the greater
// weight gets it, then the lesser id; the other is a problem, not a failure.
// Threads: any.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "netfw/api/grammar.h"
#include "netfw/api/labels.h"
#include "netfw/api/wire.h"

namespace netfw {

struct PoolKind {
  Mode mode = Mode::http;
  Balance balance = Balance::roundrobin;
  bool sticky = false;
  friend auto operator<=>(const PoolKind&, const PoolKind&) = default;
};
// Every kind there is, in a fixed order.
std::vector<PoolKind> all_pool_kinds();

class PoolName {
 public:
  PoolName(PoolKind kind, unsigned number) : kind_(kind), number_(number) {}
  // Errors: invalid_argument name_foreign.
  static base::Result<PoolName> parse(std::string_view text);
  std::string text() const;  // "http_roundrobin_7", "tcp_leastconn_sticky_0"
  PoolKind kind() const { return kind_; }
  unsigned number() const { return number_; }
  friend auto operator<=>(const PoolName&, const PoolName&) = default;

 private:
  PoolKind kind_;
  unsigned number_;
};

class ServerName {
 public:
  // The name says which instance at which address: an instance that moves is another member.
  static ServerName make(const InstanceId& instance, unsigned port_index, const Endpoint& endpoint);
  // Errors: invalid_argument name_foreign.
  static base::Result<ServerName> parse(std::string_view text);
  const std::string& text() const { return text_; }  // "i_" and 16 hex digits
  friend auto operator<=>(const ServerName&, const ServerName&) = default;

 private:
  explicit ServerName(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// A key of a routing map: a host, a host and path, or a port. Made of typed values only.
class RouteKey {
 public:
  static RouteKey host(const Vhost& vhost) { return RouteKey(vhost.map_key()); }
  static RouteKey path(const Vhost& vhost, const UrlPath& path) {
    return RouteKey(vhost.map_key() + path.text());
  }
  static RouteKey port(std::uint16_t port) { return RouteKey(std::to_string(port)); }
  // A key read back from the load balancer; what does not look like one of ours is not_found.
  static base::Result<RouteKey> parse(std::string_view text);
  const std::string& text() const { return text_; }
  friend auto operator<=>(const RouteKey&, const RouteKey&) = default;

 private:
  explicit RouteKey(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

struct LbServer {
  IpAddress address;
  std::uint16_t port = 0;
  bool ready = false;  // takes new requests; otherwise it is in maintenance
  friend bool operator==(const LbServer&, const LbServer&) = default;
};
using LbServers = std::map<ServerName, LbServer>;

enum class MapId : std::uint8_t { hosts, paths, ports, redirects, hsts };
inline constexpr std::array<MapId, 5> kMapIds = {MapId::hosts, MapId::paths, MapId::ports,
                                                 MapId::redirects, MapId::hsts};
// The maps that only the https frontend looks into.
constexpr bool is_https_map(MapId id) { return id == MapId::redirects || id == MapId::hsts; }
std::string_view map_name(MapId id);

// The value of an entry; redirects and hsts need none and point to the pool all the same.
using RouteMap = std::map<RouteKey, PoolName>;

struct LbState {
  std::map<PoolName, LbServers> pools = {};  // only those with members
  std::map<MapId, RouteMap> maps = {};
  friend bool operator==(const LbState&, const LbState&) = default;
};

struct SeenServer {
  unsigned id = 0;  // HAProxy's number for it within the pool
  LbServer server;
  bool up = false;  // as far as HAProxy's own checks go
};
using SeenPools = std::map<PoolName, std::map<ServerName, SeenServer>>;

// What the load balancer has, read back.
struct LbSeen {
  SeenPools pools = {};  // only those with members
  std::map<MapId, RouteMap> maps = {};
  std::map<std::string, std::string> certificates = {};  // file name to the digest of what it has
};

// Which slot belongs to which service port. Kept across restarts.
using PoolKey = std::pair<ServiceId, unsigned>;
using PoolAssignments = std::map<PoolKey, PoolName>;

struct LbLimits {
  std::uint16_t range_first = 10000;  // service ports that are bound from the start
  std::uint16_t range_last = 10099;
  std::set<std::uint16_t> reserved = {};  // ports that no service may claim
  // Names that a certificate is for: redirects to others would only frighten people.
  std::set<std::string> certified = {};
  std::size_t extra_ports_max = 64;
};

struct LbPlanInput {
  const std::vector<Service>& services;
  const std::map<InstanceId, Instance>& instances;
  const LbLimits& limits;
  const std::set<PoolName>& occupied;  // slots that still have members of others
};

struct LbDesired {
  LbState state;
  PoolAssignments assignments;
  // Service ports and whom they were granted to. The firewall opens these and no others.
  std::map<std::uint16_t, ServiceId> ports = {};
  std::set<std::uint16_t> extra_ports = {};  // those outside the range: each its own bind
  std::vector<Problem> problems = {};
};

// "a.b" is in the set itself or by "*.b".
bool is_certified(const Vhost& vhost, const std::set<std::string>& certified);

// Pure. `before` are the assignments so far; those still fitting stay.
LbDesired make_lb(const LbPlanInput& input, const PoolAssignments& before);

// How many slots of each kind the configuration needs: a power of two times the kind's least, with
// a quarter to spare.
std::map<PoolKind, unsigned> count_pools(const PoolAssignments& assignments);

}  // namespace netfw
