// SPDX-License-Identifier: Apache-2.0
#include "cli/node_commands.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

namespace cli {

namespace {

using node::preflight::NamedFinding;
using node::preflight::Report;
using node::preflight::Verdict;

Tone tone_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass: return Tone::good;
    case Verdict::warn: return Tone::warning;
    case Verdict::fail: return Tone::bad;
    case Verdict::waived:
    case Verdict::skipped: return Tone::dim;
  }
  return Tone::plain;
}

constexpr std::size_t kVerdictWidth = 7;

std::string padded(std::string text, std::size_t width) {
  const std::size_t have = text_width(text);
  if (have < width) text.append(width - have, ' ');
  return text;
}

}  // namespace

Status node_init(const Session& session, const NodeInitOptions& options) {
  const auto outcome = init_node(options, base::system_rng());
  if (!outcome) return report(session, Daemon::agent, outcome.error());
  if (session.json) {
    session.print_json({{"node_id", outcome->node_id}, {"made", outcome->made}});
    return Status::ok;
  }
  for (const std::string& path : outcome->made) session.out << "made " << path << "\n";
  session.out << "node " << outcome->node_id
              << (outcome->made.empty() ? " was ready before\n" : " is ready\n");
  return Status::ok;
}

base::Result<node::preflight::Options> read_preflight_options(const PreflightOptions& options) {
  node::preflight::Options read;
  const auto role = node::preflight::parse_role(options.role);
  if (!role && !options.role.empty()) {
    return base::Error{base::Code::invalid_argument,
                       "--role is infra, dmz or appliance, not \"" + options.role + "\"",
                       "option_invalid"};
  }
  read.role = role;
  read.peers = options.peers;
  read.only = options.only;
  read.sysroot = options.sysroot;
  read.data_device = options.data_device;
  for (const std::string& waiver : options.waivers) {
    const std::size_t equals = waiver.find('=');
    if (equals == std::string::npos || equals + 1 == waiver.size()) {
      return base::Error{base::Code::invalid_argument,
                         "--waive is ID=REASON; the reason is shown in the report",
                         "option_invalid"};
    }
    read.waivers[waiver.substr(0, equals)] = waiver.substr(equals + 1);
  }
  return read;
}

std::string render_report(const Report& report, const Style& style) {
  std::size_t id_width = 0;
  for (const NamedFinding& named : report.findings) {
    id_width = std::max(id_width, named.id.size());
  }
  std::string out;
  for (const NamedFinding& named : report.findings) {
    const auto& finding = named.finding;
    std::string word(verdict_name(finding.verdict));
    std::transform(word.begin(), word.end(), word.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    out += paint(padded(std::move(word), kVerdictWidth), tone_of(finding.verdict), style) + "  " +
           padded(named.id, id_width) + "  " + printable(finding.found);
    const bool wrong = finding.verdict == Verdict::fail || finding.verdict == Verdict::warn;
    if (wrong) out += "; needed: " + finding.needed;
    out += "\n";
    if (wrong && !finding.fix.empty()) {
      out += std::string(kVerdictWidth + 2 + id_width + 2, ' ') + "fix: " + finding.fix + "\n";
    }
  }
  return out + "as " + std::string(role_name(report.role)) + ": " + report.summary() + "\n";
}

int node_preflight(const Session& session, const PreflightOptions& options) {
  constexpr int kCouldNotRun = 4;
  if (options.list) {
    for (const auto& check : node::preflight::all_checks()) session.out << check.id << "\n";
    return 0;
  }
  const auto read = read_preflight_options(options);
  if (!read) {
    report(session, Daemon::agent, read.error());
    return static_cast<int>(Status::usage);
  }
  const auto result = node::preflight::run_checks(*read);
  if (!result) {
    report(session, Daemon::agent, result.error());
    return result.error().code == base::Code::invalid_argument ? static_cast<int>(Status::usage)
                                                               : kCouldNotRun;
  }
  if (session.json) {
    session.print_json(result->to_json());
  } else {
    session.out << render_report(*result, session.style);
  }
  return result->exit_status(options.strict);
}

}  // namespace cli
