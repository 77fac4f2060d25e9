// SPDX-License-Identifier: Apache-2.0
#include "dfs/fuse/folder_places.h"

namespace dfs::fuse {

void FolderPlaces::put(Node folder, Place place) {
  remove(place);
  forget(folder);
  folders_[place] = folder;
  places_.emplace(folder, std::move(place));
}

std::optional<FolderPlaces::Place> FolderPlaces::tell(Node folder, Place place) {
  std::optional<Place> before;
  const auto known = places_.find(folder);
  if (known != places_.end() && known->second.first != place.first) before = known->second;
  put(folder, std::move(place));
  return before;
}

void FolderPlaces::rename(const Place& from, const Place& to, bool exchanges) {
  const auto moved = folders_.find(from);
  const auto replaced = folders_.find(to);
  const std::optional<Node> one =
      moved == folders_.end() ? std::nullopt : std::optional(moved->second);
  const std::optional<Node> other =
      replaced == folders_.end() ? std::nullopt : std::optional(replaced->second);
  remove(from);
  remove(to);
  if (one) put(*one, to);
  if (other && exchanges) put(*other, from);
}

void FolderPlaces::remove(const Place& place) {
  const auto known = folders_.find(place);
  if (known == folders_.end()) return;
  places_.erase(known->second);
  folders_.erase(known);
}

void FolderPlaces::forget(Node folder) {
  const auto known = places_.find(folder);
  if (known == places_.end()) return;
  folders_.erase(known->second);
  places_.erase(known);
}

}  // namespace dfs::fuse
