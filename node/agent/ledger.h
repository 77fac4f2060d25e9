// SPDX-License-Identifier: Apache-2.0
// The agent's memory of its instances: records by id in LMDB, written in batches off the loop.
//
// 1. Writes of one id are applied in the order of the calls; only the last of those waiting is
//    written.
// 2. `done` comes on the loop thread when that state, or a later one of the same id, is on disk.
// 3. One commit is under way at a time, and all that waits goes into the next: starting many
//    instances at once costs few syncs.
// Threads: loop thread.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/sys/event_loop.h"
#include "common/sys/lmdb.h"
#include "node/agent/record.h"

namespace node::agent {

class Ledger {
 public:
  using Done = std::function<void(base::Result<void>)>;
  static base::Result<std::unique_ptr<Ledger>> open(const std::filesystem::path& folder,
                                                    sys::EventLoop& loop, sys::WorkerPool& workers);
  ~Ledger();

  // Blocks; for the start of the daemon. Records that cannot be read are left out and named.
  struct Loaded {
    std::vector<Record> records;
    std::vector<std::string> unreadable;
  };
  base::Result<Loaded> load();

  void put(const Record& record, Done done = {});
  void erase(const api::InstanceId& id, Done done = {});
  // Calls `done` when nothing waits to be written.
  void flush(std::function<void()> done);

 private:
  struct Change {
    std::optional<std::string> value;  // nullopt: erase
    std::vector<Done> done;
  };
  using Batch = std::map<std::string, Change>;
  struct Shared;

  Ledger(sys::LmdbEnv env, sys::LmdbDb db, sys::EventLoop& loop, sys::WorkerPool& workers);
  void enqueue(const std::string& key, std::optional<std::string> value, Done done);
  void start_commit();
  void finish_commit(Batch& batch, const base::Result<void>& result);
  static base::Result<void> commit(Shared& shared, const Batch& batch);

  std::shared_ptr<Shared> shared_;  // also held by the worker while a commit is under way
  sys::EventLoop& loop_;
  sys::WorkerPool& workers_;
  Batch waiting_;
  bool committing_ = false;
  std::vector<std::function<void()>> flushers_;
  std::shared_ptr<Ledger*> self_;  // null inside once this object is gone
};

}  // namespace node::agent
