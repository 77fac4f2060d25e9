// SPDX-License-Identifier: Apache-2.0
// The log facade: an event name from the catalogue, a sentence, fields. Where it goes is set once
// in main.
//
// 1. Every event has an entry with cause and action in docs/reference/events.md; tests/tidy
// compares both.
// 2. Libraries return errors and log nothing above debug; whoever handles an error logs it, once.
// Threads: any.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace base::log {

// syslog priorities (RFC 5424 section 6.2.1).
enum class Level { critical = 2, error = 3, warning = 4, notice = 5, info = 6, debug = 7 };

// An event name, AREA_WHAT_HAPPENED. Only a literal converts, and only one made of A-Z, 0-9 and
// '_'.
struct Event {
  consteval Event(const char* literal) : name(literal) {  // NOLINT: implicit by design
    for (const char c : name) {
      if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
        throw "event names are UPPER_CASE";
    }
  }
  std::string_view name;
};

struct Field {
  std::string_view name;  // lower case; becomes an upper-case journal field
  std::string value;
};
using FieldList = std::initializer_list<Field>;

// Receives every record at or above the threshold. Must not throw or block for long.
using Sink = void (*)(Level level, std::string_view event, std::string_view message,
                      FieldList fields) noexcept;
void set_sink(Sink sink);
// The sink until another is set: one line on stderr with an sd-daemon(3) priority in front.
void stderr_sink(Level level, std::string_view event, std::string_view message,
                 FieldList fields) noexcept;
void set_threshold(Level level);  // info by default

void write(Level level, Event event, std::string_view message, FieldList fields = {});
inline void info(Event event, std::string_view message, FieldList fields = {}) {
  write(Level::info, event, message, fields);
}
inline void notice(Event event, std::string_view message, FieldList fields = {}) {
  write(Level::notice, event, message, fields);
}
// The message ends in what was done about it: "…, keeping the old rules".
void warning(Event event, std::string_view message, FieldList fields, const Error& error);
inline void warning(Event event, std::string_view message, FieldList fields = {}) {
  write(Level::warning, event, message, fields);
}
void failure(Event event, std::string_view message, FieldList fields, const Error& error);
inline void debug(Event event, std::string_view message, FieldList fields = {}) {
  write(Level::debug, event, message, fields);
}

}  // namespace base::log
