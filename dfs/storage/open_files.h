// SPDX-License-Identifier: Apache-2.0
// The data files of a storage device that are open: a bounded number, the least recently used
// closed first. One file per object, in folders by group and by the object's last byte.
//
// 1. A file that somebody still holds stays usable after it was closed or removed here.
// 2. Files grow in steps, so that most writes change no file-system metadata.
// Threads: the loop's; the DiskFile inside may be synced and read elsewhere (base/disk.h).
#pragma once

#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "common/base/disk.h"
#include "dfs/api/types.h"

namespace dfs::storage {

struct DataFile {
  std::unique_ptr<base::DiskFile> file;
  std::uint64_t size = 0;
  bool is_named = false;  // its name is durable for certain
  // For a write from `start` to `end`: makes the file that long. What it skips stays a hole.
  // Errors: no_space, os errors.
  base::Result<void> grow(std::uint64_t start, std::uint64_t end);
};
using DataFileHandle = std::shared_ptr<DataFile>;

struct ObjectName {
  GroupNumber group = 0;
  ObjectNumber object = 0;
  friend auto operator<=>(const ObjectName&, const ObjectName&) = default;
};

std::string data_folder(const ObjectName& name);
std::string data_path(const ObjectName& name);

class OpenFiles {
 public:
  OpenFiles(base::Disk& disk, std::size_t files_max) : disk_(disk), files_max_(files_max) {}

  // Empty when there is none. Errors: os errors.
  base::Result<DataFileHandle> find(const ObjectName& name);
  base::Result<DataFileHandle> make(const ObjectName& name);
  // No error when there is none.
  base::Result<void> remove(const ObjectName& name);
  std::size_t count() const { return open_.size(); }
  // Folders with names that are not durable yet, parents after their children.
  // They count as changed until they were synced.
  std::set<std::string, std::greater<>> take_changed_folders() {
    taken_.insert(changed_.begin(), changed_.end());
    return std::exchange(changed_, {});
  }
  void taken_are_synced() { taken_.clear(); }
  std::set<std::string, std::greater<>> changed_folders() const {
    std::set<std::string, std::greater<>> all = changed_;
    all.insert(taken_.begin(), taken_.end());
    return all;
  }

 private:
  using Order = std::list<ObjectName>;
  struct Held {
    DataFileHandle file;
    Order::iterator place;
  };
  base::Result<DataFileHandle> open(const ObjectName& name, base::OpenMode mode);
  base::Result<void> make_folders(const ObjectName& name);

  base::Disk& disk_;
  const std::size_t files_max_;
  std::map<ObjectName, Held> open_;
  Order order_;  // the most recently used first
  std::set<std::string> known_folders_;
  std::set<std::string, std::greater<>> changed_;
  std::set<std::string, std::greater<>> taken_;
};

}  // namespace dfs::storage
