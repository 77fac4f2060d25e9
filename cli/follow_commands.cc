// SPDX-License-Identifier: Apache-2.0
#include "cli/follow_commands.h"

#include <nlohmann/json.hpp>

#include "cli/api.h"
#include "cli/event_lines.h"
#include "cli/event_reader.h"
#include "common/base/text.h"

namespace cli {

using base::Result;

namespace {

constexpr std::chrono::milliseconds kUntilInterrupted{0};

Result<void> follow(const Session& session, const std::vector<std::string>& types) {
  Api api = TRY(Api::make(session, Daemon::master));
  std::string path = "/v2/events?plan-format=light";
  for (const std::string& type : types) path += "&event_type=" + base::percent_encode(type);
  EventReader reader;
  Result<void> inner;
  TRY(api.stream(path, "text/event-stream", kUntilInterrupted, [&](std::string_view bytes) {
    const auto events = reader.push(bytes);
    if (!events) {
      inner = events.error();
      return false;
    }
    for (const ServerEvent& event : *events) {
      session.out << (session.json ? event_json_line(event) : event_line(event, session.style));
    }
    session.out << std::flush;
    return static_cast<bool>(session.out);
  }));
  return inner;
}

}  // namespace

Status follow_events(const Session& session, const std::vector<std::string>& types) {
  const Result<void> outcome = follow(session, types);
  return outcome ? Status::ok : report(session, Daemon::master, outcome.error());
}

}  // namespace cli
