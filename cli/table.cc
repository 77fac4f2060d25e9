// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "common/base/check.h"
#include "common/base/text.h"

namespace cli {

namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowestLastColumn = 4;

bool starts_code_point(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

std::string shorten(const std::string& text, std::size_t width_max) {
  if (text_width(text) <= width_max || width_max == 0) return text;
  std::size_t seen = 0;
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (starts_code_point(text[end]) && ++seen == width_max) break;
  }
  return text.substr(0, end) + "…";
}

void drop_trailing_blanks(std::string& line) {
  while (!line.empty() && line.back() == ' ') line.pop_back();
}

}  // namespace

std::string printable(std::string_view text) {
  const bool utf8 = base::is_utf8(text);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are control characters too; in UTF-8 they are C2 80 to C2 9F.
    const bool c1 =
        byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !utf8)) {
      out.push_back('?');
    } else if (c1) {
      out.push_back('?');
      ++i;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::size_t text_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_code_point));
}

std::string paint(std::string text, Tone tone, const Style& style) {
  if (!style.colour || tone == Tone::plain || text.empty()) return text;
  const char* code = "";
  switch (tone) {
    case Tone::good: code = "\033[32m"; break;
    case Tone::warning: code = "\033[33m"; break;
    case Tone::bad: code = "\033[31m"; break;
    case Tone::dim: code = "\033[2m"; break;
    case Tone::plain: break;
  }
  return code + std::move(text) + "\033[0m";
}

void Table::add(std::vector<Cell> cells) {
  CHECK_THAT(cells.size() == columns_.size());
  for (Cell& cell : cells) {
    cell.text = printable(cell.text);
    if (cell.text.empty()) cell = {"-", Tone::dim};
  }
  rows_.push_back(std::move(cells));
}

std::string Table::render(const Style& style) const {
  std::vector<std::size_t> widths;
  std::size_t before_last = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = text_width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, text_width(row[i].text));
    widths.push_back(width);
    if (i + 1 < columns_.size()) before_last += width + kGap;
  }
  const bool room = style.width > before_last + kNarrowestLastColumn;
  const std::size_t last_max = style.width == 0 ? 0 : room ? style.width - before_last : 0;

  std::string out;
  const auto append_line = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const bool last = i + 1 == columns_.size();
      Cell cell = cell_of(i);
      if (last) cell.text = shorten(cell.text, last_max);
      const std::size_t have = text_width(cell.text);
      const std::string pad(widths[i] > have ? widths[i] - have : 0, ' ');
      const std::string shown = paint(cell.text, cell.tone, style);
      if (columns_[i].align == Align::right) {
        line += (last && last_max != 0 ? "" : pad) + shown;
      } else {
        line += shown + (last ? "" : pad);
      }
      if (!last) line.append(kGap, ' ');
    }
    drop_trailing_blanks(line);
    out += line + "\n";
  };
  append_line([&](std::size_t i) { return Cell{columns_[i].title, Tone::dim}; });
  for (const auto& row : rows_) {
    append_line([&](std::size_t i) { return row[i]; });
  }
  return out;
}

std::string format_number(double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.3f", value);
  std::string out = text.data();
  while (out.back() == '0') out.pop_back();
  if (out.back() == '.') out.pop_back();
  return out == "-0" ? "0" : out;
}

std::string format_bytes(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (std::fabs(bytes) >= 1024 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return format_number(std::round(bytes * 10) / 10) + " " + kUnits[unit];
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<long long>(std::max(0.0, seconds));
  const auto pair = [](long long big, const char* big_unit, long long small,
                       const char* small_unit) {
    std::string text = std::to_string(big) + big_unit;
    if (small > 0) text += " " + std::to_string(small) + small_unit;
    return text;
  };
  if (whole < 60) return std::to_string(whole) + "s";
  if (whole < 3600) return pair(whole / 60, "m", whole % 60, "s");
  if (whole < 86400) return pair(whole / 3600, "h", whole % 3600 / 60, "m");
  return pair(whole / 86400, "d", whole % 86400 / 3600, "h");
}

}  // namespace cli
