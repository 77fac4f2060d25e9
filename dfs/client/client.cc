// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/client.h"

#include <algorithm>

#include "common/base/log.h"
#include "dfs/client/client_run.h"

namespace dfs::client {

using base::Error;
using base::Result;

Client::Client(base::Net& net, base::Timers& timers, base::Rng& rng, Kernel& kernel,
               Options options)
    : timers_(timers),
      rng_(rng),
      kernel_(kernel),
      options_(std::move(options)),
      link_(net, timers, options_.servers,
            {[this](const Recall& recall) { on_recall(recall); }, [this] { session_.reclaim(); }}),
      session_(link_, timers,
               {[this] { return claims(); }, [this](SessionState state) { on_session(state); },
                [this] {
                  base::log::warning("DFS_SESSION_LOST",
                                     "the session has ended; changes that were not durable are "
                                     "gone, a new one is opened");
                  lose_everything();
                }}),
      storage_(net, timers, link_),
      data_(storage_, options_.data,
            {[this](const Error& error) { session_.on_error(error); },
             [](Inode& inode, const Error& error) {
               inode.error = error.os_errno != 0                  ? error.os_errno
                             : error.code == base::Code::no_space ? ENOSPC
                                                                  : EIO;
               base::log::failure("DFS_CONTENT_LOST", "written content could not be stored",
                                  {{"inode", std::to_string(inode.number)}}, error);
             },
             [this] {
               for (const Done<Nothing>& call : std::exchange(data_waiters_, {})) call(Nothing{});
             }}),
      log_(link_, timers, data_, options_.log,
           {[this] { return session_.number(); },
            [](Inode& inode, const MetaOp& op, int os_errno) {
              // Of a file that is gone content is not brought along, which what comes before its
              // end in the log may miss.
              if (inode.record.attributes.links == 0 && inode.opens == 0) return;
              inode.error = os_errno;
              base::log::failure("DFS_CHANGE_REFUSED",
                                 "a change was refused after it had been answered",
                                 {{"inode", std::to_string(inode.number)},
                                  {"operation", std::to_string(op.index())}},
                                 posix_error(os_errno));
            },
            [this](const Error& error) {
              session_.on_error(error);
              // Whatever it is, nothing behind this batch can arrive any more.
              if (session_.state() == SessionState::live ||
                  session_.state() == SessionState::suspended)
                session_.on_error(
                    {base::Code::failed_precondition, error.detail, "session_unknown"});
            },
            [this] {
              if (!log_.is_full())
                for (const Done<Nothing>& call : std::exchange(log_waiters_, {})) call(Nothing{});
              // Not from here: the caller may hold on to an inode.
              if (!trim_timer_)
                trim_timer_ = timers_.after({}, [this] {
                  const base::TimerHandle fired = std::move(trim_timer_);
                  trim();
                });
            }}) {
  data_.set_log(log_);
}

Client::~Client() { *alive_ = false; }

void Client::start(Done<Nothing> done) {
  open_request_.volume = options_.volume;
  open_request_.host = options_.host;
  open_request_.epoch = options_.epoch;
  open_request_.takeover = options_.takeover;
  open_request_.client = rng_.uuid();
  session_.open(open_request_, [this, done = std::move(done)](const Result<Nothing>& opened) {
    if (!opened) return done(opened.error());
    const OpenSessionReply& terms = session_.terms();
    // From now on this epoch is ours: whoever takes over must win over us, not the other way.
    open_request_.epoch = terms.epoch;
    open_request_.takeover = Takeover::none;
    data_.set_terms({terms.volume, terms.epoch, terms.inline_max});
    storage_.set_groups(terms.groups);
    done(Nothing{});
  });
}

void Client::stop(Done<Nothing> done) {
  log_.flush(log_.last(), [this, done = std::move(done)](const Result<Nothing>& flushed) {
    is_stopping_ = true;
    if (!flushed) return done(flushed.error());
    session_.close(done);
  });
}

std::optional<Need> Client::stop_reason() const {
  if (session_.is_live()) return std::nullopt;
  return Need{Need::What::session};
}

Error Client::end_reason() const { return fenced_error(); }

void Client::sync(Done<Nothing> done) { log_.flush(log_.last(), std::move(done)); }

Client::Counts Client::counts() const {
  return {cache_.size(), cache_.name_count(), data_.unwritten_bytes(), fetch_count_, recall_count_};
}

bool Client::may_keep(const Inode& inode) const {
  return inode.lease != Lease::none && !inode.is_recalled;
}

Found Client::found_of(Inode& inode, Dentry* dentry) {
  Found found;
  found.attributes = inode.record.attributes;
  found.keep_attributes = may_keep(inode);
  if (found.keep_attributes) inode.attributes_in_kernel = true;
  if (dentry != nullptr) ++inode.lookups;
  return found;
}

void Client::forget(InodeNumber number, std::uint64_t lookups) {
  Inode* inode = cache_.find(number);
  if (inode == nullptr) return;
  inode->lookups -= std::min(inode->lookups, lookups);
  if (inode->lookups > 0) return;
  inode->attributes_in_kernel = false;
  inode->pages_in_kernel = false;
  drop_if_unused(*inode);
}

// Of inodes that are gone for good; all others are kept as long as there is room.
void Client::drop_if_unused(Inode& inode) {
  if (!inode.is_known || inode.record.attributes.links > 0 || inode.opens > 0 ||
      inode.lookups > 0 || inode.pins > 0 || inode.pending > 0 || inode.has_unwritten() ||
      inode.is_recalled)
    return;
  locks_.erase(inode.number);
  cache_.erase(inode);
}

void Client::usage(Done<VolumeUsageReply> done) {
  VolumeUsage request;
  request.session = session_.number();
  link_.call(request, std::move(done));
}

}  // namespace dfs::client
