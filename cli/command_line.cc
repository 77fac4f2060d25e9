// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <functional>
#include <ostream>

#include "cli/node_commands.h"

namespace cli {

namespace {

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

// The command that was chosen, run after the whole line has been parsed.
struct Choice {
  const Session& session;
  std::function<int()> command;

  void set(std::function<Status()> chosen) {
    command = [chosen = std::move(chosen)] { return static_cast<int>(chosen()); };
  }
};

void add_node_commands(CLI::App& app, Choice& choice) {
  CLI::App* node = app.add_subcommand("node", "This machine as a node");
  node->require_subcommand(1);

  auto first = std::make_shared<NodeInitOptions>();
  CLI::App* init = node->add_subcommand(
      "init", "First boot: folders, identity, admin token. Safe to repeat; run as root");
  init->add_option("--state", first->state, "State folder")->capture_default_str();
  init->add_option("--group", first->group, "Group that may read the token hashes")
      ->capture_default_str();
  init->callback([&choice, first] {
    choice.set([&choice, first] { return node_init(choice.session, *first); });
  });

  auto look = std::make_shared<PreflightOptions>();
  CLI::App* preflight =
      node->add_subcommand("preflight", "Check that this machine can be a node. Changes nothing");
  preflight->add_option("--role", look->role, "infra, dmz or appliance")->capture_default_str();
  preflight->add_option("--only", look->only, "Run these checks only, comma separated")
      ->delimiter(',');
  preflight->add_option("--waive", look->waivers, "ID=REASON: accept what this check finds")
      ->take_all();
  preflight->add_option("--data-device", look->data_device, "Disk for data, for instance /dev/sdb");
  preflight->add_option("--sysroot", look->sysroot,
                        "Read /proc, /sys, /etc and /dev below this folder");
  preflight->add_flag("--strict", look->strict, "Exit with 3 when there are only warnings");
  preflight->add_flag("--list", look->list, "Print the ids of all checks");
  preflight->callback([&choice, look] {
    choice.command = [&choice, look] { return node_preflight(choice.session, *look); };
  });
}

void add_global_options(CLI::App& app, Session& session) {
  app.add_flag("--json", session.json, "Print JSON for programs");
  app.add_option("--url", session.url, "Daemon to talk to, for instance https://10.0.0.2:8080");
  app.add_option("--token", session.token, "Token; visible to others in ps, prefer --token-file");
  app.add_option("--token-file", session.token_file, "File with a token");
  app.add_option("--ca-file", session.ca_file, "PEM file with the CA of an https URL");
  app.add_option("--run-folder", session.run_folder, "Folder with the daemons' sockets")
      ->capture_default_str();
}

}  // namespace

int run_command_line(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  Session session{.out = out, .err = err};
  session.style.colour = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  session.style.width = ::isatty(STDOUT_FILENO) == 1 ? terminal_width() : 0;
  session.progress = ::isatty(STDERR_FILENO) == 1;

  CLI::App app("Gestalt: run and look after applications on this node or cluster", "gestalt");
  app.require_subcommand(1);
  app.fallthrough();  // global options may also follow the command
  app.set_version_flag("--version", GESTALT_VERSION);
  Choice choice{session, {}};
  add_global_options(app, session);
  add_node_commands(app, choice);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& failure) {
    return app.exit(failure, out, err) == 0 ? 0 : static_cast<int>(Status::usage);
  }
  return choice.command();
}

}  // namespace cli
