// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/file_data.h"

#include <algorithm>
#include <cstring>

namespace dfs::client {

using base::Error;
using base::Result;

namespace {

constexpr std::uint64_t kSectorBytes = 512;

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

ByteRange join(ByteRange a, ByteRange b) {
  if (a.size == 0) return b;
  const std::uint64_t start = std::min(a.offset, b.offset);
  return {start, std::max(a.end(), b.end()) - start};
}

}  // namespace

FileData::FileData(StorageLink& storage, Limits limits, Events events)
    : storage_(storage), limits_(limits), events_(std::move(events)) {}

ObjectPlace FileData::place_of(const Inode& inode) const {
  const Attributes& attributes = inode.record.attributes;
  return {terms_.volume, terms_.epoch, attributes.group, attributes.object};
}

bool FileData::is_flushed(const FileState& state, std::uint64_t generation) {
  return state.dirty.oldest() > generation && state.oldest_flight() > generation;
}

void FileData::account(const FileState& state, std::uint64_t before) {
  dirty_bytes_ += state.dirty.bytes() - before;
}

void FileData::note_change(Inode& inode, TimeNs now) {
  Attributes& attributes = inode.record.attributes;
  attributes.modified = now;
  attributes.changed = now;
  ++attributes.version;
  log_->append_data(inode);
}

Result<void> FileData::write(Inode& inode, std::uint64_t offset, std::string_view data,
                             TimeNs now) {
  Attributes& attributes = inode.record.attributes;
  FileState& state = inode.state();
  const std::uint64_t end = offset + data.size();
  if (attributes.object == 0 && end <= terms_.inline_max) {
    std::string& content = inode.record.content;
    if (content.size() < end) content.resize(end);
    std::memcpy(content.data() + offset, data.data(), data.size());
    state.inline_dirty = join(state.inline_dirty, {offset, data.size()});
    state.is_sized = true;
    attributes.allocated = round_up(content.size(), kSectorBytes);
  } else {
    if (attributes.object == 0) TRY(move_to_chunks(inode));
    const std::uint64_t before = state.dirty.bytes();
    state.dirty.write(offset, data, state.generation);
    account(state, before);
    dirty_files_[inode.number] = &inode;
    if (end > attributes.size) state.is_sized = true;
    attributes.allocated = std::min(attributes.allocated + data.size(),
                                    round_up(std::max(end, attributes.size), kBlockBytes));
  }
  attributes.size = std::max(attributes.size, end);
  note_change(inode, now);
  if (attributes.object == 0) return {};
  // Whole extents go at once, so that a long write is a pipeline.
  const std::uint64_t last_window = (end - 1) / kExtentMax * kExtentMax;
  const bool fills_one = end % kExtentMax == 0 || last_window > offset;
  if (fills_one) {
    state.cursor = std::min(state.cursor, offset / kExtentMax * kExtentMax);
    pump(inode);
  }
  if (is_full()) relieve();
  return {};
}

Result<void> FileData::grow(Inode& inode, std::uint64_t size, TimeNs now) {
  Attributes& attributes = inode.record.attributes;
  if (attributes.object == 0 && size > terms_.inline_max) TRY(move_to_chunks(inode));
  attributes.size = std::max(attributes.size, size);
  inode.state().is_sized = true;
  if (attributes.object == 0) {
    inode.record.content.resize(attributes.size);
    inode.state().inline_dirty = join(inode.state().inline_dirty, {0, attributes.size});
  }
  note_change(inode, now);
  return {};
}

Result<void> FileData::move_to_chunks(Inode& inode) {
  Attributes& attributes = inode.record.attributes;
  const bool is_given = inode.next_object != 0;
  attributes.group = is_given ? inode.next_group : storage_.group_for(inode.number);
  if (attributes.group == 0) return posix_error(ENOSPC);
  attributes.object = is_given ? std::exchange(inode.next_object, 0) : inode.number;
  FileState& state = inode.state();
  state.must_move = true;
  state.is_sized = true;
  state.inline_dirty = {};
  const std::uint64_t before = state.dirty.bytes();
  state.dirty.write(0, inode.record.content, state.generation);
  account(state, before);
  dirty_files_[inode.number] = &inode;
  inode.record.content.clear();
  inode.record.content.shrink_to_fit();
  return {};
}

void FileData::punch(Inode& inode, ByteRange range, TimeNs now) {
  Attributes& attributes = inode.record.attributes;
  FileState& state = inode.state();
  range.size = std::min(range.end(), attributes.size) - std::min(range.offset, attributes.size);
  if (range.size == 0) return;
  if (attributes.object == 0) {
    std::string& content = inode.record.content;
    if (range.offset < content.size())
      std::memset(content.data() + range.offset, 0,
                  std::min(range.size, content.size() - range.offset));
    state.inline_dirty = join(state.inline_dirty, {0, static_cast<std::uint64_t>(content.size())});
    state.is_sized = true;
  } else {
    const std::uint64_t before = state.dirty.bytes();
    state.dirty.punch(range, state.generation);
    account(state, before);
    dirty_files_[inode.number] = &inode;
    attributes.allocated -= std::min(attributes.allocated, range.size / kBlockBytes * kBlockBytes);
  }
  note_change(inode, now);
}

bool FileData::needs_settling(const Inode& inode) {
  const Attributes& attributes = inode.record.attributes;
  return attributes.cut_to != kNoCut && attributes.size > attributes.cut_to;
}

void FileData::cut(Inode& inode, std::uint64_t size, TimeNs now) {
  Attributes& attributes = inode.record.attributes;
  if (attributes.object == 0) {
    if (inode.record.content.size() > size) inode.record.content.resize(size);
    attributes.allocated = round_up(inode.record.content.size(), kSectorBytes);
  } else {
    FileState& state = inode.state();
    const std::uint64_t before = state.dirty.bytes();
    state.dirty.cut(size);
    account(state, before);
    attributes.cut_to = std::min(attributes.cut_to, size);
    attributes.allocated = std::min(attributes.allocated, round_up(size, kBlockBytes));
  }
  attributes.size = size;
  attributes.modified = now;
  attributes.changed = now;
  ++attributes.version;
  if (inode.file) check_barriers(inode);
}

void FileData::cut_logged(Inode& inode, Position position) {
  if (inode.record.attributes.object == 0) return;
  inode.state().cut_after = position;
  inode.state().is_cut_asked = false;
  log_->when_durable(position, [this, number = inode.number, &inode](const Result<Nothing>& done) {
    // The inode is pinned by the pending operation until now.
    if (done && inode.number == number) maybe_cut(inode);
  });
}

void FileData::maybe_cut(Inode& inode) {
  FileState& state = inode.state();
  Attributes& attributes = inode.record.attributes;
  if (attributes.cut_to == kNoCut || state.is_cutting || is_dead(inode)) return;
  // Nothing of ours comes on top of it: whoever has the file open makes it.
  if (is_left(inode) && inode.pending == 0) return;
  if (log_->durable() < state.cut_after) {
    // Somebody writes behind it already; its when_durable() comes back here.
    if (!state.dirty.empty() && !std::exchange(state.is_cut_asked, true))
      log_->flush(state.cut_after, [](const Result<Nothing>&) {});
    return;
  }
  for (const auto& [offset, flight] : state.flights)
    if (offset + flight.extent.length > attributes.cut_to) return;  // its end comes back here
  state.is_cutting = true;
  CutObject request;
  request.place = place_of(inode);
  request.size = attributes.cut_to;
  storage_.call(request,
                [this, &inode, size = attributes.cut_to](const Result<ChangeReply>& reply) {
                  FileState& own = inode.state();
                  own.is_cutting = false;
                  if (!reply) {
                    events_.session_error(reply.error());
                    if (!own.dirty.empty()) events_.lost(inode, reply.error());
                  } else if (inode.record.attributes.cut_to == size) {
                    inode.record.attributes.cut_to = kNoCut;
                    own.cut_done = size;
                    own.is_sized = true;
                    if (!is_left(inode)) log_->append_data(inode);
                  }
                  own.is_blocked = true;
                  own.cursor = 0;
                  maybe_cut(inode);
                  pump(inode);
                  check_barriers(inode);
                  log_->pump();
                });
}

void FileData::seal(DataEntry& entry) {
  Inode& inode = *entry.inode;
  FileState& state = inode.state();
  entry.attributes = inode.record.attributes;
  entry.cut_after = state.cut_after;
  entry.is_inline = entry.attributes.object == 0;
  if (entry.is_inline) {
    const ByteRange dirty = state.inline_dirty;
    const std::string& content = inode.record.content;
    entry.offset = std::min<std::uint64_t>(dirty.offset, content.size());
    entry.content = content.substr(entry.offset, dirty.size);
    state.inline_dirty = {};
  } else {
    entry.generation = state.generation++;
  }
  state.is_sized = false;
}

bool FileData::is_prepared(DataEntry& entry) {
  Inode& inode = *entry.inode;
  if (entry.is_inline || is_dead(inode)) return true;
  FileState& state = inode.state();
  // The growth behind a cut comes after that cut. A later one is not waited for: it waits for this.
  if (entry.attributes.cut_to != kNoCut && entry.attributes.size > entry.attributes.cut_to &&
      inode.record.attributes.cut_to != kNoCut && state.cut_after == entry.cut_after) {
    want(inode, entry.generation);
    maybe_cut(inode);
    return false;
  }
  if (is_flushed(state, entry.generation)) return true;
  want(inode, entry.generation);
  return is_flushed(state, entry.generation);
}

void FileData::make(DataEntry& entry, std::vector<MetaOp>& out) {
  Inode& inode = *entry.inode;
  const Attributes& sealed = entry.attributes;
  if (is_dead(inode)) return;
  if (entry.is_inline && !entry.content.empty()) {
    WriteInlineOp op;
    op.inode = inode.number;
    op.offset = entry.offset;
    op.data = std::move(entry.content);
    op.time = sealed.modified;
    out.emplace_back(std::move(op));
    return;
  }
  SetAttributesOp op;
  op.inode = inode.number;
  op.modified = sealed.modified;
  op.changed = sealed.changed;
  if (!entry.is_inline) {
    FileState& state = inode.state();
    if (std::exchange(state.must_move, false))
      out.emplace_back(MoveToChunksOp{inode.number, sealed.object, sealed.group});
    const std::uint64_t cut = std::exchange(state.cut_done, kNoCut);
    if (cut != kNoCut) out.emplace_back(CutDoneOp{inode.number, cut});
    op.size = sealed.size;
    op.allocated = sealed.allocated;
  }
  out.emplace_back(op);
}

void FileData::want(Inode& inode, std::uint64_t generation) {
  FileState& state = inode.state();
  if (state.wanted < generation) {
    state.wanted = generation;
    state.cursor = 0;
  }
  pump(inode);
}

void FileData::pump(Inode& inode) {
  FileState& state = inode.state();
  // Sending may ask the log to hurry, which may want more of this file.
  state.pump_again = true;
  if (state.is_pumping) return;
  state.is_pumping = true;
  while (std::exchange(state.pump_again, false)) send_wanted(inode);
  state.is_pumping = false;
}

void FileData::send_wanted(Inode& inode) {
  FileState& state = inode.state();
  auto at = state.dirty.map().lower_bound(state.cursor);
  while (at != state.dirty.map().end()) {
    const auto next = std::next(at);
    const Extent& extent = at->second;
    if (extent.generation > state.wanted && extent.bytes.size() < kExtentMax) {
      at = next;
      continue;
    }
    if (flight_bytes_ >= limits_.flight_max || requests_ >= limits_.requests_max) {
      state.cursor = at->first;
      if (!std::exchange(state.is_queued, true)) queue_.push_back(&inode);
      return;
    }
    const std::uint64_t behind = next == state.dirty.map().end() ? UINT64_MAX : next->first;
    if (!send_next(inode, at)) state.is_blocked = true;
    at = state.dirty.map().lower_bound(behind);
  }
  state.cursor = UINT64_MAX;
}

bool FileData::send_next(Inode& inode, Extents::Map::const_iterator at) {
  FileState& state = inode.state();
  const std::uint64_t offset = at->first;
  const ByteRange range{offset, at->second.length};
  if (range.end() > inode.record.attributes.cut_to || state.is_cutting) {
    maybe_cut(inode);
    return false;
  }
  for (const auto& [start, flight] : state.flights)
    if (range.overlaps({start, flight.extent.length})) return false;
  const std::uint64_t before = state.dirty.bytes();
  Flight& flight = state.flights[offset];
  flight.extent = state.dirty.take(at);
  account(state, before);
  flight_bytes_ += flight.extent.bytes.size();
  ++requests_;
  const auto sent = [this, &inode, offset](const Result<ChangeReply>& reply) {
    on_sent(inode, offset, reply);
  };
  if (flight.extent.is_hole()) {
    PunchObject request;
    request.place = place_of(inode);
    request.offset = offset;
    request.size = flight.extent.length;
    storage_.call(request, sent);
  } else {
    storage_.write(place_of(inode), offset, flight.extent.bytes, sent);
  }
  return true;
}

void FileData::on_sent(Inode& inode, std::uint64_t offset, const Result<ChangeReply>& reply) {
  FileState& state = inode.state();
  const auto flight = state.flights.find(offset);
  flight_bytes_ -= flight->second.extent.bytes.size();
  --requests_;
  state.flights.erase(flight);
  if (!reply) {
    events_.session_error(reply.error());
    events_.lost(inode, reply.error());
  }
  if (std::exchange(state.is_blocked, false)) state.cursor = 0;
  if (inode.record.attributes.cut_to != kNoCut && !state.is_cutting) maybe_cut(inode);
  pump(inode);
  pump_queue();
  check_barriers(inode);
  if (state.dirty.empty() && state.flights.empty()) dirty_files_.erase(inode.number);
  log_->pump();
  if (!is_full()) events_.room();
}

void FileData::pump_queue() {
  for (std::size_t rounds = queue_.size(); rounds > 0 && !queue_.empty(); --rounds) {
    if (flight_bytes_ >= limits_.flight_max || requests_ >= limits_.requests_max) return;
    Inode* inode = queue_.front();
    queue_.pop_front();
    inode->state().is_queued = false;
    pump(*inode);
  }
}

void FileData::relieve() {
  std::vector<Inode*> files;
  for (const auto& [number, inode] : dirty_files_) files.push_back(inode);
  for (Inode* inode : files) {
    FileState& state = inode->state();
    if (!state.dirty.empty() && state.wanted < state.dirty.oldest())
      want(*inode, state.generation++);
  }
}

void FileData::check_barriers(Inode& inode) {
  FileState& state = inode.state();
  if (state.barriers.empty()) return;
  const std::uint64_t oldest = std::min(state.dirty.oldest(), state.oldest_flight());
  std::vector<Done<Nothing>> done;
  auto& barriers = state.barriers;
  for (auto at = barriers.begin(); at != barriers.end();) {
    if (at->first < oldest) {
      done.push_back(std::move(at->second));
      at = barriers.erase(at);
    } else {
      ++at;
    }
  }
  for (const Done<Nothing>& call : done) call(Nothing{});
}

void FileData::flush(Inode& inode, Done<Nothing> done) {
  if (!inode.file || (inode.file->dirty.empty() && inode.file->flights.empty()))
    return done(Nothing{});
  FileState& state = *inode.file;
  const std::uint64_t generation = state.generation++;
  state.barriers.emplace_back(generation, std::move(done));
  want(inode, generation);
  check_barriers(inode);
}

void FileData::discard(Inode& inode) {
  if (!inode.file) return;
  FileState& state = *inode.file;
  const std::uint64_t before = state.dirty.bytes();
  state.dirty.cut(0);
  account(state, before);
  if (state.flights.empty()) dirty_files_.erase(inode.number);
  check_barriers(inode);
}

}  // namespace dfs::client
