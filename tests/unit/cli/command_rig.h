// SPDX-License-Identifier: Apache-2.0
// `gestalt` as it is called, with a run folder of its own, and what it printed.
#pragma once

#include <CppUTest/TestHarness.h>

#include <sstream>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "tests/support/temp_folder.h"

struct CommandRig : public Utest {
  TempFolder folder;
  std::ostringstream out;
  std::ostringstream err;

  int run(const std::vector<std::string>& words) {
    out.str("");
    err.str("");
    std::vector<const char*> argv = {"gestalt", "--run-folder", folder.path().c_str()};
    for (const std::string& word : words) argv.push_back(word.c_str());
    return cli::run_command_line(static_cast<int>(argv.size()), argv.data(), out, err);
  }
};
