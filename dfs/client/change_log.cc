// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/change_log.h"

#include <algorithm>

namespace dfs::client {

using base::Error;
using base::Result;

namespace {

constexpr std::size_t kBatchOperations = 8'000;
constexpr std::size_t kBatchBytes = std::size_t{3} << 20;
constexpr std::uint32_t kOpBytes = 128;  // of one without its texts

std::uint32_t weight(const MetaOp& op) {
  std::size_t bytes = kOpBytes;
  if (const auto* create = std::get_if<CreateOp>(&op)) {
    bytes += create->target.size();
    for (const Xattr& xattr : create->xattrs) bytes += xattr.value.size();
  } else if (const auto* xattr = std::get_if<SetXattrOp>(&op)) {
    bytes += xattr->value.size();
  }
  return static_cast<std::uint32_t>(bytes);
}

template <class T>
void merge_field(std::optional<T>& into, const std::optional<T>& from) {
  if (from) into = from;
}

}  // namespace

ChangeLog::ChangeLog(MetaLink& link, base::Timers& timers, Files& files, Limits limits,
                     Events events)
    : link_(link), timers_(timers), files_(files), limits_(limits), events_(std::move(events)) {}

Position ChangeLog::append(MetaOp op, std::initializer_list<Inode*> touched) {
  for (Inode* inode : touched) seal(*inode);
  if (merge(op, *touched.begin())) return last();
  Entry entry;
  entry.bytes = weight(op);
  entry.op = std::move(op);
  std::copy(touched.begin(), touched.end(), entry.touched.begin());
  return add(std::move(entry));
}

// Two changes of one inode's attributes in a row are one; not when a size is in them, which may be
// the second of two cuts.
bool ChangeLog::merge(const MetaOp& op, Inode* inode) {
  const auto* next = std::get_if<SetAttributesOp>(&op);
  if (next == nullptr || next->size || entries_.empty() || entries_.back().data) return false;
  auto* before = std::get_if<SetAttributesOp>(&entries_.back().op);
  if (before == nullptr || before->inode != inode->number || before->size) return false;
  merge_field(before->mode, next->mode);
  merge_field(before->uid, next->uid);
  merge_field(before->gid, next->gid);
  merge_field(before->accessed, next->accessed);
  merge_field(before->modified, next->modified);
  merge_field(before->changed, next->changed);
  return true;
}

Position ChangeLog::append_data(Inode& inode) {
  if (inode.data_position != 0) return inode.data_position;
  Entry entry;
  entry.bytes = kOpBytes;
  entry.data.emplace().inode = &inode;
  entry.touched[0] = &inode;
  inode.data_position = add(std::move(entry));
  return inode.data_position;
}

Position ChangeLog::add(Entry entry) {
  bytes_ += entry.bytes;
  entries_.push_back(std::move(entry));
  const Position position = last();
  for (Inode* inode : entries_.back().touched) {
    if (inode == nullptr) continue;
    inode->last_position = position;
    ++inode->pending;
  }
  // Never from within: the caller has not noted the position yet, and what is sent is gone.
  const bool is_early = entries_.size() >= limits_.entries_early;
  if (!timer_ || (is_early && !is_early_)) {
    is_early_ = is_early;
    timer_ = timers_.after(is_early ? base::Duration(0) : limits_.delay, [this] {
      const base::TimerHandle fired = std::move(timer_);
      is_early_ = false;
      demand(last());
    });
  }
  return position;
}

DataEntry* ChangeLog::open_entry(Inode& inode) {
  return inode.data_position == 0 ? nullptr : &*at(inode.data_position).data;
}

void ChangeLog::seal(Inode& inode) {
  if (inode.data_position == 0) return;
  Entry& entry = at(inode.data_position);
  inode.data_position = 0;
  files_.seal(*entry.data);
  entry.data->is_sealed = true;
  const auto bytes = static_cast<std::uint32_t>(entry.data->content.size());
  entry.bytes += bytes;
  bytes_ += bytes;
}

void ChangeLog::flush(Position position, Done<Nothing> done) {
  if (position <= durable_) return done(Nothing{});
  waiting_.emplace(position, std::move(done));
  demand(position);
}

void ChangeLog::when_durable(Position position, Done<Nothing> done) {
  if (position <= durable_) return done(Nothing{});
  waiting_.emplace(position, std::move(done));
}

void ChangeLog::demand(Position position) {
  demand_ = std::max(demand_, std::min(position, last()));
  // All files that are in it bring their content to the storage servers at the same time.
  // Preparing one may demand more.
  prepared_ = std::max(prepared_, first_ - 1);
  while (prepared_ < demand_) {
    Entry& entry = at(++prepared_);
    if (!entry.data) continue;
    if (!entry.data->is_sealed) seal(*entry.data->inode);
    static_cast<void>(files_.is_prepared(*entry.data));
  }
  pump();
}

void ChangeLog::pump() {
  if (is_pumping_ || !sent_.empty() || demand_ < first_) return;
  is_pumping_ = true;
  std::vector<MetaOp> operations;
  std::vector<Inode*> owners;
  std::size_t bytes = 0;
  while (!entries_.empty() && operations.size() < kBatchOperations && bytes < kBatchBytes) {
    Entry& entry = entries_.front();
    if (entry.data) {
      // What nobody asked for yet goes along only when that is free.
      if (!entry.data->is_sealed) {
        const bool is_cheap = !entry.data->inode->record.attributes.object;
        if (first_ > demand_ && !is_cheap) break;
        seal(*entry.data->inode);
      }
      if (!entry.data->is_unordered && !files_.is_prepared(*entry.data)) break;
      files_.make(*entry.data, operations);
    } else {
      operations.push_back(std::move(entry.op));
    }
    owners.resize(operations.size(), entry.touched[0]);
    bytes += entry.bytes;
    sent_.push_back(std::move(entry));
    entries_.pop_front();
    ++first_;
  }
  is_pumping_ = false;
  if (sent_.empty()) return;
  if (operations.empty()) return retire();
  send(std::move(operations), std::move(owners));
}

void ChangeLog::send(std::vector<MetaOp> operations, std::vector<Inode*> owners) {
  Apply request;
  request.session = events_.session();
  request.sequence = sequence_++;
  request.operations = std::move(operations);
  // Encoded by call(), so that the operations can be kept for their results.
  auto kept = std::make_shared<std::vector<MetaOp>>();
  const auto answered = [this, kept, owners = std::move(owners)](const Result<ApplyReply>& reply) {
    on_applied(reply, *kept, owners);
  };
  Done<ApplyReply> done = answered;
  const Apply& sent = request;
  link_.call(sent, std::move(done));
  *kept = std::move(request.operations);
}

void ChangeLog::on_applied(const Result<ApplyReply>& reply, const std::vector<MetaOp>& operations,
                           const std::vector<Inode*>& owners) {
  if (!reply) return events_.failed(reply.error());
  for (std::size_t i = 0; i < operations.size() && i < reply->results.size(); ++i) {
    const int number = static_cast<int>(reply->results[i].os_errno);
    if (number != 0) events_.refused(*owners[i], operations[i], number);
  }
  retire();
}

void ChangeLog::release(Entry& entry) {
  bytes_ -= entry.bytes;
  for (Inode* inode : entry.touched)
    if (inode != nullptr) --inode->pending;
}

void ChangeLog::retire() {
  for (Entry& entry : sent_) release(entry);
  sent_.clear();
  durable_ = first_ - 1;
  std::vector<Done<Nothing>> done;
  const auto end = waiting_.upper_bound(durable_);
  for (auto at = waiting_.begin(); at != end; ++at) done.push_back(std::move(at->second));
  waiting_.erase(waiting_.begin(), end);
  for (const Done<Nothing>& call : done) call(Nothing{});
  events_.advanced();
  pump();
}

void ChangeLog::fail_all(const Error& error) {
  for (Entry& entry : sent_) release(entry);
  sent_.clear();
  for (Entry& entry : entries_) {
    if (entry.data && !entry.data->is_sealed) entry.data->inode->data_position = 0;
    release(entry);
  }
  first_ += entries_.size();
  entries_.clear();
  durable_ = first_ - 1;
  const auto waiting = std::exchange(waiting_, {});
  for (const auto& [position, done] : waiting) done(error);
  events_.advanced();
}

}  // namespace dfs::client
