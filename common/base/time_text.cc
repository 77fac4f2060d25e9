// SPDX-License-Identifier: Apache-2.0
#include "common/base/time_text.h"

#include <optional>

namespace base {
namespace {

// `count` digits at the front of `text`, taken away; -1 when they are not there.
int take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return -1;
  int value = 0;
  for (const char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, std::string_view one_of) {
  if (text.empty() || one_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// The milliseconds of ".25"; nullopt when no digit follows the point.
std::optional<int> take_decimals(std::string_view& text) {
  if (!take(text, ".")) return 0;
  int milliseconds = 0;
  int digits = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
    if (digits++ < 3) milliseconds = milliseconds * 10 + (text.front() - '0');
  }
  if (digits == 0) return std::nullopt;
  for (; digits < 3; ++digits) milliseconds *= 10;
  return milliseconds;
}

// Minutes east of Greenwich.
std::optional<int> take_zone(std::string_view& text) {
  if (take(text, "Zz")) return 0;
  const bool is_west = !text.empty() && text.front() == '-';
  if (!take(text, "+-")) return std::nullopt;
  const int hours = take_digits(text, 2);
  if (hours < 0 || hours > 23 || !take(text, ":")) return std::nullopt;
  const int minutes = take_digits(text, 2);
  if (minutes < 0 || minutes > 59) return std::nullopt;
  return (is_west ? -1 : 1) * (hours * 60 + minutes);
}

}  // namespace

Result<WallTime> parse_time(std::string_view text) {
  const Error refused{Code::invalid_argument,
                      "a time is written as 2026-01-31T08:00:00Z, with a zone", "time_invalid"};
  const int year = take_digits(text, 4);
  if (year < 0 || !take(text, "-")) return refused;
  const int month = take_digits(text, 2);
  if (month < 0 || !take(text, "-")) return refused;
  const int day = take_digits(text, 2);
  if (day < 0 || !take(text, "Tt ")) return refused;
  const int hour = take_digits(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ":")) return refused;
  const int minute = take_digits(text, 2);
  if (minute < 0 || minute > 59 || !take(text, ":")) return refused;
  const int second = take_digits(text, 2);
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (second < 0 || second > 60 || !date.ok()) return refused;
  const auto decimals = take_decimals(text);
  const auto zone = take_zone(text);
  if (!decimals || !zone || !text.empty()) return refused;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute - *zone) + std::chrono::seconds(second) +
         std::chrono::milliseconds(*decimals);
}

}  // namespace base
