// SPDX-License-Identifier: Apache-2.0
// What clients and the metadata server say to the storage servers (7863). Each request names its
// reply. Requests go to the primary of the object's group.
//
// 1. A change is answered when every in-sync member of the group has it durable. One that is sent
// again, to whoever is primary then, has the same effect as once, as long as its sender keeps
// requests that overlap in an object apart in time.
// 2. A read answers what the last answered change left. Holes and what was never written read as
// zeros.
// 3. Every change carries the volume's epoch. A group refuses epochs below the highest it was told
// (Fence) with failed_precondition stale_epoch (ESTALE), without asking anybody.
// Errors of all: unavailable not_primary (ask metadata where the group lives), too_few_copies;
// no_space; corrupt block_corrupt when no good copy is left. Threads: plain values.
#pragma once

#include "dfs/api/types.h"

namespace dfs {

enum class StorageKind : std::uint8_t {
  write = 1,
  read,
  cut,
  punch,
  seek,
  remove,
  fence,
  replicate = 64,  // between storage servers, see dfs/replication
  fetch_block,     // and these, see dfs/storage
  device_room,
};

struct ObjectPlace {
  VolumeNumber volume = 0;
  VolumeEpoch epoch = 0;
  GroupNumber group = 0;
  ObjectNumber object = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(volume, epoch, group, object);
  }
};

struct ChangeReply {
  std::uint64_t index = 0;  // of the group's log, with this change
  template <class Archive>
  void fields(Archive& archive) {
    archive(index);
  }
};

// The content is the frame's data: at most kDataMax.
struct WriteObject {
  static constexpr StorageKind kKind = StorageKind::write;
  using Reply = ChangeReply;
  ObjectPlace place;
  std::uint64_t offset = 0;
  // CRC-32C of each part of the data between multiples of kBlockBytes in the object.
  std::vector<std::uint32_t> checksums;
  template <class Archive>
  void fields(Archive& archive) {
    archive(place, offset, checksums);
  }
};

// The frame's data may be shorter than asked for: zeros follow.
struct ReadReply {
  std::vector<std::uint32_t> checksums;  // of the parts of the data, as in WriteObject
  template <class Archive>
  void fields(Archive& archive) {
    archive(checksums);
  }
};
struct ReadObject {
  static constexpr StorageKind kKind = StorageKind::read;
  using Reply = ReadReply;
  ObjectPlace place;
  std::uint64_t offset = 0;
  std::uint32_t size = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(place, offset, size);
  }
};

// The object ends at `size`, also when it was shorter: then nothing changes.
struct CutObject {
  static constexpr StorageKind kKind = StorageKind::cut;
  using Reply = ChangeReply;
  ObjectPlace place;
  std::uint64_t size = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(place, size);
  }
};

// Reads as zeros from now on; whole blocks give their space back.
struct PunchObject {
  static constexpr StorageKind kKind = StorageKind::punch;
  using Reply = ChangeReply;
  ObjectPlace place;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(place, offset, size);
  }
};

enum class SeekFor : std::uint8_t { data, hole };
struct SeekReply {
  std::uint64_t offset =
      UINT64_MAX;  // UINT64_MAX: no data behind; a hole is found at the end at the latest
  template <class Archive>
  void fields(Archive& archive) {
    archive(offset);
  }
};
struct SeekObject {
  static constexpr StorageKind kKind = StorageKind::seek;
  using Reply = SeekReply;
  ObjectPlace place;
  std::uint64_t offset = 0;
  SeekFor what = SeekFor::data;
  template <class Archive>
  void fields(Archive& archive) {
    archive(place, offset, what);
  }
};

// From the metadata server, which knows that no file needs it. No error when it is gone already.
struct RemoveObject {
  static constexpr StorageKind kKind = StorageKind::remove;
  using Reply = ChangeReply;
  ObjectPlace place;
  template <class Archive>
  void fields(Archive& archive) {
    archive(place);
  }
};

// From the metadata server: from the answer on, no change of the volume with a lower epoch is
// accepted by the group, whoever leads it.
struct Fence {
  static constexpr StorageKind kKind = StorageKind::fence;
  using Reply = ChangeReply;
  GroupNumber group = 0;
  VolumeNumber volume = 0;
  VolumeEpoch epoch = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(group, volume, epoch);
  }
};

}  // namespace dfs
