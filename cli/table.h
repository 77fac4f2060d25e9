// SPDX-License-Identifier: Apache-2.0
// Tables and words for people: aligned columns, colour only when asked for. Used by every command
// that prints without --json.
//
// 1. What comes from a daemon is shown without control characters, so no name or message can move
// the cursor or colour the screen.
// 2. A line never exceeds the width given: the last column is shortened with an ellipsis.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

enum class Tone { plain, good, warning, bad, dim };

struct Style {
  bool colour = false;
  std::size_t width = 0;  // columns of the terminal; 0 means no limit
};

// `text` with control characters and bytes that are not UTF-8 replaced by '?'.
std::string printable(std::string_view text);
// Code points; wide and combining characters count as one.
std::size_t text_width(std::string_view text);
std::string paint(std::string text, Tone tone, const Style& style);

struct Cell {
  std::string text;
  Tone tone = Tone::plain;
};

enum class Align { left, right };

struct Column {
  std::string title;
  Align align = Align::left;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // Requires: as many cells as columns.
  void add(std::vector<Cell> cells);
  bool empty() const { return rows_.empty(); }
  // The title line and one line for each row, each ended by '\n' and free of trailing blanks.
  std::string render(const Style& style) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// 0.5, 1, 1.25: at most three decimals, no trailing zeros.
std::string format_number(double value);
// 512 MiB, 1.5 GiB; whole bytes below 1 KiB.
std::string format_bytes(double bytes);
// 12s, 3m 5s, 2h 4m, 5d 1h.
std::string format_duration(double seconds);

}  // namespace cli
