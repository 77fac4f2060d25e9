// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/snapshot.h"

#include <algorithm>
#include <deque>

#include "common/base/bytes.h"
#include "dfs/storage/machine.h"

namespace dfs::storage {
namespace {

using base::ByteReader;
using base::ByteWriter;
using base::Code;
using base::Error;
using base::Result;
using replication::Position;

enum class Piece : std::uint8_t { hello = 1, offer, blocks, wait };

constexpr std::size_t kOfferPages = 4;
constexpr std::size_t kHalves = 2;
constexpr std::size_t kHalfBlocks = kPageBlocks / kHalves;  // content of half a MiB
constexpr std::uint64_t kCheckpointBytes = 64 << 20;

Error invalid(std::string detail) { return {Code::corrupt, std::move(detail), "snapshot_invalid"}; }

std::string bits_text(const BlockBits& bits) { return bits.to_string(); }
Result<BlockBits> parse_bits(std::string_view text) {
  if (text.size() != kPageBlocks || text.find_first_not_of("01") != std::string_view::npos)
    return invalid("a list of blocks is none");
  return BlockBits(std::string(text));
}

BlockBits half_mask(std::size_t half) {
  BlockBits mask;
  for (std::size_t place = half * kHalfBlocks; place < (half + 1) * kHalfBlocks; ++place)
    mask.set(place);
  return mask;
}

class Source final : public replication::SnapshotSource {
 public:
  explicit Source(ChunkMachine& machine)
      : machine_(machine), state_{machine.position(), machine.epochs()} {}

  Position position() const override { return state_.position; }

  Result<std::string> next(std::string_view answer) override {
    switch (last_) {
      case Piece::hello:
        if (!said_hello_) {
          said_hello_ = true;
          return ByteWriter()
              .u8(static_cast<std::uint8_t>(Piece::hello))
              .text(encode_group_state(state_))
              .take();
        }
        return offer();
      case Piece::offer: {
        TRY(take_wishes(answer));
        break;
      }
      case Piece::blocks: break;
      case Piece::wait:
        if (answer == "1") return std::string();
        return std::string(1, static_cast<char>(Piece::wait));
    }
    if (!wanted_.empty()) return blocks();
    if (!is_last_) return offer();
    last_ = Piece::wait;
    return std::string(1, static_cast<char>(Piece::wait));
  }

 private:
  struct Wanted {
    std::size_t number = 0;  // within the offer
    std::size_t half = 0;
    BlockBits blocks;
  };

  Result<std::string> offer() {
    last_ = Piece::offer;
    offered_.clear();
    const PageKey begin = from_;
    PageKey end = from_;
    while (offered_.size() < kOfferPages) {
      const std::optional<PageKey> key = TRY(machine_.store().page_at_or_after(end));
      if (!key) {
        is_last_ = true;
        break;
      }
      const auto page = TRY(machine_.store().find_page(*key));
      offered_.emplace_back(*key, *page);
      end = {key->object, key->page + 1};
    }
    from_ = end;
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(Piece::offer)).u64(begin.object).u64(begin.page);
    out.u64(end.object).u64(end.page).u8(is_last_ ? 1 : 0);
    for (const auto& [key, page] : offered_) {
      const std::string name = index_key(0, key);
      out.text(name).text(encode_page(name, page));
    }
    return out.take();
  }

  Result<void> take_wishes(std::string_view answer) {
    ByteReader in(answer);
    for (std::size_t number = 0; number < offered_.size(); ++number) {
      const std::uint8_t wants = TRY(in.u8());
      if (wants == 0) continue;
      const std::string_view text = TRY(in.text());
      const BlockBits bits = TRY(parse_bits(text));
      for (std::size_t half = 0; half < kHalves; ++half)
        wanted_.push_back({number, half, bits & half_mask(half)});
    }
    return in.end();
  }

  Result<std::string> blocks() {
    last_ = Piece::blocks;
    const Wanted wanted = wanted_.front();
    wanted_.pop_front();
    const auto& [key, offered] = offered_[wanted.number];
    const auto found = TRY(machine_.store().find_page(key));
    SumPage page = found ? *found : SumPage();
    const std::size_t first = wanted.half * kHalfBlocks;
    // What changed since it was offered is sent too.
    BlockBits blocks = wanted.blocks;
    for (std::size_t place = first; place < first + kHalfBlocks; ++place)
      if (page.present[place] && (!offered.present[place] || offered.bad[place] ||
                                  offered.sums[place] != page.sums[place]))
        blocks.set(place);
    blocks &= page.present;
    ReadPlan plan = TRY(machine_.store().plan_read(
        key.object, (key.page * kPageBlocks + first) * kBlockBytes, kHalfBlocks * kBlockBytes));
    TRY(ObjectStore::fill(plan, ReadMode::may_wait));
    const ReadCheck check = TRY(machine_.store().check(plan));
    for (const BlockNumber bad : check.bad) page.bad.set(bad % kPageBlocks);
    ByteWriter out;
    const std::string name = index_key(0, key);
    out.u8(static_cast<std::uint8_t>(Piece::blocks)).text(name).text(encode_page(name, page));
    out.u8(static_cast<std::uint8_t>(wanted.half)).text(bits_text(blocks));
    for (std::size_t i = 0; i < kHalfBlocks; ++i)
      if (blocks[first + i] && !page.bad[first + i])
        out.raw(std::string_view(plan.content).substr(i * kBlockBytes, kBlockBytes));
    return out.take();
  }

  ChunkMachine& machine_;
  const GroupState state_;
  Piece last_ = Piece::hello;
  bool said_hello_ = false;
  bool is_last_ = false;
  PageKey from_;
  std::vector<std::pair<PageKey, SumPage>> offered_;
  std::deque<Wanted> wanted_;
};

class Sink final : public replication::SnapshotSink {
 public:
  explicit Sink(ChunkMachine& machine) : machine_(machine) {}

  Result<std::string> take(std::string_view piece) override {
    ByteReader in(piece);
    const std::uint8_t kind = TRY(in.u8());
    switch (static_cast<Piece>(kind)) {
      case Piece::hello: TRY(take_hello(in)); return std::string();
      case Piece::offer: return take_offer(in);
      case Piece::blocks: return take_blocks(in);
      case Piece::wait: return wait();
    }
    return invalid("a piece has an unknown kind");
  }

  Result<void> install(Position position) override {
    if (!state_ || state_->position != position)
      return invalid("the snapshot is not the one that was announced");
    return machine_.install(*state_);
  }

 private:
  Result<void> take_hello(ByteReader& in) {
    const std::string_view state = TRY(in.text());
    state_ = TRY(decode_group_state(state));
    return {};
  }

  static Result<std::pair<PageKey, SumPage>> take_page(ByteReader& in) {
    const std::string_view name = TRY(in.text());
    const auto key = TRY(parse_index_key(name));
    const std::string_view record = TRY(in.text());
    SumPage page = TRY(decode_page(name, record));
    return std::pair(key.second, std::move(page));
  }

  Result<std::string> take_offer(ByteReader& in) {
    if (!state_) return invalid("it does not begin with a hello");
    PageKey from;
    PageKey end;
    from.object = TRY(in.u64());
    from.page = TRY(in.u64());
    end.object = TRY(in.u64());
    end.page = TRY(in.u64());
    const bool is_last = TRY(in.u8()) != 0;
    ByteWriter answer;
    while (!in.rest().empty()) {
      const auto [key, page] = TRY(take_page(in));
      TRY(drop_between(from, key));
      from = {key.object, key.page + 1};
      const std::optional<BlockBits> wanted = TRY(compare(key, page));
      answer.u8(wanted ? 1 : 0);
      if (wanted) answer.text(bits_text(*wanted));
    }
    TRY(drop_between(from, is_last ? std::nullopt : std::optional(end)));
    return answer.take();
  }

  // Pages that the sender does not have.
  Result<void> drop_between(PageKey from, const std::optional<PageKey>& end) {
    while (true) {
      const std::optional<PageKey> key = TRY(machine_.store().page_at_or_after(from));
      if (!key || (end && *key >= *end)) return {};
      TRY(machine_.store().drop_page(*key));
      changed_ = true;
      from = {key->object, key->page + 1};
    }
  }

  Result<std::optional<BlockBits>> compare(const PageKey& key, const SumPage& page) {
    const auto found = TRY(machine_.store().find_page(key));
    const SumPage here = found ? *found : SumPage();
    BlockBits wanted;
    for (std::size_t place = 0; place < kPageBlocks; ++place)
      if (page.present[place] &&
          (!here.present[place] || here.bad[place] || here.sums[place] != page.sums[place]))
        wanted.set(place);
    if (here.present.any()) {
      ReadPlan plan = TRY(machine_.store().plan_read(
          key.object, key.page * kPageBlocks * kBlockBytes, kPageBlocks * kBlockBytes));
      TRY(ObjectStore::fill(plan, ReadMode::may_wait));
      const ReadCheck check = TRY(machine_.store().check(plan));
      for (const BlockNumber bad : check.bad)
        if (page.present[bad % kPageBlocks]) wanted.set(bad % kPageBlocks);
    }
    if (wanted.none() && here.present == page.present && here.changed == page.changed)
      return std::optional<BlockBits>();
    return std::optional(wanted);
  }

  Result<std::string> take_blocks(ByteReader& in) {
    if (!state_) return invalid("it does not begin with a hello");
    const auto [key, page] = TRY(take_page(in));
    const std::uint8_t half = TRY(in.u8());
    if (half >= kHalves) return invalid("a page has two halves");
    const std::string_view text = TRY(in.text());
    const BlockBits blocks = TRY(parse_bits(text));
    const BlockBits part = half_mask(half);
    if ((blocks & ~part).any() ||
        (blocks & page.present & ~page.bad).count() * kBlockBytes != in.rest().size())
      return invalid("the content is not that of the blocks");
    TRY(machine_.store().adopt(key, page, part, blocks, in.rest()));
    changed_ = true;
    taken_ += in.rest().size();
    if (taken_ >= kCheckpointBytes && !machine_.is_checkpointing()) begin_checkpoint();
    return std::string();
  }

  void begin_checkpoint() {
    taken_ = 0;
    changed_ = false;
    machine_.checkpoint_pages();
  }

  Result<std::string> wait() {
    if (!machine_.is_checkpointing()) {
      if (!changed_) return std::string("1");
      begin_checkpoint();
    }
    return std::string("0");
  }

  ChunkMachine& machine_;
  std::optional<GroupState> state_;
  bool changed_ = true;
  std::uint64_t taken_ = 0;
};

}  // namespace

Result<std::unique_ptr<replication::SnapshotSource>> make_snapshot_source(ChunkMachine& machine) {
  return std::unique_ptr<replication::SnapshotSource>(std::make_unique<Source>(machine));
}

Result<std::unique_ptr<replication::SnapshotSink>> make_snapshot_sink(ChunkMachine& machine) {
  return std::unique_ptr<replication::SnapshotSink>(std::make_unique<Sink>(machine));
}

}  // namespace dfs::storage
