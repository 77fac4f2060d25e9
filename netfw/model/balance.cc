// SPDX-License-Identifier: Apache-2.0
#include "netfw/model/balance.h"

#include <algorithm>
#include <array>

#include "common/base/text.h"

namespace netfw {
namespace {

constexpr std::string_view kBalanceNames[] = {"roundrobin", "leastconn", "source"};
constexpr unsigned kPoolNumberMax = 99999;
constexpr std::uint16_t kServicePortMin = 1024;

base::Error foreign_name(std::string_view text) {
  return {.code = base::Code::invalid_argument,
          .detail = "not a name of ours: " + std::string(text.substr(0, 64)),
          .reason = "name_foreign"};
}

// FNV-1a, 64 bit: spreads ids that the master made unique; it is no protection.
std::uint64_t hash(std::string_view text) {
  std::uint64_t out = 0xcbf29ce484222325;
  for (const char c : text) out = (out ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return out;
}

struct Claim {
  int weight;
  const Service* service;
  const ServicePort* port;
};

// Services in order of right: greater weight first, then by id.
std::vector<Claim> claims_of(const std::vector<Service>& services) {
  std::vector<Claim> out;
  for (const Service& service : services) {
    if (service.group.empty()) continue;  // as marathon-lb does
    for (const ServicePort& port : service.ports) {
      if (port.tcp && port.enabled) out.push_back({port.weight, &service, &port});
    }
  }
  std::sort(out.begin(), out.end(), [](const Claim& a, const Claim& b) {
    if (a.weight != b.weight) return a.weight > b.weight;
    if (a.service->id != b.service->id) return a.service->id < b.service->id;
    return a.port->index < b.port->index;
  });
  return out;
}

class Maker {
 public:
  Maker(const LbPlanInput& input, const PoolAssignments& before) : input_(input), before_(before) {
    for (const auto& [key, pool] : before_) taken_.insert(pool);
    for (const auto& [id, instance] : input_.instances) {
      by_service_[instance.service].push_back(&instance);
    }
  }

  LbDesired run() {
    for (const Claim& claim : claims_of(input_.services)) add(claim);
    return std::move(out_);
  }

 private:
  void note(const Claim& claim, std::string_view label, std::string detail) {
    out_.problems.push_back(
        {claim.service->id.text(),
         "HAPROXY_" + std::to_string(claim.port->index) + "_" + std::string(label),
         std::move(detail)});
  }

  void add(const Claim& claim) {
    const bool has_port = claim_port(claim);
    if (!has_port && claim.port->vhosts.empty()) return;
    const PoolName pool = assign(claim);
    if (has_port)
      out_.state.maps[MapId::ports].emplace(RouteKey::port(claim.port->service_port), pool);
    add_hosts(claim, pool);
    add_members(claim, pool);
  }

  bool claim_port(const Claim& claim) {
    const std::uint16_t port = claim.port->service_port;
    if (port == 0) return false;
    if (port < kServicePortMin || input_.limits.reserved.contains(port)) {
      note(claim, "PORT", "port " + std::to_string(port) + " is reserved");
      return false;
    }
    const auto [owner, fresh] = out_.ports.emplace(port, claim.service->id);
    if (!fresh) {
      note(claim, "PORT", "port " + std::to_string(port) + " belongs to " + owner->second.text());
      return false;
    }
    if (port >= input_.limits.range_first && port <= input_.limits.range_last) return true;
    if (out_.extra_ports.size() >= input_.limits.extra_ports_max) {
      note(claim, "PORT", "too many ports outside the range that is bound");
      out_.ports.erase(owner);
      return false;
    }
    out_.extra_ports.insert(port);
    return true;
  }

  PoolName assign(const Claim& claim) {
    const PoolKey key(claim.service->id, claim.port->index);
    const PoolKind kind{claim.port->mode, claim.port->balance, claim.port->sticky};
    const auto known = before_.find(key);
    if (known != before_.end() && known->second.kind() == kind) {
      out_.assignments.emplace(key, known->second);
      return known->second;
    }
    PoolName pool(kind, 0);
    for (unsigned number = 0; taken_.contains(pool) || input_.occupied.contains(pool);) {
      pool = PoolName(kind, ++number);
    }
    taken_.insert(pool);
    out_.assignments.emplace(key, pool);
    return pool;
  }

  void add_hosts(const Claim& claim, const PoolName& pool) {
    const bool has_path = !claim.port->paths.empty();
    for (const Vhost& vhost : claim.port->vhosts) {
      const RouteKey key =
          has_path ? RouteKey::path(vhost, claim.port->paths.front()) : RouteKey::host(vhost);
      RouteMap& map = out_.state.maps[has_path ? MapId::paths : MapId::hosts];
      if (!map.emplace(key, pool).second) {
        note(claim, "VHOST", vhost.text() + " is claimed by another service already");
        continue;
      }
      if (claim.port->redirect_to_https) add_https(claim, "REDIRECT_TO_HTTPS", vhost, pool);
      if (claim.port->hsts) add_https(claim, "USE_HSTS", vhost, pool);
    }
  }

  void add_https(const Claim& claim, std::string_view label, const Vhost& vhost,
                 const PoolName& pool) {
    if (!is_certified(vhost, input_.limits.certified)) {
      note(claim, label, "this node has no certificate for " + vhost.text());
      return;
    }
    const MapId map = label == "USE_HSTS" ? MapId::hsts : MapId::redirects;
    out_.state.maps[map].emplace(RouteKey::host(vhost), pool);
  }

  void add_members(const Claim& claim, const PoolName& pool) {
    const auto found = by_service_.find(claim.service->id);
    if (found == by_service_.end()) return;
    for (const Instance* const instance : found->second) {
      if (instance->state == InstanceState::starting) continue;
      if (claim.port->index >= instance->ports.size()) continue;
      const std::uint16_t port = instance->ports[claim.port->index];
      if (port == 0) continue;
      const ServerName name = ServerName::make(instance->id, claim.port->index,
                                               {Transport::tcp, instance->address, port});
      out_.state.pools[pool].emplace(
          name, LbServer{instance->address, port, instance->state == InstanceState::healthy});
    }
  }

  const LbPlanInput& input_;
  const PoolAssignments& before_;
  LbDesired out_;
  std::set<PoolName> taken_;
  std::map<ServiceId, std::vector<const Instance*>> by_service_;
};

unsigned least_pools(PoolKind kind) {
  if (kind.sticky || kind.balance != Balance::roundrobin) return 2;
  return kind.mode == Mode::http ? 32 : 8;
}

}  // namespace

std::vector<PoolKind> all_pool_kinds() {
  std::vector<PoolKind> out;
  for (const Mode mode : {Mode::http, Mode::tcp}) {
    for (const Balance balance : {Balance::roundrobin, Balance::leastconn, Balance::source}) {
      for (const bool sticky : {false, true}) out.push_back({mode, balance, sticky});
    }
  }
  return out;
}

std::string PoolName::text() const {
  return std::string(kind_.mode == Mode::http ? "http_" : "tcp_") +
         std::string(kBalanceNames[static_cast<std::size_t>(kind_.balance)]) +
         (kind_.sticky ? "_sticky_" : "_") + std::to_string(number_);
}

base::Result<PoolName> PoolName::parse(std::string_view text) {
  const std::size_t bar = text.rfind('_');
  if (bar == std::string_view::npos) return foreign_name(text);
  const auto number = base::parse_int(text.substr(bar + 1), 0, kPoolNumberMax);
  if (!number) return foreign_name(text);
  for (const PoolKind kind : all_pool_kinds()) {
    PoolName out(kind, static_cast<unsigned>(*number));
    if (out.text() == text) return out;
  }
  return foreign_name(text);
}

ServerName ServerName::make(const InstanceId& instance, unsigned port_index,
                            const Endpoint& endpoint) {
  const std::uint64_t number =
      hash(instance.text() + '\n' + std::to_string(port_index) + '\n' + endpoint.text());
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>((number >> shift) & 0xff);
  return ServerName("i_" + base::to_hex(bytes));
}

base::Result<ServerName> ServerName::parse(std::string_view text) {
  const bool ok = text.size() == 18 && text.starts_with("i_") &&
                  text.substr(2).find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (!ok) return foreign_name(text);
  return ServerName(std::string(text));
}

base::Result<RouteKey> RouteKey::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  std::string host(text.substr(0, slash));
  if (host.starts_with('.')) host.insert(0, "*");
  const auto vhost = Vhost::parse(host);
  if (!vhost || vhost->map_key() != text.substr(0, slash)) return foreign_name(text);
  if (slash == std::string_view::npos) return RouteKey(std::string(text));
  if (!UrlPath::parse(text.substr(slash))) return foreign_name(text);
  return RouteKey(std::string(text));
}

std::string_view map_name(MapId id) {
  constexpr std::string_view kNames[] = {"hosts", "paths", "ports", "redirects", "hsts"};
  return kNames[static_cast<std::size_t>(id)];
}

bool is_certified(const Vhost& vhost, const std::set<std::string>& certified) {
  if (certified.contains(vhost.text())) return true;
  const std::size_t dot = vhost.text().find('.');
  if (vhost.is_wildcard() || dot == std::string::npos) return false;
  return certified.contains("*" + vhost.text().substr(dot));
}

LbDesired make_lb(const LbPlanInput& input, const PoolAssignments& before) {
  return Maker(input, before).run();
}

std::map<PoolKind, unsigned> count_pools(const PoolAssignments& assignments) {
  std::map<PoolKind, unsigned> out;
  for (const PoolKind kind : all_pool_kinds()) out[kind] = least_pools(kind);
  for (const auto& [key, pool] : assignments) {
    unsigned& count = out[pool.kind()];
    while (count < (pool.number() + 1) + (pool.number() + 1) / 4) count *= 2;
  }
  return out;
}

}  // namespace netfw
