// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/open_files.h"

#include <algorithm>
#include <array>

namespace dfs::storage {
namespace {

using base::Code;
using base::OpenMode;
using base::Result;

constexpr std::string_view kRoot = "objects";
constexpr std::uint64_t kFolderMask = 0xff;

std::string hex(std::uint64_t value, int digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(static_cast<std::size_t>(digits), '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, value >>= 4U)
    *digit = kDigits[value & 0xfU];
  return text;
}

std::string group_folder(GroupNumber group) { return std::string(kRoot) + "/" + hex(group, 8); }

// A small file shall not take much more than it holds, a large one shall grow seldom.
std::uint64_t grown(std::uint64_t end) {
  std::uint64_t step = std::uint64_t{8} << 20;
  if (end <= std::uint64_t{64} << 20) step = std::uint64_t{1} << 20;
  if (end <= std::uint64_t{1} << 20) step = std::uint64_t{64} << 10;
  if (end <= std::uint64_t{64} << 10) step = std::uint64_t{16} << 10;
  return (end + step - 1) / step * step;
}

}  // namespace

std::string data_folder(const ObjectName& name) {
  return group_folder(name.group) + "/" + hex(name.object & kFolderMask, 2);
}

std::string data_path(const ObjectName& name) {
  return data_folder(name) + "/" + hex(name.object, 16);
}

Result<void> DataFile::grow(std::uint64_t start, std::uint64_t end) {
  if (end <= size) return {};
  const std::uint64_t wanted = std::min(grown(end), kFileMax);
  const std::uint64_t from = std::max(size, start / kBlockBytes * kBlockBytes);
  const Result<void> done = file->allocate(from, wanted - from);
  if (done) {
    size = wanted;
    return {};
  }
  // The step may not fit while the write itself does; some file systems cannot allocate.
  if (done.error().code != Code::no_space && done.error().code != Code::unsupported) return done;
  size = end;
  return {};
}

Result<void> OpenFiles::make_folders(const ObjectName& name) {
  for (const std::string& folder :
       {std::string(kRoot), group_folder(name.group), data_folder(name)}) {
    if (known_folders_.contains(folder)) continue;
    const Result<void> made = disk_.make_folder(folder);
    if (!made && made.error().code != Code::already_exists) return made;
    known_folders_.insert(folder);
    // Also of one that was there: its maker may have been cut off before it was durable.
    changed_.insert(std::string(base::folder_of(folder)));
  }
  return {};
}

Result<DataFileHandle> OpenFiles::open(const ObjectName& name, OpenMode mode) {
  const auto found = open_.find(name);
  if (found != open_.end()) {
    order_.splice(order_.begin(), order_, found->second.place);
    return found->second.file;
  }
  auto opened = disk_.open(data_path(name), mode);
  if (!opened) return std::move(opened).error();
  auto file = std::make_shared<DataFile>();
  file->file = *std::move(opened);
  file->size = TRY(file->file->size());
  file->is_named = mode == OpenMode::existing && !changed_.contains(data_folder(name)) &&
                   !taken_.contains(data_folder(name));
  order_.push_front(name);
  open_.emplace(name, Held{file, order_.begin()});
  if (open_.size() > files_max_) {
    open_.erase(order_.back());
    order_.pop_back();
  }
  return file;
}

Result<DataFileHandle> OpenFiles::find(const ObjectName& name) {
  Result<DataFileHandle> file = open(name, OpenMode::existing);
  if (!file && file.error().code == Code::not_found) return DataFileHandle();
  return file;
}

Result<DataFileHandle> OpenFiles::make(const ObjectName& name) {
  DataFileHandle file = TRY(find(name));
  if (file) return file;
  TRY(make_folders(name));
  changed_.insert(data_folder(name));
  return open(name, OpenMode::create);
}

Result<void> OpenFiles::remove(const ObjectName& name) {
  const auto found = open_.find(name);
  if (found != open_.end()) {
    order_.erase(found->second.place);
    open_.erase(found);
  }
  const Result<void> removed = disk_.remove(data_path(name));
  if (!removed && removed.error().code == Code::not_found) return {};
  if (removed) changed_.insert(data_folder(name));
  return removed;
}

}  // namespace dfs::storage
