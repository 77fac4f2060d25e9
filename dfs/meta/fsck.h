// SPDX-License-Identifier: Apache-2.0
// Proof that the metadata state is consistent: each record against all others that it depends on.
//
// Used by tests after every run, and by `gestalt dfs fsck` on a live cluster.
// Memory: about 100 bytes for each inode. Threads: the state's.
#pragma once

#include "dfs/meta/state.h"

namespace dfs::meta {

struct FsckReport {
  std::uint64_t volumes = 0;
  std::uint64_t inodes = 0;
  std::uint64_t names = 0;
  std::uint64_t orphans = 0;  // without a name, held by a session
  std::uint64_t garbage = 0;  // objects that are to be removed
  std::uint64_t wrong = 0;
  std::vector<std::string> problems;  // the first hundred
};

// Checks: names lead to inodes of their volume, and inodes have as many names as they say; folders
// have one name each and form a tree under their volume's root; contents, attributes, holds and
// locks belong to inodes and sessions that exist, and are counted right; an inode without a name is
// held; usage is what the inodes take; no object, of a file or of a version of it that a snapshot
// has, belongs to two files, or to one and the garbage, or is one that a session was given.
FsckReport check_state(const MetaState& state);

}  // namespace dfs::meta
