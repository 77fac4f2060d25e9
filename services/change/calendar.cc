// SPDX-License-Identifier: Apache-2.0
#include "services/change/calendar.h"

#include <algorithm>
#include <array>

#include "common/base/text.h"

namespace services::change {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr std::size_t kWindowsMax = 20;
constexpr std::int64_t kDayLength = 86'400;
constexpr std::array<std::string_view, 7> kDayNames{"mon", "tue", "wed", "thu",
                                                    "fri", "sat", "sun"};

// 1 January 1970 was a Thursday.
unsigned weekday_of(std::int64_t day) { return static_cast<unsigned>(((day + 3) % 7 + 7) % 7); }

std::int64_t day_of(std::int64_t local_s) {
  return local_s >= 0 ? local_s / kDayLength : -((-local_s + kDayLength - 1) / kDayLength);
}

Result<std::int64_t> read_clock(const Json* value, std::string pointer) {
  const std::string text = value != nullptr && value->is_string() ? value->get<std::string>() : "";
  const auto hour = base::parse_int(text.substr(0, 2), 0, 24);
  const auto minute = text.size() == 5 && text[2] == ':' ? base::parse_int(text.substr(3), 0, 59)
                                                         : Result<std::int64_t>(Error{});
  if (hour && minute && *hour * 60 + *minute <= 24 * 60) return (*hour * 60 + *minute) * 60;
  return Error{Code::invalid_argument, "a time of the day is expected, 00:00 to 24:00",
               "field_invalid", 0, std::move(pointer)};
}

std::string clock_text(std::int64_t of_day_s) {
  const auto two = [](std::int64_t number) {
    return (number < 10 ? "0" : "") + std::to_string(number);
  };
  return two(of_day_s / 3600) + ":" + two(of_day_s / 60 % 60);
}

Result<unsigned> read_days(const std::vector<std::string>& names, std::string pointer) {
  unsigned days = 0;
  for (const std::string& name : names) {
    const auto* const found = std::find(kDayNames.begin(), kDayNames.end(), name);
    if (found == kDayNames.end()) {
      days = 0;
      break;
    }
    days |= 1U << static_cast<unsigned>(found - kDayNames.begin());
  }
  if (days != 0) return days;
  return Error{Code::invalid_argument, "days are mon, tue, wed, thu, fri, sat and sun",
               "field_invalid", 0, std::move(pointer)};
}

Result<Window> read_window(const Json& json, const std::string& pointer) {
  Window window;
  std::vector<std::string> days;
  base::Fields fields(json, pointer);
  fields.optional("days", days, kDayNames.size(), {.length_max = 3});
  const Json* from = fields.find("from");
  const Json* until = fields.find("until");
  TRY(fields.finish(base::UnknownFields::refuse));
  window.days = TRY(read_days(days, fields.pointer_of("days")));
  window.from_s = TRY(read_clock(from, fields.pointer_of("from")));
  window.until_s = TRY(read_clock(until, fields.pointer_of("until")));
  if (window.from_s < kDayLength) return window;
  return Error{Code::invalid_argument, "a window begins before the end of its day", "field_invalid",
               0, fields.pointer_of("from")};
}

}  // namespace

std::optional<std::int64_t> end_of_window(const TimeZone& zone, std::span<const Window> weekly,
                                          std::int64_t at_s) {
  const std::int64_t today = day_of(at_s + zone.offset_at(at_s));
  std::optional<std::int64_t> end;
  // One that has begun the day before, or whose end the clock shows again.
  for (std::int64_t day = today - 2; day <= today + 1; ++day) {
    for (const Window& window : weekly) {
      if ((window.days >> weekday_of(day) & 1U) == 0) continue;
      const std::int64_t last_day = window.until_s > window.from_s ? day : day + 1;
      const std::int64_t from =
          zone.to_utc(day * kDayLength + window.from_s, TimeZone::Which::first);
      const std::int64_t until =
          zone.to_utc(last_day * kDayLength + window.until_s, TimeZone::Which::last);
      if (from <= at_s && at_s < until) end = std::max(end.value_or(until), until);
    }
  }
  return end;
}

Result<std::vector<Window>> read_weekly(const Json& list, const std::string& pointer) {
  if (!list.is_array() || list.empty() || list.size() > kWindowsMax) {
    return Error{Code::invalid_argument, "1 to 20 windows are expected", "field_invalid", 0,
                 pointer};
  }
  std::vector<Window> weekly;
  for (std::size_t i = 0; i < list.size(); ++i)
    weekly.push_back(TRY(read_window(list[i], pointer + "/" + std::to_string(i))));
  return weekly;
}

Json show_weekly(std::span<const Window> weekly) {
  Json list = Json::array();
  for (const Window& window : weekly) {
    Json days = Json::array();
    for (std::size_t day = 0; day < kDayNames.size(); ++day)
      if ((window.days >> day & 1U) != 0) days.push_back(kDayNames[day]);
    list.push_back({{"days", std::move(days)},
                    {"from", clock_text(window.from_s)},
                    {"until", clock_text(window.until_s)}});
  }
  return list;
}

}  // namespace services::change
