// SPDX-License-Identifier: Apache-2.0
#include "netfw/api/labels.h"

#include <algorithm>
#include <functional>

#include "common/base/text.h"

namespace netfw {
namespace {

constexpr std::string_view kPrefix = "HAPROXY_";
constexpr std::size_t kLabelLengthMax = 8192;
constexpr std::size_t kProblemsMax = 200;
constexpr int kWeightMax = 1'000'000;

using Setter = base::Result<void> (*)(ServicePort&, std::string_view value);

base::Error bad(std::string detail) {
  return {
      .code = base::Code::invalid_argument, .detail = std::move(detail), .reason = "label_invalid"};
}

base::Result<bool> flag(std::string_view value) {
  const std::string lower = base::lower(value);
  if (lower == "true" || lower == "1") return true;
  if (lower == "false" || lower == "0") return false;
  return bad("expected true or false");
}

base::Result<void> set_vhost(ServicePort& port, std::string_view value) {
  std::vector<Vhost> vhosts;
  for (const std::string_view piece : base::split(value, ',')) {
    Vhost vhost = TRY(Vhost::parse(base::trim(piece)));
    if (std::find(vhosts.begin(), vhosts.end(), vhost) == vhosts.end()) {
      vhosts.push_back(std::move(vhost));
    }
    if (vhosts.size() > kVhostsMax) return bad("more than 64 host names");
  }
  port.vhosts = std::move(vhosts);
  return {};
}

base::Result<void> set_path(ServicePort& port, std::string_view value) {
  port.paths = {TRY(UrlPath::parse(value))};
  return {};
}

base::Result<void> set_port(ServicePort& port, std::string_view value) {
  port.service_port = static_cast<std::uint16_t>(TRY(base::parse_int(value, 1, 65535)));
  return {};
}

base::Result<void> set_mode(ServicePort& port, std::string_view value) {
  if (value != "http" && value != "tcp") return bad("expected http or tcp");
  port.mode = value == "http" ? Mode::http : Mode::tcp;
  return {};
}

base::Result<void> set_balance(ServicePort& port, std::string_view value) {
  if (value == "roundrobin") {
    port.balance = Balance::roundrobin;
  } else if (value == "leastconn") {
    port.balance = Balance::leastconn;
  } else if (value == "source") {
    port.balance = Balance::source;
  } else {
    return bad("expected roundrobin, leastconn or source");
  }
  return {};
}

base::Result<void> set_sticky(ServicePort& port, std::string_view value) {
  port.sticky = TRY(flag(value));
  return {};
}

base::Result<void> set_redirect(ServicePort& port, std::string_view value) {
  port.redirect_to_https = TRY(flag(value));
  return {};
}

base::Result<void> set_hsts(ServicePort& port, std::string_view value) {
  port.hsts = TRY(flag(value));
  return {};
}

base::Result<void> set_enabled(ServicePort& port, std::string_view value) {
  port.enabled = TRY(flag(value));
  return {};
}

base::Result<void> set_weight(ServicePort& port, std::string_view value) {
  port.weight = static_cast<int>(TRY(base::parse_int(value, 0, kWeightMax)));
  return {};
}

struct Known {
  std::string_view name;
  Setter set;
};
constexpr Known kKnown[] = {
    {"VHOST", set_vhost},
    {"PATH", set_path},
    {"PORT", set_port},
    {"MODE", set_mode},
    {"BALANCE", set_balance},
    {"STICKY", set_sticky},
    {"ENABLED", set_enabled},
    {"BACKEND_WEIGHT", set_weight},
    {"REDIRECT_TO_HTTPS", set_redirect},
    {"USE_HSTS", set_hsts},
};

base::Result<void> set_group(Service& service, std::string_view value) {
  for (const char c : value) {
    const bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == ',' || c == '.' || c == '*';
    if (!ok) return bad("a group is made of A-Z a-z 0-9 - _ , . *");
  }
  service.group = std::string(value);
  return {};
}

base::Result<void> set_indexed(Service& service, std::string_view rest, std::string_view value) {
  const std::size_t bar = rest.find('_');
  const auto index = base::parse_int(rest.substr(0, bar), 0, 999);
  if (!index || bar == std::string_view::npos) return bad("this label is not supported");
  const std::string_view name = rest.substr(bar + 1);
  const auto* const known = std::find_if(std::begin(kKnown), std::end(kKnown),
                                         [&](const Known& k) { return k.name == name; });
  if (known == std::end(kKnown)) return bad("this label is not supported");
  for (ServicePort& port : service.ports) {
    if (port.index == static_cast<unsigned>(*index)) return known->set(port, value);
  }
  return bad("the service has no port " + std::to_string(*index));
}

// What does not fit together, found once all labels are in.
void check_whole(const Service& service,
                 const std::function<void(std::string, std::string)>& note) {
  for (const ServicePort& port : service.ports) {
    const std::string prefix = std::string(kPrefix) + std::to_string(port.index) + "_";
    if (!port.paths.empty() && port.vhosts.empty()) {
      note(prefix + "PATH", "a path without a host name routes nothing");
    }
    if (!port.vhosts.empty() && port.mode == Mode::tcp) {
      note(prefix + "VHOST", "a port in TCP mode has no host names");
    } else if (!port.vhosts.empty() && service.group == kInternalGroup) {
      note(prefix + "VHOST",
           "ports 80 and 443 are open to anybody, so an internal service has none");
    }
  }
}

}  // namespace

std::vector<Problem> apply_labels(const std::map<std::string, std::string>& labels,
                                  Service& service) {
  std::vector<Problem> problems;
  const auto note = [&](std::string label, std::string detail) {
    if (problems.size() >= kProblemsMax) return;
    problems.push_back({service.id.text(), std::move(label), std::move(detail)});
  };
  bool asks = false;
  for (const auto& [label, value] : labels) {
    if (!label.starts_with(kPrefix)) continue;
    asks = true;
    if (value.size() > kLabelLengthMax) {
      note(label, "longer than 8192 bytes");
      continue;
    }
    const std::string_view rest = std::string_view(label).substr(kPrefix.size());
    const auto done =
        rest == "GROUP" ? set_group(service, value) : set_indexed(service, rest, value);
    if (!done) note(label, done.error().detail);
  }
  if (asks && service.group.empty()) {
    note("HAPROXY_GROUP", "without a group the service is not exposed");
  }
  check_whole(service, note);
  for (ServicePort& port : service.ports) {
    if (port.mode == Mode::tcp || service.group == kInternalGroup) port.vhosts.clear();
    if (port.vhosts.empty()) port.paths.clear();
  }
  return problems;
}

}  // namespace netfw
