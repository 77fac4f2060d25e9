// SPDX-License-Identifier: Apache-2.0
// Entries of the metadata log on a state with two volumes, two sessions and some files: whatever
// they are, each gets an answer, two states that apply the same ones are the same, and the check of
// the file system finds nothing wrong.
// Input: entries, each led by its length in two bytes; the first byte of an entry is its kind.
#include <cstdint>
#include <cstdio>

#include "common/base/check.h"
#include "dfs/meta/command.h"
#include "dfs/meta/fsck.h"
#include "dfs/meta/state.h"

namespace {

using namespace dfs;        // NOLINT: the subject
using namespace dfs::meta;  // NOLINT: the subject

class NoQueue final : public replication::DiskQueue {
 public:
  void submit(std::function<void()>, std::function<void()>) override {}
};

class Rig {
 public:
  Rig() {
    for (const char* name : {"one", "two"}) {
      CreateVolumeCommand volume;
      volume.name = name;
      volume.bytes_max = 1 << 20;
      volume.inodes_max = 100;
      apply(encode_command(volume));
      OpenSession request;
      request.volume = name;
      request.client = name;
      apply(encode_command(OpenSessionCommand{request, 1}));
    }
    GroupRecord group;
    group.configuration.group = 1;
    group.configuration.epoch = 1;
    group.configuration.primary = "s1";
    group.configuration.in_sync = {"s1"};
    group.copies = {"s1"};
    apply(encode_command(MakeGroupsCommand{{group}}));
    apply(encode_command(TakeInodesCommand{100}));
    make_files();
  }
  std::string apply(std::string payload) {
    return state_.apply({1, ++index_, 0, std::move(payload)});
  }
  const MetaState& state() const { return state_; }

 private:
  void make_files() {
    const InodeNumber root = state_.volumes().begin()->second.root;
    const InodeNumber first = root + 2;  // both roots were made first
    Apply batch;
    batch.session = state_.sessions().begin()->first;
    batch.sequence = 1;
    for (InodeNumber i = 0; i < 4; ++i) {
      CreateOp create;
      create.folder = root;
      create.name = std::string(1, static_cast<char>('a' + i));
      create.inode = first + i;
      create.kind = i < 2 ? FileKind::folder : FileKind::file;
      create.mode = 0644;
      batch.operations.push_back(create);
    }
    apply(encode_apply(encode(batch)));
  }

  MemoryDisk disk_;
  NoQueue queue_;
  std::unique_ptr<BaseStore> store_ = make_memory_base(disk_);
  MetaState state_{*store_, queue_};
  std::uint64_t index_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Rig first, second;
  while (bytes.size() > 2) {
    const std::size_t length =
        static_cast<unsigned char>(bytes[0]) << 8U | static_cast<unsigned char>(bytes[1]);
    const std::string entry(bytes.substr(2, length));
    bytes.remove_prefix(std::min(bytes.size(), length + 2));
    if (entry.empty()) continue;
    CHECK_THAT(first.apply(entry) == second.apply(entry));
  }
  const FsckReport report = check_state(first.state());
  for (const std::string& problem : report.problems) std::fprintf(stderr, "%s\n", problem.c_str());
  CHECK_THAT(report.wrong == 0);
  return 0;
}
