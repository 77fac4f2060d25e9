// SPDX-License-Identifier: Apache-2.0
#include "cli/netfw_views.h"

#include <map>
#include <nlohmann/json.hpp>

#include "cli/views.h"
#include "common/base/text.h"

namespace cli {

using base::Json;

namespace {

constexpr std::size_t kMembersShown = 20;

// A field that may be text or a number.
std::string any_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_number() ? format_number(value.get<double>()) : std::string();
}

// A list of texts, or nothing.
std::vector<std::string> texts_of(const Json& list) {
  std::vector<std::string> texts;
  if (!list.is_array()) return texts;
  for (const Json& text : list) texts.push_back(any_text(text));
  return texts;
}

// What a packet must have, in words: "from set management, port 22", "icmp, type 8".
std::string match_of(const Json& rule) {
  std::vector<std::string> parts;
  if (flag_at(rule, "loopback")) parts.emplace_back("from loopback");
  const auto states = texts_of(value_at(rule, "states"));
  if (!states.empty()) parts.push_back("flow " + base::join(states, " or "));
  const auto add = [&](const char* field, const std::string& word) {
    const std::string text = any_text(value_at(rule, field));
    if (!text.empty()) parts.push_back(word.empty() ? text : word + " " + text);
  };
  add("protocol", "");
  add("source", "from set");
  add("source_net", "from");
  add("port", "port");
  add("ports", "ports in set");
  add("endpoints", "to set");
  add("icmp_type", "type");
  return parts.empty() ? "all" : base::join(parts, ", ");
}

std::string render_rules(const Json& rules, const Style& style) {
  Table table({{"CHAIN"}, {"RULE"}, {"VERDICT"}, {"MATCHES"}});
  if (rules.is_array()) {
    for (const Json& rule : rules) {
      const std::string verdict = text_at(rule, "verdict");
      table.add({{text_at(rule, "chain")},
                 {text_at(rule, "name")},
                 {verdict, verdict == "accept" ? Tone::good : Tone::bad},
                 {match_of(rule)}});
    }
  }
  return table.empty() ? "no rules\n" : table.render(style);
}

std::string render_sets(const Json& sets, const Style& style) {
  Table table({{"SET"}, {"SIZE", Align::right}, {"MEMBERS"}});
  if (!sets.is_object()) return {};
  for (const auto& [name, members] : sets.items()) {
    if (!members.is_array()) continue;
    std::vector<std::string> texts;
    for (const Json& member : members) {
      if (texts.size() == kMembersShown) {
        texts.emplace_back("…");
        break;
      }
      texts.push_back(any_text(member));
    }
    table.add({{name}, {std::to_string(members.size())}, {base::join(texts, " ")}});
  }
  return table.empty() ? std::string() : "\n" + table.render(style);
}

std::string error_line(const Json& error) {
  if (!error.is_object()) return {};
  return "error: " + printable(text_at(error, "detail")) + " [" +
         printable(text_at(error, "reason")) + "]\n";
}

struct Members {
  std::size_t known = 0;
  std::size_t in_rotation = 0;
  std::map<std::string, int> nodes;  // instances on each
};

std::string nodes_text(const Members& members) {
  std::vector<std::string> texts;
  for (const auto& [node, count] : members.nodes) {
    texts.push_back(count == 1 ? node : node + " (" + std::to_string(count) + ")");
  }
  return base::join(texts, ", ");
}

std::string losses_text(const Json& losses) {
  std::string out;
  if (!losses.is_array()) return out;
  for (const Json& loss : losses) {
    out += "! port " + any_text(value_at(loss, "port")) + " closes for " +
           printable(text_at(loss, "source")) + "\n";
  }
  return out;
}

// The instances of a service; when `pool` is known, whether HAProxy has them in rotation there.
Members members_of(const Json& instances, const std::string& service, const std::string& pool) {
  Members members;
  const Json& list = value_at(instances, "instances");
  if (!list.is_array()) return members;
  for (const Json& instance : list) {
    if (text_at(instance, "service") != service) continue;
    ++members.known;
    ++members.nodes[text_at(instance, "node")];
    const Json& places = value_at(instance, "members");
    if (!places.is_array()) continue;
    for (const Json& place : places) {
      const bool here = pool.empty() || text_at(place, "pool") == pool;
      if (here && flag_at(place, "in_rotation")) {
        ++members.in_rotation;
        break;
      }
    }
  }
  return members;
}

}  // namespace

std::string render_firewall(const Json& firewall, const Style& style) {
  std::string out = "backend " + printable(text_at(firewall, "backend", "unknown")) + ", " +
                    (flag_at(firewall, "applied") ? "applied" : "not applied") + "\n";
  out += error_line(value_at(firewall, "error"));
  for (const char* family : {"ipv4", "ipv6"}) {
    out += "\n" + std::string(family) + "\n" +
           render_rules(value_at(firewall, std::string("rules/") + family), style);
  }
  return out + render_sets(value_at(firewall, "sets"), style);
}

std::string render_balancer(const Json& services, const Json& instances, const Style& style) {
  Table table({{"SERVICE"},
               {"PORT", Align::right},
               {"IN ROTATION", Align::right},
               {"MODE"},
               {"VHOST"},
               {"NODES"}});
  const Json& list = value_at(services, "services");
  if (list.is_array()) {
    for (const Json& service : list) {
      const std::string id = text_at(service, "id");
      const Json& ports = value_at(service, "ports");
      if (!ports.is_array()) continue;
      for (const Json& port : ports) {
        const Members members = members_of(instances, id, text_at(port, "pool"));
        const Tone tone = members.in_rotation == 0              ? Tone::bad
                          : members.in_rotation < members.known ? Tone::warning
                                                                : Tone::good;
        table.add(
            {{id},
             {format_number(number_at(port, "service_port"))},
             {std::to_string(members.in_rotation) + "/" + std::to_string(members.known), tone},
             {text_at(port, "mode")},
             {base::join(texts_of(value_at(port, "vhosts")), ",")},
             {nodes_text(members)}});
      }
    }
  }
  std::string out = table.empty() ? "no services\n" : table.render(style);
  const Json& problems = value_at(services, "problems");
  if (problems.is_array()) {
    for (const Json& problem : problems) {
      out += "problem: " + printable(text_at(problem, "service")) + " " +
             printable(text_at(problem, "label")) + ": " + printable(text_at(problem, "detail")) +
             "\n";
    }
  }
  return out;
}

std::string render_plan(const Json& plan) {
  std::string out;
  for (const auto& [set, change] : value_at(plan, "sets").items()) {
    for (const auto& [field, sign] : {std::pair("removed", "- "), {"added", "+ "}}) {
      for (const std::string& member : texts_of(value_at(change, field))) {
        out += sign + printable(set) + " " + printable(member) + "\n";
      }
    }
  }
  if (const Json& forward = value_at(plan, "forward"); forward.is_boolean()) {
    out += forward.get<bool>() ? "+ forward\n" : "- forward\n";
  }
  out += losses_text(value_at(plan, "takes_away"));
  return out.empty() ? "nothing changes\n" : out;
}

std::string render_applied(const Json& policy) {
  if (!flag_at(policy, "on_trial")) return "in force and stored\n";
  return "on trial until " + printable(text_at(policy, "trial/until", "-")) +
         "; then the policy before comes back\n" +
         losses_text(value_at(policy, "trial/takes_away")) +
         "confirm: " + printable(text_at(policy, "trial/confirm", "-")) + "\n";
}

}  // namespace cli
