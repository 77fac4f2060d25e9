// SPDX-License-Identifier: Apache-2.0
// What storage servers ask each other beside replication, on the same port.
//
// Threads: plain values.
#pragma once

#include "dfs/api/storage_protocol.h"

namespace dfs::storage {

struct FetchBlockReply {
  // By which log entry the block's page was changed last; the frame's data is the block.
  std::uint64_t changed = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(changed);
  }
};
// A block as this member holds it. Errors: not_found block_absent; corrupt block_corrupt.
struct FetchBlock {
  static constexpr StorageKind kKind = StorageKind::fetch_block;
  using Reply = FetchBlockReply;
  GroupNumber group = 0;
  ObjectNumber object = 0;
  std::uint64_t block = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(group, object, block);
  }
};

struct DeviceRoomReply {
  template <class Archive>
  void fields(Archive&) {}
};
// Each second: whether the sender has room for more.
struct DeviceRoom {
  static constexpr StorageKind kKind = StorageKind::device_room;
  using Reply = DeviceRoomReply;
  std::string node;
  bool is_full = false;
  template <class Archive>
  void fields(Archive& archive) {
    archive(node, is_full);
  }
};

}  // namespace dfs::storage
