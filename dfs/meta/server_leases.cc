// SPDX-License-Identifier: Apache-2.0
// Requests that wait until leases of others are out of their way.
#include <algorithm>
#include <cerrno>

#include "dfs/meta/server_parts.h"

namespace dfs::meta {
namespace {

using base::Code;
using base::Result;

constexpr std::uint32_t kReadFolderEntries = 1000;

}  // namespace

VolumeNumber Server::volume_of(SessionNumber session) const {
  const auto at = state_.sessions().find(session);
  return at == state_.sessions().end() ? 0 : at->second.volume;
}

// Everything that the batch changes and that exists by now: its own new inodes are nobody else's.
std::vector<LeaseClaim> Server::batch_needs(const Apply& batch) const {
  std::vector<LeaseClaim> needs;
  const VolumeNumber volume = volume_of(batch.session);
  // A session that has the volume to itself waits for nobody. One that is opened later comes behind
  // this batch in the log.
  const bool is_alone =
      opening_ == 0 &&
      std::none_of(state_.sessions().begin(), state_.sessions().end(), [&](const auto& other) {
        return other.first != batch.session && other.second.volume == volume;
      });
  if (is_alone) return needs;
  const auto need = [&](InodeNumber inode) {
    if (state_.inode_exists(inode)) needs.push_back({inode, Lease::write});
  };
  const auto need_named = [&](InodeNumber folder, const std::string& name) {
    need(folder);
    if (const auto dentry = state_.find_dentry(folder, name)) need(dentry->inode);
  };
  for (const MetaOp& operation : batch.operations) {
    std::visit(
        [&](const auto& op) {
          using Op = std::decay_t<decltype(op)>;
          if constexpr (std::is_same_v<Op, RenameOp>) {
            need_named(op.from_folder, op.from);
            need_named(op.to_folder, op.to);
          } else if constexpr (std::is_same_v<Op, RemoveOp>) {
            need_named(op.folder, op.name);
          } else if constexpr (std::is_same_v<Op, CreateOp>) {
            if (!op.name.empty()) need(op.folder);
          } else if constexpr (std::is_same_v<Op, LinkOp>) {
            need(op.folder);
            need(op.inode);
          } else if constexpr (!std::is_same_v<Op, HoldOp> && !std::is_same_v<Op, DropOp>) {
            need(op.inode);
          }
        },
        operation);
  }
  std::sort(needs.begin(), needs.end(),
            [](const LeaseClaim& a, const LeaseClaim& b) { return a.inode < b.inode; });
  needs.erase(
      std::unique(needs.begin(), needs.end(),
                  [](const LeaseClaim& a, const LeaseClaim& b) { return a.inode == b.inode; }),
      needs.end());
  return needs;
}

void Server::begin(WaitHandle wait) {
  if (waits_.size() >= options_.requests_max)
    return wait->responder.fail(
        {Code::throttled, "too many requests wait", "too_many_requests", EAGAIN});
  wait->ticket = next_ticket_++;
  waits_.emplace(wait->ticket, wait);
  attempt(wait);
}

void Server::attempt(const WaitHandle& wait) {
  // It might get a lease; end_freeze() tries it again.
  if (!wait->pins && is_frozen(volume_of(wait->session))) return;
  const std::vector<LeaseClaim> needs = wait->needs();
  bool is_free = true;
  for (const LeaseClaim& need : needs) {
    if (leases_.is_free(need.inode, wait->session, need.lease, wait->ticket)) continue;
    is_free = false;
    leases_.recall_for(need.inode, wait->session, need.lease);
  }
  if (!is_free) {
    wait->is_registered = true;
    return leases_.wait(wait->ticket, wait->session, needs);
  }
  const WaitHandle kept = wait;  // finish() takes it off the map it may live in
  finish(kept);
  if (kept->pins) {
    kept->pinned = needs;
    for (const LeaseClaim& need : needs) leases_.pin(need.inode, kept->session);
  }
  kept->go(kept);
}

void Server::finish(const WaitHandle& wait) {
  if (wait->is_registered) leases_.stop_waiting(wait->ticket);
  waits_.erase(wait->ticket);
}

void Server::unpin(const WaitHandle& wait) {
  for (const LeaseClaim& pinned : wait->pinned) leases_.unpin(pinned.inode, wait->session);
  wait->pinned.clear();
}

// ---- reads ----

void Server::handle(const Lookup& request, std::string_view, Responder responder) {
  if (is_of_snapshot(request.session)) {
    Result<std::optional<InodeRecord>> found =
        state_.lookup(volume_of(request.session), request.folder, request.name);
    if (!found) return responder.fail(found.error());
    return responder.answer(encode(LookupReply{*std::move(found), Lease::read, Lease::read}));
  }
  auto wait = std::make_shared<Wait>(std::move(responder));
  wait->session = request.session;
  wait->needs = [this, request] {
    std::vector<LeaseClaim> needs{{request.folder, Lease::read}};
    if (const auto dentry = state_.find_dentry(request.folder, request.name))
      needs.push_back({dentry->inode, Lease::read});
    return needs;
  };
  wait->go = [this, request](const WaitHandle& self) {
    Result<std::optional<InodeRecord>> found =
        state_.lookup(volume_of(request.session), request.folder, request.name);
    if (!found) return self->responder.fail(found.error());
    LookupReply reply;
    reply.found = *std::move(found);
    reply.folder = leases_.grant(request.folder, request.session, request.want_folder);
    if (reply.found) {
      const InodeNumber inode = reply.found->attributes.inode;
      reply.inode = leases_.grant(inode, request.session, request.want_inode);
      reply.found->is_open_elsewhere = state_.is_held_elsewhere(inode, request.session);
    }
    self->responder.answer(encode(reply));
  };
  begin(std::move(wait));
}

void Server::handle(const GetInode& request, std::string_view, Responder responder) {
  if (is_of_snapshot(request.session)) {
    Result<InodeRecord> found = state_.get_inode(volume_of(request.session), request.inode);
    if (!found) return responder.fail(found.error());
    return responder.answer(encode(GetInodeReply{*std::move(found), Lease::read}));
  }
  auto wait = std::make_shared<Wait>(std::move(responder));
  wait->session = request.session;
  // Whoever asks for the write lease here is about to change the inode: others give theirs back.
  wait->needs = [request] {
    return std::vector<LeaseClaim>{{request.inode, std::max(Lease::read, request.want)}};
  };
  wait->go = [this, request](const WaitHandle& self) {
    Result<InodeRecord> found = state_.get_inode(volume_of(request.session), request.inode);
    if (!found) return self->responder.fail(found.error());
    GetInodeReply reply;
    reply.inode = *std::move(found);
    reply.inode.is_open_elsewhere = state_.is_held_elsewhere(request.inode, request.session);
    reply.lease = leases_.grant(request.inode, request.session, request.want);
    self->responder.answer(encode(reply));
  };
  begin(std::move(wait));
}

void Server::handle(const ReadFolder& request, std::string_view, Responder responder) {
  const std::uint32_t entries_max =
      std::clamp<std::uint32_t>(request.entries_max, 1, kReadFolderEntries);
  if (is_of_snapshot(request.session)) {
    Result<ReadFolderReply> reply =
        state_.read_folder(volume_of(request.session), request.folder, request.after, entries_max);
    if (!reply) return responder.fail(reply.error());
    reply->folder = Lease::read;
    for (FolderEntry& entry : reply->entries) entry.lease = Lease::read;
    return responder.answer(encode(*reply));
  }
  auto wait = std::make_shared<Wait>(std::move(responder));
  wait->session = request.session;
  wait->needs = [this, request, entries_max] {
    std::vector<LeaseClaim> needs{{request.folder, Lease::read}};
    const auto reply =
        state_.read_folder(volume_of(request.session), request.folder, request.after, entries_max);
    if (reply) {
      for (const FolderEntry& entry : reply->entries)
        needs.push_back({entry.attributes.inode, Lease::read});
    }
    return needs;
  };
  wait->go = [this, request, entries_max](const WaitHandle& self) {
    Result<ReadFolderReply> reply =
        state_.read_folder(volume_of(request.session), request.folder, request.after, entries_max);
    if (!reply) return self->responder.fail(reply.error());
    reply->folder = leases_.grant(request.folder, request.session, request.want_folder);
    for (FolderEntry& entry : reply->entries)
      entry.lease = leases_.grant(entry.attributes.inode, request.session, request.want_inodes);
    self->responder.answer(encode(*reply));
  };
  begin(std::move(wait));
}

}  // namespace dfs::meta
