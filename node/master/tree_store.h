// SPDX-License-Identifier: Apache-2.0
// The master's part of the coordination tree: what is written, how it is read back.
//
// /gestalt/master/leader               ephemeral; holds its place for one masterd
// /gestalt/master/framework            the Mesos framework id
// /gestalt/master/groups               groups
// /gestalt/master/history/<version>    what a change of the root group replaced, in parts below it
// /gestalt/master/apps/<app>           the current definition; '/' in the id is '_' here
// /gestalt/master/apps/<app>/<version> definitions of the past
// /gestalt/master/deployments/<id>     deployments under way
// /gestalt/master/aside/<name>         copies of records that could not be used and were replaced
// /gestalt/assign/<node>, /gestalt/specs/<digest>: see docs/reference/internal-apis.md
//
// 1. A batch is one multi, checked against the leader node: it is there as a whole or not at all,
// and never after another masterd took over.
// 2. Every batch holds current states, not steps, so that writing it twice does no harm.
// Threads: one at a time; all calls block.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/coordination/coordination.h"
#include "node/master/scheduler.h"

namespace node::master {

struct Write {
  std::string path;
  std::optional<std::string> data;  // nothing: the node goes, with its children
};

// The writes that bring the tree to the scheduler's state for what `effects` names. `written` knows
// the versions of each app that are in the tree, and is brought up to date. Generations of the
// assignments grow in `generations`.
using WrittenVersions = std::map<std::string, std::set<std::string>>;
std::vector<Write> make_writes(const Scheduler& scheduler, const Effects& effects,
                               WrittenVersions& written,
                               std::map<std::string, std::int64_t>& generations);

class TreeStore {
 public:
  explicit TreeStore(coordination::Coordination& tree) : tree_(tree) {}
  // Becomes the leader. Errors: failed_precondition leader_exists when another masterd has not gone
  // within `patience`.
  base::Result<void> lead(const std::string& who, std::chrono::milliseconds patience);
  struct Loaded {
    Snapshot snapshot;
    std::string framework_id;
    // Records that could not be used, with the reason. Those of apps, versions, deployments and
    // assignments are left as they are; of the others a copy is kept.
    std::vector<std::string> problems;
  };
  // Errors: those of Coordination; never because of what a record holds.
  base::Result<Loaded> load(base::Rng& rng);
  // Errors: those of Coordination::multi; conflict version_moved_on when leadership is lost.
  base::Result<void> write(const std::vector<Write>& writes);

 private:
  base::Result<std::optional<std::string>> find_text(const std::string& path);
  base::Result<void> load_groups(Loaded& loaded);
  base::Result<std::vector<App>> load_versions(const std::string& path, Loaded& loaded);
  base::Result<void> keep_aside(const std::string& path, const std::string& text);
  base::Result<std::vector<std::string>> list(const std::string& path);
  base::Result<void> load_apps(Loaded& loaded);
  base::Result<void> load_history(Loaded& loaded);
  base::Result<std::optional<GroupVersion>> load_group_version(const std::string& path,
                                                               const std::string& name,
                                                               std::string& problem);
  base::Result<void> load_deployments(Loaded& loaded);
  base::Result<void> load_assignments(Loaded& loaded);
  base::Result<void> refresh(const std::vector<Write>& writes);
  void append(const Write& write, std::vector<coordination::Operation>& operations,
              std::set<std::string>& known) const;
  coordination::Coordination& tree_;
  std::set<std::string> known_;  // paths that exist
  bool sure_ = true;             // known_ holds; false after a write of unknown outcome
};

}  // namespace node::master
