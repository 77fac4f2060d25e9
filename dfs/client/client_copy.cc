// SPDX-License-Identifier: Apache-2.0
// Before a file is changed whose content a snapshot has too: a copy of it, which becomes the
// file's.
//
// 1. The file has its old object until the whole copy is at the storage servers; a copy that is
// broken off is the session's, and removed by metadata.
// 2. What is zero all over is not copied: it is a hole of the copy.
// 3. The copy goes on when the lease is asked back meanwhile, or readers could keep a large file
// from ever being changed. It is taken when the same snapshot still has the object, which then
// nobody has changed in between.
// 4. Each attempt has a number of its own: nothing of an earlier one is left in the object.
#include <algorithm>

#include "dfs/client/client_run.h"

namespace dfs::client {

using base::Result;

namespace {

constexpr std::uint64_t kPieceBytes = 1 << 20;

// Bytes of the object that are the file's.
std::uint64_t end_of(const Attributes& attributes) {
  return std::min(attributes.size, attributes.cut_to);
}

bool is_of(const Copied& copied, const InodeRecord& record) {
  return copied.shared_by == record.shared_by && copied.from == record.attributes.object &&
         copied.end == end_of(record.attributes);
}

}  // namespace

struct Client::Copying {
  InodeNumber number = 0;
  SessionNumber session = 0;
  Copied copied;
  ObjectPlace from, to;
  std::uint64_t offset = 0;
  std::string piece;  // on its way to `to`
  std::vector<Done<Nothing>> waiting;
};

std::optional<Need> Client::want_own(Inode& inode, std::uint64_t end) {
  const InodeRecord& record = inode.record;
  const bool is_inline = record.attributes.object == 0;
  Need need{Need::What::other, inode.number};
  if (is_inline) {
    const bool moves = end > session_.terms().inline_max && record.is_number_used;
    if (!moves || inode.next_object != 0) return std::nullopt;
    need.begin = [this, number = inode.number](Done<Nothing> done) {
      number_object(number, std::move(done));
    };
    return need;
  }
  if (record.shared_by == 0) return std::nullopt;
  if (inode.copied && is_of(*inode.copied, record)) {
    if (auto room = want_log_room()) return room;
    take_copy(inode);
    return std::nullopt;
  }
  need.begin = [this, number = inode.number](Done<Nothing> done) {
    copy_object(number, std::move(done));
  };
  return need;
}

void Client::take_copy(Inode& inode) {
  Attributes& attributes = inode.record.attributes;
  attributes.object = inode.copied->to;
  inode.record.shared_by = 0;
  inode.copied.reset();
  log_.append(MoveToChunksOp{inode.number, attributes.object, attributes.group}, {&inode});
  ++attributes.version;
  if (attributes.cut_to == kNoCut) return;
  log_.append(CutDoneOp{inode.number, attributes.cut_to}, {&inode});
  attributes.cut_to = kNoCut;
  ++attributes.version;
}

// ---- numbers ----

void Client::take_object(InodeNumber number, GroupNumber group, Done<ObjectNumber> done) {
  const TakeObject request{session_.number(), number, group, ++attempts_};
  link_.call(request, [done = std::move(done)](const Result<TakeObjectReply>& reply) {
    if (!reply) return done(reply.error());
    done(reply->object);
  });
}

// The first object of a file whose content was in the inode until now.
void Client::number_object(InodeNumber number, Done<Nothing> done) {
  const GroupNumber group = storage_.group_for(number);
  if (group == 0) return done(posix_error(ENOSPC));
  take_object(number, group, [=, this, done = std::move(done)](const Result<ObjectNumber>& object) {
    Inode* inode = cache_.find(number);
    if (object && inode != nullptr) {
      inode->next_object = *object;
      inode->next_group = group;
    }
    after_answer(object ? nullptr : &object.error(), done);
  });
}

// ---- copies ----

void Client::copy_object(InodeNumber number, Done<Nothing> done) {
  Inode* inode = cache_.find(number);
  if (inode == nullptr || !InodeCache::may_write(*inode)) return done(Nothing{});
  const auto under_way = copies_.find(number);
  if (under_way != copies_.end()) return under_way->second->waiting.push_back(std::move(done));
  const Attributes& attributes = inode->record.attributes;
  inode->copied.reset();
  auto copying = std::make_shared<Copying>();
  copying->number = number;
  copying->session = session_.number();
  copying->copied = {inode->record.shared_by, attributes.object, 0, end_of(attributes)};
  copying->from = {session_.terms().volume, session_.terms().epoch, attributes.group,
                   attributes.object};
  copying->waiting.push_back(std::move(done));
  copies_[number] = copying;
  ++inode->pins;
  take_object(number, attributes.group, [this, copying](const Result<ObjectNumber>& object) {
    if (!object) return end_copy(copying, object.error());
    copying->copied.to = *object;
    copying->to = copying->from;
    copying->to.object = *object;
    copy_next(copying);
  });
}

void Client::copy_next(const CopyingHandle& copying) {
  if (copying->offset >= copying->copied.end) return end_copy(copying, Nothing{});
  const std::uint64_t size = std::min(kPieceBytes, copying->copied.end - copying->offset);
  storage_.read(copying->from, copying->offset, static_cast<std::uint32_t>(size),
                [this, copying, size](const Result<std::string_view>& content) {
                  if (!content) return end_copy(copying, content.error());
                  copy_piece(copying, *content, size);
                });
}

void Client::copy_piece(const CopyingHandle& copying, std::string_view content,
                        std::uint64_t size) {
  const std::uint64_t at = copying->offset;
  copying->offset += size;
  if (content.find_first_not_of('\0') == std::string_view::npos) return skip_hole(copying);
  copying->piece = content;
  storage_.write(copying->to, at, copying->piece,
                 [this, copying](const Result<ChangeReply>& written) {
                   if (!written) return end_copy(copying, written.error());
                   copy_next(copying);
                 });
}

// To where there is content again.
void Client::skip_hole(const CopyingHandle& copying) {
  if (copying->offset >= copying->copied.end) return end_copy(copying, Nothing{});
  SeekObject request;
  request.place = copying->from;
  request.offset = copying->offset;
  request.what = SeekFor::data;
  storage_.call(request, [this, copying](const Result<SeekReply>& reply) {
    if (!reply) return end_copy(copying, reply.error());
    copying->offset = std::max(copying->offset, reply->offset);
    copy_next(copying);
  });
}

// Whoever waits looks again: the lease may be gone, or the session.
void Client::end_copy(const CopyingHandle& copying, const Result<Nothing>& result) {
  copies_.erase(copying->number);
  const bool is_ours = copying->session == session_.number() && session_.is_live();
  if (Inode* inode = cache_.find(copying->number)) {
    --inode->pins;
    if (result && is_ours) inode->copied = copying->copied;
  }
  for (const Done<Nothing>& done : std::exchange(copying->waiting, {}))
    after_answer(result || !is_ours ? nullptr : &result.error(), done);
}

}  // namespace dfs::client
