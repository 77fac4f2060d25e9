// SPDX-License-Identifier: Apache-2.0
// What the members of a replica group say to each other and to the world around them.
//
// Used by replica.h and by whoever drives a replica: a daemon with real disks and sockets, or the
// simulator. Threads: plain values.
// Source: Lin, Yang, Zhang, Zhou: PacificA: Replication in Log-Based Distributed Storage Systems
// (2008); the words are this paper's, with "epoch" for its configuration version.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"

namespace dfs::replication {

// Names a disk rather than a machine: a node whose disk was wiped or replaced comes back under a
// new id, since an in-sync member must not forget.
using NodeId = base::Id<struct NodeIdTag>;
using Epoch = std::uint64_t;
using Index = std::uint64_t;  // of a log entry, from 1; 0 means before the first

// Who is in the group. Changed only by a compare-and-set in Coordination, which counts the epoch
// up by one: two configurations with the same epoch are the same.
struct Configuration {
  Epoch epoch = 0;
  NodeId primary;
  std::vector<NodeId> in_sync;  // sorted, includes the primary
  // Who asked for this change: the incarnation of that process and its own count. A process leads
  // an epoch only if it asked for it in this life.
  std::uint64_t asked_by = 0;
  std::uint64_t asked_count = 0;
  bool has(const NodeId& node) const;
  friend bool operator==(const Configuration&, const Configuration&) = default;
};

// Bytes that never change and that several holders share: the log, messages, the journal's thread.
class Payload {
 public:
  Payload() = default;
  Payload(std::string bytes)  // NOLINT: implicit by design
      : bytes_(std::make_shared<const std::string>(std::move(bytes))) {}
  Payload(const char* bytes) : Payload(std::string(bytes)) {}  // NOLINT: implicit by design
  operator std::string_view() const { return view(); }         // NOLINT: implicit by design
  std::string_view view() const { return bytes_ ? std::string_view(*bytes_) : std::string_view(); }
  std::size_t size() const { return view().size(); }
  bool empty() const { return view().empty(); }
  friend bool operator==(const Payload& one, const Payload& other) {
    return one.view() == other.view();
  }

 private:
  std::shared_ptr<const std::string> bytes_;  // shared between threads, hence const
};

struct Entry {
  Epoch epoch = 0;  // of the primary that first ordered it
  Index index = 0;
  std::uint64_t request = 0;  // the proposer's number, so that a repeated proposal has one effect
  Payload payload;
  friend bool operator==(const Entry&, const Entry&) = default;
};

// Primary to member: entries behind (previous_index, previous_epoch), and how far it has committed.
// An empty one renews the lease.
struct Append {
  Epoch epoch = 0;
  Index previous_index = 0;
  Epoch previous_epoch = 0;
  std::vector<Entry> entries;
  Index committed = 0;
  std::uint64_t lease_round =
      0;  // echoed, so that the primary knows when the answered one was sent
};

// Member to primary: all entries up to `durable` are on its disk and equal to the primary's.
struct AppendReply {
  Epoch epoch = 0;
  bool accepted = false;
  Index durable = 0;  // accepted: equal to the primary's log up to here, and on disk
  // Refused: `durable` is where the logs may meet, and this the epoch of the member's entry there.
  Epoch refused_epoch = 0;
  std::uint64_t lease_round = 0;
};

// A node outside the in-sync set asks the primary to be brought up to date and taken in.
struct Join {
  Epoch epoch = 0;  // the configuration it knows
  Index last_index = 0;
};

using Message = std::variant<Append, AppendReply, Join>;

}  // namespace dfs::replication
