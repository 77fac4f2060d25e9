// SPDX-License-Identifier: Apache-2.0
#include "cli/event_lines.h"

#include <nlohmann/json.hpp>

#include "cli/views.h"

namespace cli {

using base::Json;

namespace {

constexpr std::size_t kTypeWidth = 28;

Json body_of(const ServerEvent& event) {
  auto body = base::parse_json(event.data, {.bytes_max = EventReader::kEventMax});
  if (body && body->is_object()) return *std::move(body);
  return Json{{"eventType", event.type}, {"data", event.data}};
}

// "2026-01-31T08:00:00.123Z" gives "08:00:00".
std::string clock_of(const std::string& time) {
  return time.size() >= 19 && time[10] == 'T' ? time.substr(11, 8) : std::string(8, ' ');
}

Tone tone_of(const std::string& type, const std::string& state) {
  if (type == "deployment_failed" || state == "TASK_FAILED" || state == "TASK_LOST" ||
      state == "TASK_ERROR") {
    return Tone::bad;
  }
  if (type == "deployment_success" || state == "TASK_RUNNING") return Tone::good;
  return Tone::plain;
}

std::string text_of(const Json& body) {
  std::string text;
  const auto add = [&text](const std::string& piece) {
    if (piece.empty()) return;
    if (!text.empty()) text += " ";
    text += piece;
  };
  add(text_at(body, "appId"));
  add(text_at(body, "taskId", text_at(body, "instanceId")));
  add(text_at(body, "taskStatus"));
  if (value_at(body, "alive").is_boolean()) add(flag_at(body, "alive") ? "healthy" : "unhealthy");
  add(text_at(body, "id", text_at(body, "plan/id")));
  add(text_at(body, "message", text_at(body, "reason")));
  return text;
}

}  // namespace

std::string event_line(const ServerEvent& event, const Style& style) {
  const Json body = body_of(event);
  const std::string type = printable(text_at(body, "eventType", event.type));
  std::string padded = type;
  if (padded.size() < kTypeWidth) padded.append(kTypeWidth - padded.size(), ' ');
  std::string line = clock_of(text_at(body, "timestamp")) + "  " +
                     paint(padded, tone_of(type, text_at(body, "taskStatus")), style);
  const std::string detail = printable(text_of(body));
  if (!detail.empty()) line += "  " + detail;
  while (line.ends_with(' ')) line.pop_back();
  return line + "\n";
}

std::string event_json_line(const ServerEvent& event) {
  return base::dump_json(body_of(event)) + "\n";
}

}  // namespace cli
