// SPDX-License-Identifier: Apache-2.0
// Files on a disk as an interface, so that everything that stores also runs on a simulated disk
// that loses power, tears writes, flips bits and fills up.
//
// Used by the DFS, the event log and the ledger; engines: sys::PosixDisk, sim::SimDisk (tests).
// 1. What a file holds is durable after its sync(); that a file exists, or has its new name, is
// durable after sync_folder() of its folder. Nothing is durable before that, in no order.
// 2. A failed sync means that the disk lied: what the file holds is unknown from then on, a second
// sync proves nothing, and the owner must stop and rebuild from elsewhere.
// 3. A write of up to 512 bytes that does not cross a multiple of 512 is whole or absent after a
// power cut; a larger one can tear.
// 4. Paths are relative to the disk's root: "a/b", no empty, "." or ".." segment; "" is the root
// folder where a folder is asked for.
// Threads: any, but one change at a time per file; reads may run beside it. All calls block, unless
// said otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace base {

class DiskFile {
 public:
  virtual ~DiskFile() = default;
  // Bytes read: fewer than asked for only at the end of the file. Errors: os errors.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<char> out) = 0;
  // As read(), when that needs no waiting for the device; nullopt otherwise. Errors: as read().
  virtual Result<std::optional<std::size_t>> read_cached(std::uint64_t offset,
                                                         std::span<char> out) = 0;
  // Beyond the end the file grows; a gap reads as zeros. On an error a part may be written.
  // Errors: no_space, os errors.
  virtual Result<void> write(std::uint64_t offset, std::string_view bytes) = 0;
  // Reserves space, so that later writes there do not run out of it; the file grows to
  // offset + size with zeros. Errors: no_space, unsupported, os errors.
  virtual Result<void> allocate(std::uint64_t offset, std::uint64_t size) = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  // Gives the space back; reads as zeros from then on, and the size stays. Errors: unsupported, os
  // errors.
  virtual Result<void> punch(std::uint64_t offset, std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() = 0;
  // Content and size are durable. Errors: see 2.
  virtual Result<void> sync() = 0;
};

enum class OpenMode { existing, create, create_new };

class Disk {
 public:
  virtual ~Disk() = default;
  // For reading and writing. Errors: not_found, already_exists (create_new), invalid_argument
  // disk_path_invalid, os errors.
  virtual Result<std::unique_ptr<DiskFile>> open(const std::string& path, OpenMode mode) = 0;
  // Errors: already_exists; not_found when the parent is missing.
  virtual Result<void> make_folder(const std::string& path) = 0;
  // Replaces `to` when it exists: a look finds the old file or the new one. Both are in one folder.
  // Errors: not_found; invalid_argument rename_across_folders.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  // A file. One that is open can still be used. Errors: not_found.
  virtual Result<void> remove(const std::string& path) = 0;
  // An empty folder. Errors: not_found, os errors.
  virtual Result<void> remove_folder(const std::string& path) = 0;
  // Names of files and folders in it, sorted. Errors: not_found.
  virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;
  virtual Result<void> sync_folder(const std::string& folder) = 0;
  virtual Result<std::uint64_t> free_bytes() = 0;
};

// Errors: invalid_argument disk_path_invalid.
Result<void> check_disk_path(std::string_view path);
// "a" of "a/b", "" of "a".
std::string_view folder_of(std::string_view path);

}  // namespace base
