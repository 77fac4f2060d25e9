// SPDX-License-Identifier: Apache-2.0
// Operations on content.
#include <fcntl.h>
#include <linux/falloc.h>

#include <algorithm>

#include "dfs/api/limits.h"
#include "dfs/client/client_run.h"

namespace dfs::client {

using base::Error;
using base::Result;

namespace {

// A write that ends there would be joined to content from before a cut that is still to be made:
// neither could go first.
bool would_bridge_cut(const Inode& inode, std::uint64_t end) {
  const std::uint64_t cut_to = inode.record.attributes.cut_to;
  return inode.file && cut_to != kNoCut && end > cut_to &&
         inode.file->dirty.oldest() < inode.file->generation;
}

// Until what was changed before is durable.
Need want_settled(ChangeLog& log, const Inode& inode) {
  Need need{Need::What::other, inode.number};
  need.begin = [&log, position = inode.last_position](Done<Nothing> done) {
    log.flush(position, std::move(done));
  };
  return need;
}

}  // namespace

void Client::open(InodeNumber number, Access access, bool truncate, Done<Opened> done) {
  run_change<Opened>(std::move(done), [=, this]() -> Attempt<Opened> {
    const bool writes = access == Access::write || truncate;
    if (writes && is_read_only()) return Result<Opened>(posix_error(EROFS));
    Inode* inode = nullptr;
    NEED(want_inode(number, writes ? Lease::write : Lease::read, inode, Rest::include));
    if (truncate && inode->record.attributes.size > 0) {
      NEED(want_own(*inode, 0));
      NEED(want_cut(*inode, 0));
      NEED(want_log_room());
      resize(*inode, 0, now());
    }
    ++inode->opens;
    return Result<Opened>(Opened{inode->record.attributes, may_keep(*inode)});
  });
}

void Client::release(InodeNumber number) {
  Inode* inode = cache_.find(number);
  if (inode == nullptr || inode->opens == 0 || --inode->opens > 0) return;
  if (std::exchange(inode->is_held, false) && session_.state() != SessionState::fenced)
    log_.append(DropOp{number}, {inode});
  if (inode->is_known && FileData::is_dead(*inode)) data_.discard(*inode);
  drop_if_unused(*inode);
}

void Client::read(InodeNumber number, std::uint64_t offset, std::uint64_t size,
                  Done<std::string_view> done) {
  const auto shared = std::make_shared<Done<std::string_view>>(std::move(done));
  run<Nothing>(
      [shared](const Result<Nothing>& failed) {
        if (!failed) (*shared)(failed.error());
      },
      [=, this]() -> Attempt<Nothing> {
        Inode* inode = nullptr;
        NEED(want_inode(number, Lease::read, inode, Rest::include));
        // Content is kept by the kernel, which only a lease allows.
        if (inode->lease == Lease::none) return Need{Need::What::inode, number, Lease::read};
        ++inode->reads;
        inode->pages_in_kernel = true;
        ++inode->pins;
        ++inode->reads_under_way;
        data_.read(*inode, offset, size,
                   [this, shared, number](const Result<std::string_view>& content) {
                     if (Inode* read = cache_.find(number)) {
                       --read->pins;
                       --read->reads_under_way;
                       ++read->reads;
                     }
                     if (!content) session_.on_error(content.error());
                     (*shared)(content);
                   });
        return Result<Nothing>(Nothing{});
      });
}

void Client::write(InodeNumber number, std::uint64_t offset, std::string_view data, bool append,
                   Done<Nothing> done) {
  if (data.empty()) return done(Nothing{});
  const auto step = [=, this](std::string_view content) -> Attempt<Nothing> {
    if (is_read_only()) return Result<Nothing>(posix_error(EROFS));
    Inode* inode = nullptr;
    NEED(want_inode(number, Lease::write, inode, Rest::include));
    const std::uint64_t at = append ? inode->record.attributes.size : offset;
    if (at + content.size() > kObjectMax) return Result<Nothing>(posix_error(EFBIG));
    NEED(want_place(*inode, at + content.size()));
    NEED(want_own(*inode, at + content.size()));
    if (would_bridge_cut(*inode, at + content.size())) return want_settled(log_, *inode);
    NEED(want_log_room());
    if (data_.is_full()) return Need{Need::What::data_room};
    inode->pages_in_kernel = true;
    const Result<void> written = data_.write(*inode, at, content, now());
    if (!written) return Result<Nothing>(written.error());
    return Result<Nothing>(Nothing{});
  };
  const bool is_plain = session_.terms().durability == Durability::posix && session_.is_live();
  if (is_plain) {
    // Without a copy when nothing is lacking.
    Attempt<Nothing> first = step(data);
    if (auto* result = std::get_if<Result<Nothing>>(&first)) return done(std::move(*result));
  }
  run_change<Nothing>(std::move(done), [step, copy = std::string(data)]() -> Attempt<Nothing> {
    return step(copy);
  });
}

void Client::allocate(InodeNumber number, int mode, ByteRange range, Done<Nothing> done) {
  run_change<Nothing>(std::move(done), [=, this]() -> Attempt<Nothing> {
    if (is_read_only()) return Result<Nothing>(posix_error(EROFS));
    constexpr int kKnown = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
    if ((mode & ~kKnown) != 0) return Result<Nothing>(posix_error(EOPNOTSUPP));
    if (range.size == 0) return Result<Nothing>(posix_error(EINVAL));
    if (range.end() > kObjectMax) return Result<Nothing>(posix_error(EFBIG));
    Inode* inode = nullptr;
    NEED(want_inode(number, Lease::write, inode, Rest::include));
    NEED(want_place(*inode, range.end()));
    NEED(want_own(*inode, range.end()));
    if (would_bridge_cut(*inode, range.end())) return want_settled(log_, *inode);
    NEED(want_log_room());
    const TimeNs time = now();
    if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0)
      data_.punch(*inode, range, time);
    if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && range.end() > inode->record.attributes.size) {
      const Result<void> grown = data_.grow(*inode, range.end(), time);
      if (!grown) return Result<Nothing>(grown.error());
    }
    return Result<Nothing>(Nothing{});
  });
}

void Client::seek(InodeNumber number, std::uint64_t offset, SeekFor what,
                  Done<std::uint64_t> done) {
  const auto shared = std::make_shared<Done<std::uint64_t>>(std::move(done));
  const auto failed = [shared](const Result<Nothing>& result) {
    if (!result) (*shared)(result.error());
  };
  run<Nothing>(failed, [=, this]() -> Attempt<Nothing> {
    Inode* inode = nullptr;
    NEED(want_inode(number, Lease::read, inode));
    if (inode->has_unwritten()) {
      Need need{Need::What::other, number};
      need.begin = [this, number](Done<Nothing> flushed) {
        if (Inode* held = cache_.find(number)) return data_.flush(*held, std::move(flushed));
        flushed(Nothing{});
      };
      return need;
    }
    data_.seek(*inode, offset, what, *shared);
    return Result<Nothing>(Nothing{});
  });
}

// Nothing but content and times is waiting for metadata, and times do not matter to fdatasync.
bool Client::is_data_enough(Inode& inode) const {
  if (inode.pending == 0) return true;
  return inode.pending == 1 && inode.data_position != 0 && inode.file && !inode.file->is_sized;
}

// Metadata has not heard of it yet, so that none of its content can be durable.
bool Client::is_unborn(const Inode& inode) const {
  return inode.made_position != 0 && log_.front() != 0 && inode.made_position >= log_.front();
}

// The size may be told while the content is under way when nothing that comes before it waits.
bool Client::can_sync_apart(Inode& inode) const {
  if (inode.data_position == 0 || !inode.file || inode.record.attributes.object == 0 ||
      inode.record.attributes.cut_to != kNoCut || inode.file->cut_done != kNoCut)
    return false;
  if (is_unborn(inode)) return true;
  return inode.pending == 1 && log_.front() == inode.data_position && !inode.file->must_move;
}

void Client::fsync(InodeNumber number, Sync what, Done<Nothing> done) {
  Inode* inode = cache_.find(number);
  if (session_.state() == SessionState::fenced) return done(fenced_error());
  if (inode == nullptr) return done(Nothing{});
  if (inode->pending == 0 && !inode->has_unwritten() && inode->error == 0) return done(Nothing{});
  struct Parts {
    int missing = 1;
    std::optional<Error> error;
  };
  const auto parts = std::make_shared<Parts>();
  ++inode->pins;
  const Done<Nothing> part = [this, parts, number,
                              done = std::move(done)](const Result<Nothing>& result) {
    if (!result) parts->error = result.error();
    if (--parts->missing > 0) return;
    Inode* synced = cache_.find(number);
    const int late = synced == nullptr ? 0 : std::exchange(synced->error, 0);
    if (synced != nullptr) --synced->pins;
    if (session_.state() == SessionState::fenced) return done(fenced_error());
    if (late != 0) return done(posix_error(late));
    if (parts->error) return done(*parts->error);
    done(Nothing{});
  };
  if (what == Sync::data && is_data_enough(*inode)) return data_.flush(*inode, part);
  parts->missing = 2;
  const Position position = inode->last_position;
  if (can_sync_apart(*inode)) log_.open_entry(*inode)->is_unordered = true;
  data_.flush(*inode, part);
  log_.flush(position, part);
}

int Client::take_error(InodeNumber number) {
  Inode* inode = cache_.find(number);
  return inode == nullptr ? 0 : std::exchange(inode->error, 0);
}

bool Client::has_changes(InodeNumber number) {
  const Inode* inode = cache_.find(number);
  return inode != nullptr && (inode->pending > 0 || inode->has_unwritten());
}

}  // namespace dfs::client
