// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include "tests/support/check_result.h"

namespace {

using cli::Align;
using cli::Style;
using cli::Table;
using cli::Tone;

Table two_apps() {
  Table table({{"ID"}, {"CPUS", Align::right}, {"MESSAGE"}});
  table.add({{"/web"}, {"0.5"}, {"fine"}});
  table.add({{"/a/very/long/name"}, {"12"}, {"the image could not be fetched"}});
  return table;
}

}  // namespace

TEST_GROUP(Table){};

TEST(Table, columns_are_aligned_and_lines_end_without_blanks) {
  STRCMP_EQUAL(
      "ID                 CPUS  MESSAGE\n"
      "/web                0.5  fine\n"
      "/a/very/long/name    12  the image could not be fetched\n",
      two_apps().render({}).c_str());
}

TEST(Table, a_narrow_terminal_shortens_the_last_column_only) {
  STRCMP_EQUAL(
      "ID                 CPUS  MESSAGE\n"
      "/web                0.5  fine\n"
      "/a/very/long/name    12  the imag…\n",
      two_apps().render({.width = 34}).c_str());
}

TEST(Table, a_terminal_too_narrow_for_the_other_columns_shortens_nothing) {
  STRCMP_EQUAL(two_apps().render({}).c_str(), two_apps().render({.width = 10}).c_str());
}

TEST(Table, colour_does_not_change_the_alignment) {
  Table table({{"A"}, {"B"}});
  table.add({{"x", Tone::bad}, {"y"}});
  STRCMP_EQUAL("\033[2mA\033[0m  \033[2mB\033[0m\n\033[31mx\033[0m  y\n",
               table.render({.colour = true}).c_str());
}

TEST(Table, characters_of_several_bytes_count_once) {
  Table table({{"A"}, {"B"}});
  table.add({{"é"}, {"y"}});
  STRCMP_EQUAL("A  B\né  y\n", table.render({}).c_str());
}

TEST(Table, an_empty_cell_shows_a_dash) {
  Table table({{"A"}, {"B"}});
  table.add({{""}, {"y"}});
  STRCMP_EQUAL("A  B\n-  y\n", table.render({}).c_str());
}

TEST(Table, control_characters_of_a_daemon_never_reach_the_terminal) {
  STRCMP_EQUAL("a?[31mb?c", cli::printable("a\033[31mb\nc").c_str());
  STRCMP_EQUAL("a?b", cli::printable("a\xC2\x9B"
                                     "b")
                          .c_str());  // CSI as one C1 character
  STRCMP_EQUAL("a??", cli::printable("a\xFF\xFE").c_str());
  STRCMP_EQUAL("naïve ✓", cli::printable("naïve ✓").c_str());
}

TEST(Table, numbers_have_no_needless_digits) {
  STRCMP_EQUAL("0.5", cli::format_number(0.5).c_str());
  STRCMP_EQUAL("1", cli::format_number(1).c_str());
  STRCMP_EQUAL("0", cli::format_number(-0.0001).c_str());
  STRCMP_EQUAL("1.125", cli::format_number(1.125).c_str());
  STRCMP_EQUAL("100", cli::format_number(100).c_str());
}

TEST(Table, bytes_are_shown_in_binary_units) {
  STRCMP_EQUAL("0 B", cli::format_bytes(0).c_str());
  STRCMP_EQUAL("1023 B", cli::format_bytes(1023).c_str());
  STRCMP_EQUAL("64 MiB", cli::format_bytes(64 << 20).c_str());
  STRCMP_EQUAL("1.5 GiB", cli::format_bytes(1.5 * (1 << 30)).c_str());
}

TEST(Table, durations_show_the_two_largest_units) {
  STRCMP_EQUAL("0s", cli::format_duration(-3).c_str());
  STRCMP_EQUAL("59s", cli::format_duration(59.9).c_str());
  STRCMP_EQUAL("3m 5s", cli::format_duration(185).c_str());
  STRCMP_EQUAL("2h", cli::format_duration(7200).c_str());
  STRCMP_EQUAL("5d 1h", cli::format_duration(5 * 86400 + 3700).c_str());
}
