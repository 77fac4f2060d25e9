// SPDX-License-Identifier: Apache-2.0
// The command line of `gestalt`: every verb and option, in one place. The only file that uses
// CLI11.
#pragma once

#include <iosfwd>

namespace cli {

// Parses, runs one command, returns the exit status (docs/reference/cli.md).
int run_command_line(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace cli
