// SPDX-License-Identifier: Apache-2.0
#include "services/change/time_zone.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/base/config.h"
#include "common/base/text.h"

namespace services::change {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::string_view kFolder = "/usr/share/zoneinfo/";
constexpr std::size_t kNameMax = 64;
constexpr std::size_t kFileMax = 1 << 20;
constexpr std::size_t kHeaderSize = 44;
constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kDay = 24 * kHour;

Error unknown_zone(std::string_view what) {
  return {Code::invalid_argument, "there is no time zone '" + std::string(what) + "'",
          "time_zone_unknown"};
}
Error broken_zone() {
  return {Code::invalid_argument, "the description of the time zone is damaged",
          "time_zone_unknown"};
}

// Names of the database alone: no way out of its folder.
bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > kNameMax || name.front() == '/') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '+' || c == '/';
  });
}

std::int64_t big_endian(std::string_view bytes) {
  std::uint64_t value = static_cast<unsigned char>(bytes.front()) >= 0x80 ? ~std::uint64_t{0} : 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(value);
}

// The counts of a header (RFC 8536, 3.1).
struct Counts {
  std::size_t ut = 0, standard = 0, leaps = 0, times = 0, types = 0, chars = 0;
  std::size_t body(std::size_t time_size) const {
    return times * (time_size + 1) + types * 6 + chars + leaps * (time_size + 4) + standard + ut;
  }
};
Result<Counts> read_counts(std::string_view bytes) {
  if (bytes.size() < kHeaderSize || !bytes.starts_with("TZif") || bytes[4] < '2')
    return broken_zone();
  std::size_t values[6];
  for (std::size_t i = 0; i < 6; ++i) {
    const std::int64_t value = big_endian(bytes.substr(20 + i * 4, 4));
    if (value < 0 || value > static_cast<std::int64_t>(kFileMax)) return broken_zone();
    values[i] = static_cast<std::size_t>(value);
  }
  return Counts{values[0], values[1], values[2], values[3], values[4], values[5]};
}

}  // namespace

// "CET-1CEST,M3.5.0,M10.5.0/3". Whoever reads past the end gets a zero byte.
class TimeZone::FooterText {
 public:
  explicit FooterText(std::string_view text) : text_(text) {}

  Result<Footer> read() {
    Footer footer;
    TRY(skip_name());
    footer.standard_s = -TRY(read_time(24));
    if (at_end()) return footer;
    footer.has_summer = true;
    TRY(skip_name());
    footer.summer_s = footer.standard_s + kHour;
    if (peek() != ',') footer.summer_s = -TRY(read_time(24));
    footer.begin = TRY(read_day());
    footer.end = TRY(read_day());
    if (!at_end()) return broken_zone();
    return footer;
  }

 private:
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool take(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }
  Result<void> skip_name() {
    const std::size_t before = at_;
    if (take('<')) {
      while (!at_end() && peek() != '>') ++at_;
      if (!take('>')) return broken_zone();
      return {};
    }
    while ((peek() >= 'a' && peek() <= 'z') || (peek() >= 'A' && peek() <= 'Z')) ++at_;
    if (at_ == before) return broken_zone();
    return {};
  }
  Result<std::int64_t> read_number(std::int64_t most) {
    std::int64_t value = 0;
    const std::size_t before = at_;
    while (peek() >= '0' && peek() <= '9' && value <= most)
      value = value * 10 + (text_[at_++] - '0');
    if (at_ == before || value > most) return broken_zone();
    return value;
  }
  // [+-]hh[:mm[:ss]]
  Result<std::int64_t> read_time(std::int64_t hours_max) {
    const std::int64_t sign = take('-') ? -1 : 1;
    if (sign > 0) take('+');
    std::int64_t value = TRY(read_number(hours_max)) * kHour;
    if (take(':')) value += TRY(read_number(59)) * 60;
    if (take(':')) value += TRY(read_number(59));
    return sign * value;
  }
  Result<YearDay> read_day() {
    if (!take(',')) return broken_zone();
    YearDay day;
    if (take('M')) {
      day.month = static_cast<unsigned>(TRY(read_number(12)));
      const bool first = take('.');
      day.week = static_cast<unsigned>(TRY(read_number(5)));
      const bool second = take('.');
      day.weekday = static_cast<unsigned>(TRY(read_number(6)));
      if (!first || !second || day.month == 0 || day.week == 0) return broken_zone();
    } else {
      day.kind = take('J') ? YearDay::Kind::julian : YearDay::Kind::from_zero;
      day.day = static_cast<int>(TRY(read_number(365)));
    }
    day.time_s = take('/') ? TRY(read_time(167)) : 2 * kHour;
    return day;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Of the clock that counted until then, as if it showed UTC.
std::int64_t TimeZone::local_of(const YearDay& day, int year) {
  using namespace std::chrono;
  const std::chrono::year y{year};
  sys_days date = y / January / 1;
  if (day.kind == YearDay::Kind::month_week) {
    const std::chrono::month month{day.month};
    const weekday wanted{day.weekday};
    date =
        day.week == 5 ? sys_days{y / month / wanted[last]} : sys_days{y / month / wanted[day.week]};
  } else {
    int days = day.day;
    // J60 is 1 March, also when there is a 29 February before it.
    if (day.kind == YearDay::Kind::julian) days += y.is_leap() && day.day >= 60 ? 0 : -1;
    date += std::chrono::days{days};
  }
  return date.time_since_epoch().count() * kDay + day.time_s;
}

std::int64_t TimeZone::offset_by_footer(std::int64_t utc_s) const {
  if (!footer_.has_summer) return footer_.standard_s;
  using namespace std::chrono;
  const sys_days today = floor<days>(sys_seconds{seconds{utc_s + footer_.standard_s}});
  const int year = static_cast<int>(year_month_day{today}.year());
  const std::int64_t begin = local_of(footer_.begin, year) - footer_.standard_s;
  const std::int64_t end = local_of(footer_.end, year) - footer_.summer_s;
  const bool is_summer =
      begin < end ? begin <= utc_s && utc_s < end : !(end <= utc_s && utc_s < begin);
  return is_summer ? footer_.summer_s : footer_.standard_s;
}

Result<std::shared_ptr<const TimeZone>> TimeZone::load(std::string_view name) {
  if (!is_zone_name(name)) return unknown_zone(name);
  const auto bytes = base::read_file(std::string(kFolder) + std::string(name), kFileMax);
  if (!bytes) return unknown_zone(name);
  const auto zone = parse(*bytes);
  if (!zone) return unknown_zone(name);
  return std::make_shared<const TimeZone>(*zone);
}

Result<TimeZone> TimeZone::parse(std::string_view bytes) {
  // The first block is for readers of version 1: times of 32 bits.
  const std::size_t skipped = kHeaderSize + TRY(read_counts(bytes)).body(4);
  if (bytes.size() < skipped) return broken_zone();
  bytes.remove_prefix(skipped);
  const Counts counts = TRY(read_counts(bytes));
  bytes.remove_prefix(kHeaderSize);
  if (counts.types == 0 || bytes.size() < counts.body(8)) return broken_zone();
  const std::string_view times = bytes.substr(0, counts.times * 8);
  const std::string_view kinds = bytes.substr(times.size(), counts.times);
  const std::string_view types = bytes.substr(times.size() + kinds.size(), counts.types * 6);
  const auto offset_of = [types](std::size_t type) {
    return big_endian(types.substr(type * 6, 4));
  };
  TimeZone zone;
  zone.first_s_ = offset_of(0);
  for (std::size_t i = 0; i < counts.times; ++i) {
    const auto kind = static_cast<std::size_t>(static_cast<unsigned char>(kinds[i]));
    if (kind >= counts.types) return broken_zone();
    zone.transitions_.push_back({big_endian(times.substr(i * 8, 8)), offset_of(kind)});
    if (i > 0 && zone.transitions_[i - 1].at_s >= zone.transitions_[i].at_s) return broken_zone();
  }
  std::string_view footer = bytes.substr(counts.body(8));
  if (footer.size() < 2 || footer.front() != '\n' || footer.back() != '\n') return broken_zone();
  footer = footer.substr(1, footer.size() - 2);
  zone.has_footer_ = !footer.empty();
  if (zone.has_footer_) zone.footer_ = TRY(FooterText(footer).read());
  return zone;
}

std::int64_t TimeZone::offset_at(std::int64_t utc_s) const {
  const auto next = std::upper_bound(
      transitions_.begin(), transitions_.end(), utc_s,
      [](std::int64_t at, const Transition& transition) { return at < transition.at_s; });
  if (next == transitions_.end() && has_footer_) return offset_by_footer(utc_s);
  return next == transitions_.begin() ? first_s_ : std::prev(next)->offset_s;
}

std::int64_t TimeZone::to_utc(std::int64_t local_s, Which which) const {
  // No zone is more than a day from UTC, and none changes twice within two days.
  const std::int64_t before = offset_at(local_s - kDay);
  const std::int64_t after = offset_at(local_s + kDay);
  const std::int64_t early = local_s - std::max(before, after);
  const std::int64_t late = local_s - std::min(before, after);
  const bool early_fits = early + offset_at(early) == local_s;
  const bool late_fits = late + offset_at(late) == local_s;
  if (early_fits && late_fits) return which == Which::first ? early : late;
  if (early_fits) return early;
  if (late_fits) return late;
  // Left out: the change itself lies between the two.
  std::int64_t low = early, high = late;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (offset_at(middle) == before ? low : high) = middle;
  }
  return high;
}

}  // namespace services::change
