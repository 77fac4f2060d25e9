// SPDX-License-Identifier: Apache-2.0
// gestalt: the command line client. It speaks REST to the daemons of this node or to a URL.
#include <iostream>

#include "cli/command_line.h"

int main(int argc, char** argv) { return cli::run_command_line(argc, argv, std::cout, std::cerr); }
