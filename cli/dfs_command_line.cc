// SPDX-License-Identifier: Apache-2.0
#include "cli/dfs_command_line.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/dfs_commands.h"

namespace cli {
namespace {

void add_dfs_volume_commands(CLI::App* dfs, Choice& choice) {
  CLI::App* volume = dfs->add_subcommand("volume", "Volumes");
  volume->require_subcommand(1);
  volume->add_subcommand("list", "All volumes")->callback([&choice] {
    choice.set([&choice] { return dfs_volume_list(choice.session); });
  });
  auto options = std::make_shared<VolumeOptions>();
  const auto with_quota = [](CLI::App* verb, VolumeOptions& into) {
    verb->add_option("name", into.name, "Volume")->required();
    verb->add_option("--quota-bytes", into.quota_bytes, "Most bytes; 0: no limit");
    verb->add_option("--quota-inodes", into.quota_inodes, "Most files; 0: no limit");
  };
  CLI::App* create = volume->add_subcommand("create", "Make an empty volume");
  with_quota(create, *options);
  create->add_option("--durability", options->durability, "posix, or strict: every change at once")
      ->capture_default_str();
  create->callback([&choice, options] {
    choice.set([&choice, options] { return dfs_volume_create(choice.session, *options); });
  });
  CLI::App* quota = volume->add_subcommand("quota", "Change a volume's quotas");
  auto change = std::make_shared<VolumeOptions>();
  change->quota_bytes = change->quota_inodes = -1;
  with_quota(quota, *change);
  quota->callback([&choice, change] {
    choice.set([&choice, change] { return dfs_volume_quota(choice.session, *change); });
  });
  CLI::App* show = volume->add_subcommand("show", "One volume");
  show->add_option("name", options->name, "Volume")->required();
  show->callback([&choice, options] {
    choice.set([&choice, options] { return dfs_volume_show(choice.session, options->name); });
  });
  CLI::App* remove = volume->add_subcommand("rm", "Remove a volume with all its files");
  remove->add_option("name", options->name, "Volume")->required();
  remove->callback([&choice, options] {
    choice.set([&choice, options] { return dfs_volume_remove(choice.session, options->name); });
  });
}

}  // namespace

void add_dfs_commands(CLI::App& app, Choice& choice) {
  CLI::App* dfs = app.add_subcommand("dfs", "The distributed file system");
  dfs->require_subcommand(1);
  add_dfs_volume_commands(dfs, choice);
  dfs->add_subcommand("status", "Who leads, what is at risk, who has volumes open")
      ->callback([&choice] { choice.set([&choice] { return dfs_status(choice.session); }); });
  dfs->add_subcommand("fsck", "Check the metadata of the last checkpoint")->callback([&choice] {
    choice.set([&choice] { return dfs_fsck(choice.session); });
  });
}

}  // namespace cli
