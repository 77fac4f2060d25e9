// SPDX-License-Identifier: Apache-2.0
// What the files that describe the command line fill in while it is parsed.
#pragma once

#include <functional>

#include "cli/session.h"

namespace cli {

// The command that was chosen, run after the whole line has been parsed.
struct Choice {
  const Session& session;
  std::function<int()> command;

  // For commands whose exit status is a Status.
  void set(std::function<Status()> chosen) {
    command = [chosen = std::move(chosen)] { return static_cast<int>(chosen()); };
  }
};

}  // namespace cli
