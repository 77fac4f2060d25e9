// SPDX-License-Identifier: Apache-2.0
// The part of the metadata state that is durable: keys and values as of one position of the log.
//
// Engines: LMDB (open_lmdb_base), memory (make_memory_base; tests and simulations).
// 1. write() replaces position and content in one step: after a crash either the old ones or the
// new ones are there.
// 2. Reads are of the content that was last adopted. Views live until the next adopt().
// 3. A record that fails its checksum ends the process: what was acknowledged is on other members,
// and this one must not answer from what it has (I8).
// Threads: write() and the methods of Replacement and Reader may be called from another thread than
// the rest, one at a time.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "dfs/replication/state_machine.h"

namespace dfs::meta {

// nullopt: the key goes.
using Changes = std::map<std::string, std::optional<std::string>, std::less<>>;

// Walks keys in byte order. Requires: not outliving its store, and the views' life.
class BaseCursor {
 public:
  virtual ~BaseCursor() = default;
  // To the first key that is not less than `key`. False past the end.
  virtual bool seek(std::string_view key) = 0;
  virtual bool next() = 0;
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
};

// The content at the time of opening, whatever is written meanwhile.
class BaseReader {
 public:
  virtual ~BaseReader() = default;
  virtual replication::Position position() const = 0;
  virtual std::unique_ptr<BaseCursor> cursor() = 0;
};

// Another content that grows beside the one in force. Dropped when it is destroyed.
class BaseReplacement {
 public:
  virtual ~BaseReplacement() = default;
  // Errors: no_space, os errors.
  virtual base::Result<void> put(std::string_view key, std::string_view value) = 0;
  // In force from now on, durably, with nothing else. Adopts.
  virtual base::Result<void> install(replication::Position position) = 0;
};

class BaseStore {
 public:
  virtual ~BaseStore() = default;
  virtual replication::Position position() const = 0;
  virtual std::optional<std::string_view> find(std::string_view key) const = 0;
  virtual std::unique_ptr<BaseCursor> cursor() const = 0;
  // Durable when it returns. Blocks. Errors: no_space.
  virtual base::Result<void> write(const Changes& changes, replication::Position position) = 0;
  // Reads are of what was written last from now on.
  virtual void adopt() = 0;
  virtual base::Result<std::unique_ptr<BaseReader>> open_reader() const = 0;
  virtual base::Result<std::unique_ptr<BaseReplacement>> replace() = 0;
  // A consistent copy into an empty folder, while everything goes on. Errors: failed_precondition
  // folder_not_empty; unsupported.
  virtual base::Result<void> copy_to(const std::filesystem::path& folder) = 0;
  virtual std::uint64_t used_bytes() const = 0;
};

// The memory of it stays with the caller across the lives of a store: a disk.
struct MemoryDisk {
  std::map<std::string, std::string, std::less<>> content;
  replication::Position position;
};
std::unique_ptr<BaseStore> make_memory_base(MemoryDisk& disk);

// Errors: those of sys::LmdbEnv::open; corrupt record_corrupt.
base::Result<std::unique_ptr<BaseStore>> open_lmdb_base(const std::filesystem::path& folder,
                                                        std::size_t map_bytes);

}  // namespace dfs::meta
