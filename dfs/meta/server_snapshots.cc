// SPDX-License-Identifier: Apache-2.0
// The instant of a snapshot: no client of the volume holds a lease, so none has anything in memory
// that others would have to see, and none may write to an object.
#include <algorithm>

#include "dfs/meta/server_parts.h"

namespace dfs::meta {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr auto kFreezeMax = std::chrono::seconds(15);

}  // namespace

void Server::snapshot(CreateSnapshotCommand command, OnAnswer done) {
  if (!serving_) return done(Error{Code::unavailable, "this server does not lead", "not_primary"});
  if (freeze_)
    return done(
        Error{Code::failed_precondition, "another snapshot is being made", "snapshot_under_way"});
  const VolumeRecord* volume = std::as_const(state_).find_volume(command.volume);
  if (volume == nullptr)
    return done(Error{Code::not_found, "there is no volume of this name", "volume_unknown"});
  freeze_ = Freeze{.volume = volume->volume,
                   .command = std::move(command),
                   .done = std::move(done),
                   .give_up = timers_.clock().now() + kFreezeMax};
  after_event();
}

// What would give a lease waits; what a client needs to give one back does not.
bool Server::is_frozen_for(VolumeNumber volume, MetaKind kind) const {
  const bool gives =
      kind == MetaKind::lookup || kind == MetaKind::get_inode || kind == MetaKind::read_folder;
  return gives && is_frozen(volume);
}

bool Server::holds_leases(VolumeNumber volume) const {
  return std::any_of(state_.sessions().begin(), state_.sessions().end(), [&](const auto& session) {
    return session.second.volume == volume && leases_.held_by(session.first) > 0;
  });
}

void Server::freeze_if_due() {
  if (!freeze_ || freeze_->is_proposed) return;
  // After a change of the primary, clients may hold what this one has not been told yet.
  const bool is_known = !in_grace_;
  if (is_known && !std::exchange(freeze_->is_called_in, true)) {
    for (const auto& [number, session] : state_.sessions())
      if (session.volume == freeze_->volume) leases_.recall_all(number);
  }
  if (!is_known || holds_leases(freeze_->volume)) {
    if (timers_.clock().now() < freeze_->give_up) return;
    return end_freeze(Error{Code::timed_out, "a client does not give its leases back in time",
                            "snapshot_timed_out"});
  }
  freeze_->is_proposed = true;
  propose(encode_command(freeze_->command), [this, reign = reign_](Result<std::string> answer) {
    if (reign == reign_ && freeze_) end_freeze(std::move(answer));
  });
}

void Server::end_freeze(Result<std::string> answer) {
  const OnAnswer done = std::move(freeze_->done);
  freeze_.reset();
  std::vector<WaitHandle> waits;
  for (const auto& [ticket, wait] : waits_) waits.push_back(wait);
  for (const WaitHandle& wait : waits)
    if (waits_.contains(wait->ticket)) attempt(wait);
  auto deferred = std::exchange(deferred_, {});
  for (Deferred& request : deferred)
    dispatch(request.kind, request.body, std::move(request.responder));
  done(std::move(answer));
}

}  // namespace dfs::meta
