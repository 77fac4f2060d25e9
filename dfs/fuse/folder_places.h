// SPDX-License-Identifier: Apache-2.0
// Where the kernel has each folder in its tree: the name by which it was told of it last.
//
// Used by the mount. A folder has one place only, and the kernel moves it by itself when it is
// found at another, but not while it holds its lock for renames: rename(2) of a folder that another
// mount has moved fails with ESTALE unless the kernel lets go of the old place first (Linux
// fs/dcache.c, __d_unalias). Memory: an entry for each folder that the kernel remembers.
// Threads: the loop's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace dfs::fuse {

class FolderPlaces {
 public:
  using Node = std::uint64_t;
  using Place = std::pair<Node, std::string>;  // the folder it is in, and its name there

  // The kernel is told of it there. Returns where it has it now, if that is in another folder;
  // within one it always moves it.
  std::optional<Place> tell(Node folder, Place place);
  // What was at `from` is at `to` now; and the other way round, if both are there and exchanged.
  void rename(const Place& from, const Place& to, bool exchanges);
  void remove(const Place& place);
  void forget(Node folder);

 private:
  void put(Node folder, Place place);

  std::unordered_map<Node, Place> places_;
  std::map<Place, Node> folders_;
};

}  // namespace dfs::fuse
