// SPDX-License-Identifier: Apache-2.0
// The entries of the metadata log: what the primary proposes, and what applying it answers.
//
// 1. A command carries everything that its effect depends on beside the state: times come with it.
// 2. The kinds and their fields are a format: they are in journals, and members of version N and
// N+1 apply the same entries. Append only.
// Layout: kind u8, then the command's fields; an answer is 0 and the reply's fields, or 1 and the
// error as frame.h has it.
// Threads: plain values.
#pragma once

#include "dfs/api/frame.h"
#include "dfs/api/wire.h"
#include "dfs/meta/records.h"

namespace dfs::meta {

enum class CommandKind : std::uint8_t {
  apply = 1,  // the body of an Apply request as the client sent it
  open_session,
  end_session,
  fence_done,
  take_inodes,
  set_lock,
  hold_inodes,
  create_volume,
  change_volume,
  remove_volume,
  purge_volume,
  make_groups,
  change_group,
  place_copies,
  register_storage,
  forget_storage,
  garbage_removed,
  create_snapshot,
  restore_snapshot,
  take_object,
};

struct OpenSessionCommand {
  static constexpr CommandKind kKind = CommandKind::open_session;
  using Answer = SessionRecord;
  OpenSession request;
  TimeNs time = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(request, time);
  }
};

// Whatever the session still has goes. No error when it is gone.
struct EndSessionCommand {
  static constexpr CommandKind kKind = CommandKind::end_session;
  using Answer = Nothing;
  SessionNumber session = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session);
  }
};

struct FenceDoneCommand {
  static constexpr CommandKind kKind = CommandKind::fence_done;
  using Answer = Nothing;
  SessionNumber session = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session);
  }
};

struct TakeInodesCommand {
  static constexpr CommandKind kKind = CommandKind::take_inodes;
  using Answer = InodeNumbersReply;
  std::uint32_t count = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(count);
  }
};

// Without waiting: lock_held when one is in the way.
struct SetLockCommand {
  static constexpr CommandKind kKind = CommandKind::set_lock;
  using Answer = Nothing;
  SessionNumber session = 0;
  LockRange lock;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, lock);
  }
};

// Inodes that are gone are left out.
struct HoldInodesCommand {
  static constexpr CommandKind kKind = CommandKind::hold_inodes;
  using Answer = Nothing;
  SessionNumber session = 0;
  std::vector<InodeNumber> inodes;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, inodes);
  }
};

struct CreateVolumeCommand {
  static constexpr CommandKind kKind = CommandKind::create_volume;
  using Answer = VolumeRecord;
  std::string name;
  std::uint32_t inline_max = kInlineUsual;
  Durability durability = Durability::posix;
  std::uint64_t bytes_max = 0;
  std::uint64_t inodes_max = 0;
  std::uint32_t mode = 0755;  // of the root folder
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  TimeNs time = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(name, inline_max, durability, bytes_max, inodes_max, mode, uid, gid, time);
  }
};

// Each field that is given. `epoch` only grows.
struct ChangeVolumeCommand {
  static constexpr CommandKind kKind = CommandKind::change_volume;
  using Answer = VolumeRecord;
  std::string name;
  std::optional<std::uint64_t> bytes_max;
  std::optional<std::uint64_t> inodes_max;
  bool count_epoch_up = false;
  template <class Archive>
  void fields(Archive& archive) {
    archive(name, bytes_max, inodes_max, count_epoch_up);
  }
};

// Refused while sessions have it open.
struct RemoveVolumeCommand {
  static constexpr CommandKind kKind = CommandKind::remove_volume;
  using Answer = VolumeRecord;
  std::string name;
  template <class Archive>
  void fields(Archive& archive) {
    archive(name);
  }
};

// Removes up to `inodes_max` files of a volume that was removed.
struct PurgeReply {
  bool done = false;
  template <class Archive>
  void fields(Archive& archive) {
    archive(done);
  }
};
struct PurgeVolumeCommand {
  static constexpr CommandKind kKind = CommandKind::purge_volume;
  using Answer = PurgeReply;
  VolumeNumber volume = 0;
  std::uint32_t inodes_max = 1000;
  template <class Archive>
  void fields(Archive& archive) {
    archive(volume, inodes_max);
  }
};

// The chunk groups of a cluster that has none.
struct MakeGroupsCommand {
  static constexpr CommandKind kKind = CommandKind::make_groups;
  using Answer = Nothing;
  std::vector<GroupRecord> groups;
  template <class Archive>
  void fields(Archive& archive) {
    archive(groups);
  }
};

struct ChangeGroupCommand {
  static constexpr CommandKind kKind = CommandKind::change_group;
  using Answer = GroupConfiguration;
  GroupConfiguration next;
  template <class Archive>
  void fields(Archive& archive) {
    archive(next);
  }
};

// Who should have a copy of a group.
struct PlaceCopiesCommand {
  static constexpr CommandKind kKind = CommandKind::place_copies;
  using Answer = Nothing;
  GroupNumber group = 0;
  std::vector<std::string> copies;
  template <class Archive>
  void fields(Archive& archive) {
    archive(group, copies);
  }
};

struct RegisterStorageCommand {
  static constexpr CommandKind kKind = CommandKind::register_storage;
  using Answer = Nothing;
  NodeAddress node;
  std::uint64_t bytes_capacity = 0;
  TimeNs time = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(node, bytes_capacity, time);
  }
};

// Refused while a group counts on it.
struct ForgetStorageCommand {
  static constexpr CommandKind kKind = CommandKind::forget_storage;
  using Answer = Nothing;
  std::string node;
  template <class Archive>
  void fields(Archive& archive) {
    archive(node);
  }
};

struct GarbageRemovedCommand {
  static constexpr CommandKind kKind = CommandKind::garbage_removed;
  using Answer = Nothing;
  std::vector<ObjectNumber> objects;
  template <class Archive>
  void fields(Archive& archive) {
    archive(objects);
  }
};

// As the volume is now; a VolumeRecord of its own, see records.h.
struct CreateSnapshotCommand {
  static constexpr CommandKind kKind = CommandKind::create_snapshot;
  using Answer = VolumeRecord;
  std::string volume;
  std::string name;
  TimeNs time = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(volume, name, time);
  }
};

// The volume is as it was then. Refused while sessions have it open.
struct RestoreSnapshotCommand {
  static constexpr CommandKind kKind = CommandKind::restore_snapshot;
  using Answer = VolumeRecord;
  std::string volume;
  std::string name;
  template <class Archive>
  void fields(Archive& archive) {
    archive(volume, name);
  }
};

// Errors: not_found inode_absent, group_unknown; failed_precondition batch_out_of_order, when a
// later attempt was made; those of a session.
struct TakeObjectCommand {
  static constexpr CommandKind kKind = CommandKind::take_object;
  using Answer = TakeObjectReply;
  TakeObject request;
  template <class Archive>
  void fields(Archive& archive) {
    archive(request);
  }
};

template <class Command>
std::string encode_command(const Command& command) {
  return static_cast<char>(Command::kKind) + encode(command);
}
// `body` is an encoded Apply.
inline std::string encode_apply(std::string_view body) {
  std::string payload;
  payload.reserve(1 + body.size());
  payload += static_cast<char>(CommandKind::apply);
  payload += body;
  return payload;
}

inline std::string encode_answer_body(std::string_view body) {
  std::string answer(1, '\0');
  answer += body;
  return answer;
}
inline std::string encode_answer_error(const base::Error& error) {
  return '\1' + encode_error(error);
}
// The reply's bytes, a view into `answer`, or the error.
base::Result<std::string_view> open_answer(std::string_view answer);
template <class Reply>
base::Result<Reply> decode_answer(std::string_view answer) {
  return decode<Reply>(TRY(open_answer(answer)));
}

}  // namespace dfs::meta
