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

#include "common/base/disk.h"
#include "dfs/api/types.h"

namespace dfs::storage {

struct DataFile {
  std::unique_ptr<base::DiskFile> file;
  std::uint64_t size = 0;
  // Makes it at least `end` long. Errors: no_space, os errors.
  base::Result<void> grow(std::uint64_t end);
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
  std::set<std::string, std::greater<>> take_changed_folders() { return std::move(changed_); }

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
};

}  // namespace dfs::storage
