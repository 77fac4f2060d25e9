// SPDX-License-Identifier: Apache-2.0
// What each change of the root group replaced, so that a group can be shown and brought back as it
// was, with apps that have been removed since.
//
// Kept by the scheduler, one record per change, newest last.
// 1. The content at a version is the content now with every later change undone, newest first.
// 2. At most kGroupVersionsMax records and kDefinitionsMax definitions are kept; the oldest go.
// Threads: none of its own.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "node/master/state.h"

namespace node::master {

inline constexpr std::size_t kGroupVersionsMax = 50;

struct GroupVersion {
  std::string version;                 // that the change made
  std::map<std::string, AppPtr> apps;  // as they were before it; null: there was none
  std::map<std::string, std::optional<GroupInfo>> groups;
};

// Apps and groups at one time.
struct GroupContent {
  std::map<std::string, AppPtr> apps;
  std::map<std::string, GroupInfo> groups;
};

class GroupHistory {
 public:
  // Returns the records that had to go.
  std::vector<GroupVersion> add(GroupVersion version);
  const std::deque<GroupVersion>& versions() const { return versions_; }
  const GroupVersion* find(const std::string& version) const;
  // Requires: the version is known; `now` is the content now.
  GroupContent at(const std::string& version, GroupContent now) const;

 private:
  std::deque<GroupVersion> versions_;
  std::size_t definitions_ = 0;  // in all records
};

// The record as it is kept, in parts of at most `bytes_max` each (but one app at least).
std::vector<std::string> to_parts(const GroupVersion& version, std::size_t bytes_max);
// Adds a part to a record. Errors: corrupt record_corrupt; those of Fields.
base::Result<void> read_part(const base::Json& part, GroupVersion& version);
base::Json to_json(const GroupInfo& info);
// Errors: those of Fields.
base::Result<GroupInfo> read_group_info(const base::Json& json);

}  // namespace node::master
