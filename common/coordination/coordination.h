// SPDX-License-Identifier: Apache-2.0
// Coordination: the small, durable, shared truth of a cluster. Local (LMDB) on an appliance,
// ZooKeeper in a cluster.
//
// The shape is ZooKeeper's so that both engines mean the same: a tree of nodes with data and a
// version, ephemeral nodes that die with their session, sequence names, one-shot watches, multi.
// One conformance suite runs on both (tests/contract/coordination_suite.h).
// 1. A write that returned is durable. Writes are linearizable; reads are those of this session's
// past or later.
// 2. Node data is at most 1 MiB; a path is absolute, has no empty, "." or ".." segment, no control
// characters, and at most 511 bytes of UTF-8.
// 3. Watches are one-shot and only say "look again": an owner re-reads after each and arms it anew.
// Changes that cancel each other out before the engine looks need not fire one.
// 4. When a session expires its ephemeral nodes are gone and every call fails with session_expired:
// the owner must start over with a new session, never silently.
// Threads: all calls may block and come from any thread but not from a watch callback; callbacks
// run on a thread of the engine and should only post to an event loop. Source: ZooKeeper 3.8
// programmer's guide.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace coordination {

inline constexpr std::size_t kDataMax = 1 << 20;
inline constexpr std::size_t kPathMax = 511;
inline constexpr std::size_t kOperationsMax = 1000;
// Armed at a time by one session; more is throttled too_many_watches.
inline constexpr std::size_t kWatchesMax = 10'000;

struct Stat {
  std::int64_t version = 0;  // of the data, from 0
  std::int64_t created_txn =
      0;  // monotonic over the whole tree: a fencing token (ZooKeeper's czxid)
  std::int64_t modified_txn = 0;      // mzxid
  std::int64_t children_version = 0;  // changes with each created or deleted child
  std::uint64_t ephemeral_owner = 0;  // session id, 0 for a persistent node
};

struct Value {
  std::string data;
  Stat stat;
};

enum class Kind { persistent, ephemeral, persistent_sequential, ephemeral_sequential };
inline constexpr std::int64_t kAnyVersion = -1;

struct Create {
  std::string path;
  std::string data;
  Kind kind = Kind::persistent;
};
struct Set {
  std::string path;
  std::string data;
  std::int64_t version = kAnyVersion;
};
struct Delete {
  std::string path;
  std::int64_t version = kAnyVersion;
};
struct Check {
  std::string path;
  std::int64_t version = kAnyVersion;
};
using Operation = std::variant<Create, Set, Delete, Check>;

// Per operation of a multi: the created path (sequence number filled in) and the node's new stat.
struct Outcome {
  std::string path;
  Stat stat;
};

using WatchCallback = std::function<void()>;

class Coordination {
 public:
  virtual ~Coordination() = default;

  // Errors of all: unavailable coordination_lost; failed_precondition session_expired;
  // invalid_argument path_invalid, data_too_large. Errors: already_exists node_exists; not_found
  // parent_absent; failed_precondition no_children_of_ephemerals.
  virtual base::Result<Outcome> create(const Create& request) = 0;
  // Errors: not_found node_absent; conflict version_moved_on.
  virtual base::Result<Stat> set(const Set& request) = 0;
  // Errors: not_found node_absent; conflict version_moved_on; failed_precondition
  // node_has_children.
  virtual base::Result<void> remove(const Delete& request) = 0;
  // All or nothing, as one transaction. The error is that of the first operation that fails, its
  // index in the pointer ("/2"). Errors: invalid_argument too_many_operations.
  virtual base::Result<std::vector<Outcome>> multi(const std::vector<Operation>& operations) = 0;

  // A watch given here fires once when the node's data changes, or it is created or deleted; also
  // when it is absent now.
  virtual base::Result<std::optional<Value>> find(const std::string& path,
                                                  WatchCallback watch = {}) = 0;
  // Names of the children, sorted. The watch fires when a child comes or goes. Errors: not_found
  // node_absent.
  virtual base::Result<std::vector<std::string>> children(const std::string& path,
                                                          WatchCallback watch = {}) = 0;

  virtual std::uint64_t session_id() const = 0;
  // Until this instant nobody else can have seen our session expire: send time of the last
  // acknowledged contact plus the session timeout minus the margin. An owner of an exclusive thing
  // stops using it before then.
  virtual base::Instant lease_valid_until() const = 0;
  // Called once when the session has expired or was closed by the engine.
  virtual void on_session_lost(std::function<void()> callback) = 0;
};

// Creates `path` and its missing parents, persistent and empty. No error when it exists.
base::Result<void> ensure_path(Coordination& coordination, const std::string& path);

struct LocalOptions {
  std::string
      folder;  // shared by all processes of the node, for instance /var/lib/gestalt/coordination
  unsigned mode = 0660;  // of the files in it
};
// Several processes of one machine share the folder: LMDB holds the tree, and a change of one wakes
// the watches of all. The session ends with the object or with its process; others see its
// ephemeral nodes go within 100 ms of a kill -9.
base::Result<std::unique_ptr<Coordination>> open_local(const LocalOptions& options);

}  // namespace coordination
