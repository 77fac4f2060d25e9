// SPDX-License-Identifier: Apache-2.0
// The objects of one chunk group on one device: sparse content in files, a checksum per block in
// the index. Changed by the group's log alone (machine.h); made durable by a Checkpointer.
//
// 1. The index at rest describes the log up to one entry. Changes behind that one are in memory
// and, whole blocks, in the files already: after a power cut the log is applied again, and doing
// so twice leaves the same as once.
// 2. A block of which only a part changes is kept in memory. A checkpoint stores whole images of
// those beside, commits the index, and only then writes them in place, so that a cut can always be
// made good: before the commit the file holds the old content, after it the images hold the new.
// 3. What the index does not know is a hole, whatever the file holds.
// 4. Every read is measured by the checksums. A block that does not match is never answered.
// 5. A part that is written to a block that does not match leaves the block without a checksum
// (`bad`): it stays unreadable until it was written whole or mended from another member.
// 6. Memory: pages_max clean pages of 1.1 KiB, and what the log holds since the last checkpoint.
// 7. Content that was placed before its log entry was carried out (place()) is needed as it is
// until a checkpoint has that entry in it: the log holds no copy. What comes on top of it in
// between stays in memory, as 2. says, and its file is neither cut, punched nor removed before.
// Threads: the loop's; fill() and encode_frozen() any.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "dfs/api/storage_protocol.h"
#include "dfs/storage/block_index.h"
#include "dfs/storage/open_files.h"
#include "dfs/storage/sum_page.h"

namespace dfs::storage {

using BlockNumber = std::uint64_t;
struct BlockName {
  ObjectNumber object = 0;
  BlockNumber block = 0;
  friend auto operator<=>(const BlockName&, const BlockName&) = default;
};
using BlockImage = std::shared_ptr<const std::string>;  // kBlockBytes of content

// A read under way: what is wanted, where it lies and what it must measure.
struct ReadPlan {
  ObjectNumber object = 0;
  std::uint64_t offset = 0;
  std::size_t size = 0;
  BlockNumber first = 0;
  enum class Kind : std::uint8_t { hole, memory, file, bad };
  struct Block {
    Kind kind = Kind::hole;
    std::uint32_t sum = 0;
  };
  std::vector<Block> blocks;
  std::string content;  // of the whole blocks
  struct Run {
    std::uint64_t offset = 0;  // in the file
    std::size_t at = 0;        // in `content`
    std::size_t size = 0;
  };
  DataFileHandle file;
  std::vector<Run> runs;
};

// What a finished read found.
struct ReadCheck {
  std::vector<BlockNumber> bad;  // to be mended; then read again
  bool changed = false;          // a change came between: plan it again
};

struct Frozen {
  GroupNumber group = 0;
  std::vector<std::pair<PageKey, std::shared_ptr<SumPage>>> pages;
  std::vector<std::pair<BlockName, BlockImage>> images;
  std::vector<DataFileHandle> files;
  std::string state;
  bool is_empty() const { return pages.empty() && images.empty() && files.empty(); }
};
// The index changes of a freeze.
std::vector<BlockIndex::Change> encode_frozen(const Frozen& frozen);
std::string group_state_key(GroupNumber group);

enum class ReadMode { cached_only, may_wait };

class ObjectStore {
 public:
  struct Options {
    GroupNumber group = 0;
    std::size_t pages_max = 4096;  // clean ones in memory
    // Stored with the pages at each checkpoint: what they describe the log up to.
    std::function<std::string()> state;
  };
  // Requires: index and files outlive it.
  ObjectStore(BlockIndex& index, OpenFiles& files, Options options);

  // The changes. `at` is the log entry's index. Errors: os errors: the device cannot be trusted,
  // the owner ends the process.
  // Requires: checksums as WriteObject has them, and they match.
  base::Result<void> write(ObjectNumber object, std::uint64_t offset, std::string_view data,
                           std::span<const std::uint32_t> checksums, std::uint64_t at);
  base::Result<void> cut(ObjectNumber object, std::uint64_t size, std::uint64_t at);
  base::Result<void> punch(ObjectNumber object, std::uint64_t offset, std::uint64_t size,
                           std::uint64_t at);
  base::Result<void> remove(ObjectNumber object, std::uint64_t at);

  // Whether whole blocks of this range can be put into their file before they are carried out: all
  // are holes, and nothing in the file is needed there.
  base::Result<bool> can_place(ObjectNumber object, std::uint64_t offset, std::size_t size);
  // Into the file only; durable once the returned file is synced, with its name (is_named). What is
  // there is needed from now on.
  base::Result<DataFileHandle> place(ObjectNumber object, std::uint64_t offset,
                                     std::string_view data);
  // What lies there, whatever it is. Errors: corrupt when the file is not there or too short.
  base::Result<std::string> read_placed(ObjectNumber object, std::uint64_t offset,
                                        std::size_t size);
  // The same for what a start found.
  void pledge(ObjectNumber object, std::uint64_t offset, std::size_t size);
  // Carries out what was placed. Requires: keep_placed().
  base::Result<void> write_placed(ObjectNumber object, std::uint64_t offset, std::size_t size,
                                  std::span<const std::uint32_t> checksums, std::uint64_t at);
  // The entry was carried out, or is not in the log any more: the content of the range is needed
  // until the next checkpoint.
  void keep_placed(ObjectNumber object, std::uint64_t offset, std::size_t size);

  base::Result<ReadPlan> plan_read(ObjectNumber object, std::uint64_t offset, std::size_t size);
  // Reads the file's part. False: cached_only, and it would have to wait. A block that the device
  // cannot read is left as zeros. Threads: any.
  static base::Result<bool> fill(ReadPlan& plan, ReadMode mode);
  base::Result<ReadCheck> check(const ReadPlan& plan);
  // plan, fill and check in one. Errors: corrupt block_corrupt.
  base::Result<std::string> read(ObjectNumber object, std::uint64_t offset, std::size_t size);
  // The next data or hole from `offset` on, in blocks; UINT64_MAX when no data follows.
  base::Result<std::uint64_t> seek(ObjectNumber object, std::uint64_t offset, SeekFor what);

  // The page as it is now; empty when it is all holes.
  base::Result<std::shared_ptr<const SumPage>> find_page(const PageKey& key);
  // The first page that is not less; nullopt behind the last.
  base::Result<std::optional<PageKey>> page_at_or_after(const PageKey& key);
  // Puts back a block whose content was lost. It must match the checksum, or, of a bad one, come
  // from a member whose page was changed by the same entry last (`changed`). False: it does not.
  base::Result<bool> mend(const BlockName& block, std::string_view content, std::uint64_t changed);
  // The blocks of `part` as another member has them replace what is here. Content comes with those
  // of them in `blocks` that are present and not bad: the others hold what they must already.
  base::Result<void> adopt(const PageKey& key, const SumPage& page, const BlockBits& part,
                           const BlockBits& blocks, std::string_view content);
  base::Result<void> drop_page(const PageKey& key);

  // What a checkpoint must make durable; everything is in it. Then: images stored, files synced,
  // index committed; write_back(); those files synced; thaw(). Requires: the one before was thawed.
  Frozen freeze();
  // Puts the files that it writes in place of frozen.files.
  base::Result<void> write_back(Frozen& frozen);
  base::Result<void> thaw(const Frozen& frozen);

  GroupNumber group() const { return options_.group; }
  std::size_t held_blocks() const { return held_.size(); }
  std::size_t dirty_files() const { return dirty_files_.size(); }
  std::size_t cached_pages() const { return pages_.size(); }

 private:
  enum class State : std::uint8_t { clean, dirty, frozen };
  struct Cached {
    std::shared_ptr<SumPage> page;
    State state = State::clean;
    bool used = true;
  };
  using Pages = std::map<PageKey, Cached>;
  using Placed = std::map<PageKey, BlockBits>;

  base::Result<Pages::iterator> load(const PageKey& key);
  base::Result<SumPage*> change(const PageKey& key, std::uint64_t at);
  void evict();
  base::Result<DataFileHandle> writable_file(ObjectNumber object, std::uint64_t start,
                                             std::uint64_t end);
  base::Result<void> write_part(SumPage& page, const BlockName& name, std::size_t from,
                                std::string_view part);
  base::Result<std::optional<std::string>> read_block(const SumPage& page, const BlockName& name);
  base::Result<void> write_file(ObjectNumber object, std::uint64_t offset, std::string_view data);
  base::Result<void> clear_blocks(ObjectNumber object, BlockNumber first, BlockNumber end,
                                  std::uint64_t at);
  void unhold(SumPage& page, const BlockName& name);
  void hold(SumPage& page, const BlockName& name, std::string content);
  bool is_placed(const BlockName& name) const;
  bool has_placed(ObjectNumber object) const;

  BlockIndex& index_;
  OpenFiles& files_;
  const Options options_;
  Pages pages_;
  PageKey hand_;  // where eviction goes on
  std::map<BlockName, BlockImage> held_;
  std::map<ObjectNumber, DataFileHandle> dirty_files_;
  std::vector<PageKey> dirty_;
  Placed pledged_;                  // their entries are not carried out
  Placed placed_, placed_frozen_;   // since the last freeze, and in the checkpoint under way
  std::set<ObjectNumber> removed_;  // their files are still needed
  // Written in place once more by a start: those of the last checkpoint, and of the one under way.
  std::set<BlockName> imaged_, imaged_frozen_;
};

}  // namespace dfs::storage
