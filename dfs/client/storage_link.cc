// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/storage_link.h"

#include <algorithm>

#include "common/base/crc32c.h"

namespace dfs::client {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr base::Duration kStorageAttempt = std::chrono::minutes(10);
constexpr base::Duration kLearnEvery = std::chrono::seconds(1);
constexpr base::Duration kAgain = std::chrono::milliseconds(20);
// An answer that is later than this makes us ask whether the group has moved.
constexpr base::Duration kSlow = std::chrono::milliseconds(300);

}  // namespace

std::vector<std::uint32_t> block_checksums(std::string_view data, std::uint64_t offset) {
  std::vector<std::uint32_t> sums;
  sums.reserve(data.size() / kBlockBytes + 2);
  while (!data.empty()) {
    const std::size_t part =
        std::min<std::uint64_t>(data.size(), kBlockBytes - offset % kBlockBytes);
    sums.push_back(base::crc32c(data.substr(0, part)));
    data.remove_prefix(part);
    offset += part;
  }
  return sums;
}

StorageLink::StorageLink(base::Net& net, base::Timers& timers, MetaLink& meta)
    : net_(net), timers_(timers), meta_(meta) {}
StorageLink::~StorageLink() { *alive_ = false; }

void StorageLink::set_groups(const std::vector<GroupPlace>& groups) {
  for (const GroupPlace& place : groups) {
    const auto known = groups_.find(place.group);
    if (known != groups_.end() && known->second.epoch > place.epoch) continue;
    groups_[place.group] = place;
    for (const NodeAddress& member : place.members)
      if (member.node == place.primary) primaries_[place.group] = {member.host, member.port};
  }
  // What waits for an answer from a server that leads no more goes to the one that does.
  for (auto& [number, call] : calls_) {
    const base::Endpoint* primary = primary_of(call.group);
    if (primary != nullptr && !call.sent_to.host.empty() && call.sent_to != *primary)
      call.sent_to = {};
  }
  send_all();
}

bool StorageLink::should_learn() const {
  return groups_.empty() && timers_.clock().now() - learned_ > kLearnEvery;
}

void StorageLink::learn(Done<Nothing> done) {
  meta_.call(Groups{},
             [this, alive = alive_, done = std::move(done)](const Result<GroupsReply>& reply) {
               if (!*alive) return;
               if (!reply) return done(reply.error());
               learned_ = timers_.clock().now();
               set_groups(reply->groups);
               done(Nothing{});
             });
}

GroupNumber StorageLink::group_for(ObjectNumber object) const {
  if (groups_.empty()) return 0;
  // Neighbouring numbers go to different groups, all groups get the same share.
  const std::uint64_t hash = (object * 0x9E3779B97F4A7C15ULL) >> 32;
  auto place = groups_.begin();
  std::advance(place, static_cast<std::ptrdiff_t>(hash % groups_.size()));
  return place->first;
}

const base::Endpoint* StorageLink::primary_of(GroupNumber group) const {
  const auto found = primaries_.find(group);
  return found == primaries_.end() ? nullptr : &found->second;
}

void StorageLink::write(const ObjectPlace& place, std::uint64_t offset, std::string_view data,
                        Done<ChangeReply> done) {
  WriteObject request;
  request.place = place;
  request.offset = offset;
  request.checksums = block_checksums(data, offset);
  start(static_cast<std::uint8_t>(WriteObject::kKind), place.group, encode(request), data,
        [done = std::move(done)](Result<Answer> answer) {
          if (!answer) return done(answer.error());
          done(decode<ChangeReply>(answer->body));
        });
}

void StorageLink::read(const ObjectPlace& place, std::uint64_t offset, std::uint32_t size,
                       Done<std::string_view> done) {
  ReadObject request;
  request.place = place;
  request.offset = offset;
  request.size = size;
  start(
      static_cast<std::uint8_t>(ReadObject::kKind), place.group, encode(request), {},
      [offset, size, done = std::move(done)](Result<Answer> answer) {
        if (!answer) return done(answer.error());
        const Result<ReadReply> reply = decode<ReadReply>(answer->body);
        if (!reply) return done(reply.error());
        if (answer->data.size() > size || reply->checksums != block_checksums(answer->data, offset))
          return done(Error{Code::corrupt, "content arrived damaged", "block_corrupt", EIO});
        done(answer->data);
      });
}

void StorageLink::start(std::uint8_t kind, GroupNumber group, std::string body,
                        std::string_view data, OnAnswer answered) {
  const std::uint64_t number = next_++;
  Call& call = calls_[number];
  call.kind = kind;
  call.group = group;
  call.body = std::move(body);
  call.data = data;
  call.answered = std::move(answered);
  send(number, call);
}

void StorageLink::resume() {
  if (std::exchange(is_held_, false)) send_all();
}

void StorageLink::send(std::uint64_t number, Call& call) {
  if (is_held_) return;
  const base::Endpoint* primary = primary_of(call.group);
  if (primary == nullptr) return ask_where();
  std::unique_ptr<RpcClient>& client = clients_[*primary];
  if (!client) client = std::make_unique<RpcClient>(net_, timers_, *primary);
  call.sent_to = *primary;
  call.sent_at = timers_.clock().now();
  const std::uint64_t attempt = ++call.attempt;
  client->call(call.kind, call.body, call.data, kStorageAttempt,
               [this, number, attempt, alive = alive_](Result<Answer> answer) {
                 if (*alive) on_answer(number, attempt, std::move(answer));
               });
  watch_slow();
}

void StorageLink::send_all() {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, call] : calls_)
    if (call.sent_to.host.empty()) numbers.push_back(number);
  for (const std::uint64_t number : numbers) {
    const auto found = calls_.find(number);
    if (found != calls_.end()) send(number, found->second);
  }
}

void StorageLink::on_answer(std::uint64_t number, std::uint64_t attempt, Result<Answer> answer) {
  const auto found = calls_.find(number);
  if (found == calls_.end() || found->second.attempt != attempt) return;
  if (answer || !is_passing(answer.error())) return finish(number, std::move(answer));
  found->second.sent_to = {};
  ask_where();
}

void StorageLink::finish(std::uint64_t number, Result<Answer> answer) {
  const OnAnswer answered = std::move(calls_.at(number).answered);
  calls_.erase(number);
  answered(std::move(answer));
}

void StorageLink::ask_where() {
  if (is_asking_ || again_timer_) return;
  is_asking_ = true;
  meta_.call(Groups{}, [this, alive = alive_](const Result<GroupsReply>& reply) {
    if (!*alive) return;
    is_asking_ = false;
    // Soon again when it did not help: the servers may be in the middle of it.
    again_timer_ = timers_.after(kAgain, [this] {
      const base::TimerHandle fired = std::move(again_timer_);
      send_all();
    });
    if (reply) set_groups(reply->groups);
  });
}

void StorageLink::watch_slow() {
  if (slow_timer_ || calls_.empty()) return;
  slow_timer_ = timers_.after(kSlow, [this] {
    const base::TimerHandle fired = std::move(slow_timer_);
    const base::Instant now = timers_.clock().now();
    const bool is_slow = std::any_of(calls_.begin(), calls_.end(), [now](const auto& entry) {
      return now - entry.second.sent_at > kSlow;
    });
    if (is_slow) ask_where();
    watch_slow();
  });
}

void StorageLink::fail_all(const Error& error) {
  const auto alive = alive_;
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, call] : calls_) numbers.push_back(number);
  for (const std::uint64_t number : numbers) {
    if (!*alive) return;
    if (calls_.contains(number)) finish(number, error);
  }
}

}  // namespace dfs::client
