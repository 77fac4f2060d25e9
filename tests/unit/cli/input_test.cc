// SPDX-License-Identifier: Apache-2.0
#include "cli/input.h"

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

using base::Code;

TEST_GROUP(CliInput) {
  TempFolder folder;
  std::istringstream given;
  std::streambuf* before = nullptr;

  void give(const std::string& text) {
    given.str(text);
    given.clear();
    before = std::cin.rdbuf(given.rdbuf());
    std::cin.clear();
  }
  void teardown() override {
    if (before != nullptr) std::cin.rdbuf(before);
    std::cin.clear();
  }
};

TEST(CliInput, a_file_or_standard_input_is_read) {
  const std::string file = (folder / "a.json").string();
  std::ofstream(file) << "{\"a\": 1} // said by people";
  LONGS_EQUAL(1, UNWRAP(cli::read_json_input(file))["a"].get<int>());
  give("[2]");
  LONGS_EQUAL(2, UNWRAP(cli::read_json_input("-"))[0].get<int>());
}

TEST(CliInput, what_cannot_be_read_says_where) {
  CHECK_ERROR(Code::not_found, "", cli::read_input((folder / "absent").string()));
  give(std::string(cli::kInputBytesMax + 1, ' '));
  CHECK_ERROR(Code::too_large, "file_too_large", cli::read_input("-"));
  const std::string file = (folder / "b.json").string();
  std::ofstream(file) << "{";
  const auto bad = cli::read_json_input(file);
  CHECK_ERROR(Code::invalid_argument, "json_invalid", bad);
  STRCMP_CONTAINS("b.json", bad.error().detail.c_str());
}
