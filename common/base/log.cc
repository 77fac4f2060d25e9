// SPDX-License-Identifier: Apache-2.0
#include "common/base/log.h"

#include <unistd.h>

#include <atomic>

namespace base::log {

namespace {

std::atomic<Sink> current_sink{stderr_sink};
std::atomic<Level> threshold{Level::info};

}  // namespace

// One write per record, so that lines of several threads do not mix. The "<4>" prefix is
// sd-daemon(3)'s.
void stderr_sink(Level level, std::string_view event, std::string_view message,
                 FieldList fields) noexcept {
  std::string line = "<" + std::to_string(static_cast<int>(level)) + ">" + std::string(event) +
                     " " + std::string(message);
  for (const Field& field : fields) line += " " + std::string(field.name) + "=" + field.value;
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  line += '\n';
  // Nowhere is left to report a failing stderr.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

void set_sink(Sink sink) { current_sink = sink; }
void set_threshold(Level level) { threshold = level; }

void write(Level level, Event event, std::string_view message, FieldList fields) {
  if (level > threshold.load(std::memory_order_relaxed)) return;
  current_sink.load()(level, event.name, message, fields);
}

void warning(Event event, std::string_view message, FieldList fields, const Error& error) {
  write(Level::warning, event, std::string(message) + " [" + to_string(error) + "]", fields);
}

void failure(Event event, std::string_view message, FieldList fields, const Error& error) {
  write(Level::error, event, std::string(message) + " [" + to_string(error) + "]", fields);
}

}  // namespace base::log
