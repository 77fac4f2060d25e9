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

void add_dfs_snapshot_commands(CLI::App* dfs, Choice& choice) {
  using Run = Status (*)(const Session&, const std::string&, const std::string&);
  struct Row {
    const char* verb;
    const char* about;
    Run run;
  };
  constexpr Row kRows[] = {
      {"create", "What the volume is now, to be mounted as VOLUME@NAME", dfs_snapshot_create},
      {"rm", "Remove a snapshot", dfs_snapshot_remove},
      {"restore", "Take a volume that nobody has mounted back to a snapshot", dfs_snapshot_restore},
  };
  CLI::App* snapshot = dfs->add_subcommand("snapshot", "Snapshots of volumes");
  snapshot->require_subcommand(1);
  auto volume = std::make_shared<std::string>();
  auto name = std::make_shared<std::string>();
  for (const Row& row : kRows) {
    CLI::App* verb = snapshot->add_subcommand(row.verb, row.about);
    verb->add_option("volume", *volume, "Volume")->required();
    verb->add_option("name", *name, "Snapshot")->required();
    verb->callback([&choice, volume, name, run = row.run] {
      choice.set([&choice, volume, name, run] { return run(choice.session, *volume, *name); });
    });
  }
  CLI::App* list = snapshot->add_subcommand("list", "A volume's snapshots");
  list->add_option("volume", *volume, "Volume")->required();
  list->callback([&choice, volume] {
    choice.set([&choice, volume] { return dfs_snapshot_list(choice.session, *volume); });
  });
}

void add_dfs_device_commands(CLI::App* dfs, Choice& choice) {
  CLI::App* device = dfs->add_subcommand("device", "Storage servers and their devices");
  device->require_subcommand(1);
  device->add_subcommand("list", "All of them")->callback([&choice] {
    choice.set([&choice] { return dfs_device_list(choice.session); });
  });
  auto node = std::make_shared<std::string>();
  CLI::App* forget =
      device->add_subcommand("rm", "Forget a storage server that no chunk group counts on");
  forget->add_option("node", *node, "As `dfs device list` names it")->required();
  forget->callback([&choice, node] {
    choice.set([&choice, node] { return dfs_device_forget(choice.session, *node); });
  });
  CLI::App* scrub = dfs->add_subcommand("scrub", "Reading all that this node's device holds");
  scrub->require_subcommand(1);
  struct Row {
    const char* verb;
    const char* about;
    ScrubVerb what;
  };
  constexpr Row kRows[] = {{"status", "How far it is, and what it found", ScrubVerb::status},
                           {"start", "Begin now", ScrubVerb::start},
                           {"stop", "End the one under way", ScrubVerb::stop}};
  for (const Row& row : kRows) {
    scrub->add_subcommand(row.verb, row.about)->callback([&choice, what = row.what] {
      choice.set([&choice, what] { return dfs_scrub(choice.session, what); });
    });
  }
}

}  // namespace

void add_dfs_commands(CLI::App& app, Choice& choice) {
  CLI::App* dfs = app.add_subcommand("dfs", "The distributed file system");
  dfs->require_subcommand(1);
  add_dfs_volume_commands(dfs, choice);
  add_dfs_snapshot_commands(dfs, choice);
  add_dfs_device_commands(dfs, choice);
  dfs->add_subcommand("status", "Who leads, what is at risk, who has volumes open")
      ->callback([&choice] { choice.set([&choice] { return dfs_status(choice.session); }); });
  dfs->add_subcommand("fsck", "Check the metadata of the last checkpoint")->callback([&choice] {
    choice.set([&choice] { return dfs_fsck(choice.session); });
  });
}

}  // namespace cli
