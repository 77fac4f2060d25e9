// SPDX-License-Identifier: Apache-2.0
// What the metadata store keeps: each record's value, as it comes and under a seal that fits, and
// the piece of a state on its way to another member. What can be read is written again as it was.
#include <array>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "dfs/api/wire.h"
#include "dfs/meta/command.h"
#include "dfs/meta/records.h"
#include "dfs/meta/state.h"

namespace {

using namespace dfs;        // NOLINT: the subject
using namespace dfs::meta;  // NOLINT: the subject

template <class T>
void read_one(std::string_view bytes) {
  if (const auto value = decode<T>(bytes)) CHECK_THAT(encode(*value) == bytes);
}
constexpr std::array kReaders = {
    read_one<Counters>,
    read_one<VolumeRecord>,
    read_one<StoredInode>,
    read_one<Dentry>,
    read_one<SessionRecord>,
    read_one<LockList>,
    read_one<GroupRecord>,
    read_one<StorageRecord>,
    read_one<GarbageRecord>,
    read_one<ApplyReply>,
    read_one<OpenSessionCommand>,
    read_one<CreateVolumeCommand>,
    read_one<ChangeVolumeCommand>,
    read_one<MakeGroupsCommand>,
    read_one<ChangeGroupCommand>,
    read_one<PlaceCopiesCommand>,
    read_one<RegisterStorageCommand>,
    read_one<GarbageRemovedCommand>,
    read_one<SnapshotRecord>,
    read_one<TakenObject>,
    read_one<RestoredRecord>,
    read_one<CreateSnapshotCommand>,
    read_one<RestoreSnapshotCommand>,
    read_one<TakeObjectCommand>,
};

class NoQueue final : public replication::DiskQueue {
 public:
  void submit(std::function<void()>, std::function<void()>) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(open_answer(bytes));
  if (size < 2) return 0;
  const std::string_view record = bytes.substr(1);
  kReaders[data[0] % kReaders.size()](record);
  for (const std::string_view key : {"head", "i"}) {
    static_cast<void>(base::open_record(key, data[0], record));
    const std::string sealed = base::seal_record(key, data[0], record);
    CHECK_THAT(*base::open_record(key, data[0], sealed) == record);
  }
  MemoryDisk disk;
  NoQueue queue;
  const auto store = make_memory_base(disk);
  MetaState state(*store, queue);
  if (auto sink = state.receive_snapshot()) static_cast<void>((*sink)->take(record));
  return 0;
}
