// SPDX-License-Identifier: Apache-2.0
// The words of the distributed file system that clients, metadata and storage share.
//
// 1. Times are nanoseconds since 1970 in UTC, sizes and offsets are bytes.
// 2. Modes, errnos, rename flags and seek words have Linux's values on the wire.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace dfs {

using InodeNumber = std::uint64_t;   // unique in the cluster, never used again
using ObjectNumber = std::uint64_t;  // what storage calls the content of a file: its inode's
                                     // number, or one with kOtherObject
using VolumeNumber = std::uint32_t;
using VolumeEpoch = std::uint64_t;
using GroupNumber = std::uint32_t;  // of a chunk group
using SessionNumber = std::uint64_t;
using TimeNs = std::int64_t;

inline constexpr std::size_t kNameMax = 255;
inline constexpr std::size_t kSymlinkMax = 4095;
inline constexpr std::size_t kXattrNameMax = 255;
inline constexpr std::size_t kXattrValueMax = 65536;
inline constexpr std::size_t kXattrsMax = 128;    // of one inode, together at most 128 KiB
inline constexpr std::size_t kBlockBytes = 4096;  // the unit of checksums
inline constexpr std::size_t kDataMax = std::size_t{4} << 20;  // of one read or write request
inline constexpr std::size_t kInlineMax = 16384;  // upper bound of a volume's inline limit
// Most sources, mails and journals of databases: they cost one change of metadata each.
inline constexpr std::uint32_t kInlineUsual = 12288;
inline constexpr std::uint64_t kFileMax = std::uint64_t{1} << 46;
// In the numbers of objects that are not an inode's own (TakeObject): no inode ever has such a one.
inline constexpr ObjectNumber kOtherObject = ObjectNumber{1} << 63;

enum class FileKind : std::uint8_t {
  file = 1,
  folder,
  symlink,
  fifo,
  socket,
  char_device,
  block_device
};

struct Attributes {
  InodeNumber inode = 0;
  FileKind kind = FileKind::file;
  std::uint32_t mode = 0;  // permission bits with set-uid, set-gid and sticky: 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t links = 0;
  std::uint64_t size = 0;
  std::uint64_t allocated =
      0;  // bytes that the file takes, for st_blocks; an estimate for files in chunks
  TimeNs accessed = 0;
  TimeNs modified = 0;
  TimeNs changed = 0;
  std::uint64_t device = 0;   // of device files
  std::uint64_t version = 0;  // counts up with each change of the inode
  ObjectNumber object = 0;    // 0: the content is inline, or there is none
  GroupNumber group = 0;      // where the object lives
  // A cut of the object to this size is still to be made before the file may grow again (see
  // CutDone); kNoCut when none is.
  std::uint64_t cut_to = UINT64_MAX;
  friend bool operator==(const Attributes&, const Attributes&) = default;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode, kind, mode, uid, gid, links, size, allocated, accessed, modified, changed,
            device, version, object, group, cut_to);
  }
};
inline constexpr std::uint64_t kNoCut = UINT64_MAX;

struct Xattr {
  std::string name;
  std::string value;
  friend bool operator==(const Xattr&, const Xattr&) = default;
  template <class Archive>
  void fields(Archive& archive) {
    archive(name, value);
  }
};

// All of an inode that metadata holds.
struct InodeRecord {
  Attributes attributes;
  std::string target;   // of a symlink
  std::string content;  // while object is 0; shorter than size: zeros follow
  std::vector<Xattr> xattrs;
  // Another session has it open and no lease: it and its content outlive its last name. Whoever
  // gets the write lease with this knows for as long as it keeps that lease; it can only end.
  bool is_open_elsewhere = false;
  // A snapshot that has the object too, 0: none. Before the first change the content is copied to
  // an object of a new number (TakeObject, MoveToChunks). The same one twice: it had it all along.
  VolumeNumber shared_by = 0;
  // The object of the inode's own number belongs, or belonged, to what a restore has replaced:
  // inline content that grows moves to one of a new number.
  bool is_number_used = false;
  template <class Archive>
  void fields(Archive& archive) {
    archive(attributes, target, content, xattrs, is_open_elsewhere, shared_by, is_number_used);
  }
};

// What a session may do with an inode from its own memory. `read`: answer from it, and from the
// kernel's; nobody changes it. `write`: change it, and tell metadata later; nobody else has a
// lease. The lease of a folder covers its names, that of an inode its attributes, xattrs and
// content.
enum class Lease : std::uint8_t { none, read, write };

// When the changes of a volume are durable: `posix` at fsync and at most a second later, `strict`
// before each operation is answered.
enum class Durability : std::uint8_t { posix, strict };

struct NodeAddress {
  std::string node;  // id of the disk, see replication::NodeId
  std::string host;  // IP address
  std::uint16_t port = 0;
  friend bool operator==(const NodeAddress&, const NodeAddress&) = default;
  template <class Archive>
  void fields(Archive& archive) {
    archive(node, host, port);
  }
};

// Where a chunk group lives now. Answers not_primary from there: ask metadata anew.
struct GroupPlace {
  GroupNumber group = 0;
  std::uint64_t epoch = 0;
  std::string primary;               // a node of `members`
  std::vector<NodeAddress> members;  // in sync
  template <class Archive>
  void fields(Archive& archive) {
    archive(group, epoch, primary, members);
  }
};

}  // namespace dfs
