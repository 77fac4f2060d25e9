// SPDX-License-Identifier: Apache-2.0
// How the client gets what an operation lacks.
#include <algorithm>

#include "dfs/client/client_run.h"

namespace dfs::client {

using base::Error;
using base::Result;

namespace {

constexpr std::uint32_t kPageEntries = 1000;

}  // namespace

std::optional<Need> Client::want_inode(InodeNumber number, Lease lease, Inode*& found, Rest rest) {
  Inode* inode = cache_.find(number);
  const bool is_good =
      inode != nullptr &&
      (lease == Lease::write ? InodeCache::may_write(*inode) : cache_.may_read(*inode)) &&
      (rest == Rest::ignore || inode->has_rest);
  if (!is_good) return Need{Need::What::inode, number, lease};
  cache_.touch(*inode);
  found = inode;
  return std::nullopt;
}

std::optional<Need> Client::want_name(Inode& folder, const std::string& name, Lease child,
                                      InodeNumber& found) {
  const Dentry* dentry = cache_.find_name(folder, name);
  if (dentry == nullptr)
    return Need{Need::What::name, folder.number,
                folder.lease == Lease::write ? Lease::write : Lease::read, child, name};
  found = dentry->inode;
  return std::nullopt;
}

std::optional<Need> Client::want_log_room() {
  if (log_.is_full()) return Need{Need::What::log_room};
  return std::nullopt;
}

std::optional<Need> Client::want_place(const Inode& inode, std::uint64_t end) {
  if (inode.record.attributes.object != 0 || end <= session_.terms().inline_max ||
      !storage_.should_learn())
    return std::nullopt;
  Need need{Need::What::other, inode.number};
  need.begin = [this](Done<Nothing> done) { storage_.learn(std::move(done)); };
  return need;
}

void Client::satisfy(const Need& need, Done<Nothing> done) {
  switch (need.what) {
    case Need::What::inode: return fetch_inode(need.inode, need.lease, std::move(done));
    case Need::What::name:
      return fetch_name(need.inode, need.name, need.lease, need.child, std::move(done));
    case Need::What::listing: return fetch_listing(need.inode, {}, need.lease, std::move(done));
    case Need::What::numbers: return fetch_numbers(std::move(done));
    case Need::What::log_room:
      log_waiters_.push_back(std::move(done));
      return log_.flush(log_.last(), [](const Result<Nothing>&) {});
    case Need::What::data_room: data_waiters_.push_back(std::move(done)); return data_.relieve();
    case Need::What::session: session_waiters_.push_back(std::move(done)); return;
    case Need::What::other: return need.begin(std::move(done));
  }
}

Lease Client::granted(InodeNumber inode, Lease lease, std::uint64_t since) const {
  const auto found = released_.find(inode);
  return found != released_.end() && found->second > since ? Lease::none : lease;
}

void Client::begin_fetch() {
  // Before the question, so that its answer is about what comes after the release.
  send_releases();
  ++fetches_;
  ++fetch_count_;
}

void Client::end_fetch() {
  if (--fetches_ == 0) released_.clear();
}

void Client::after_answer(const Error* error, const Done<Nothing>& done) {
  if (error == nullptr) {
    done(Nothing{});
    cache_.next_turn();
    return trim();
  }
  session_.on_error(*error);
  // A new session will be there soon; the operation waits for it.
  if (error->reason == "session_unknown") return done(Nothing{});
  if (error->reason == "inode_absent") return done(posix_error(ESTALE));
  done(*error);
}

void Client::fetch_inode(InodeNumber number, Lease want, Done<Nothing> done) {
  Inode* inode = cache_.find(number);
  if (inode != nullptr && inode->is_recalled) {
    inode->released.emplace_back(
        [this, number, want, done = std::move(done)] { fetch_inode(number, want, done); });
    return;
  }
  begin_fetch();
  GetInode request;
  request.session = session_.number();
  request.inode = number;
  request.want = want;
  link_.call(request, [this, number, since = release_serial_,
                       done = std::move(done)](const Result<GetInodeReply>& reply) {
    if (reply)
      cache_.take_inode(cache_.get(number), reply->inode, granted(number, reply->lease, since));
    end_fetch();
    after_answer(reply ? nullptr : &reply.error(), done);
  });
}

void Client::fetch_name(InodeNumber folder, const std::string& name, Lease want_folder,
                        Lease want_inode, Done<Nothing> done) {
  Inode* held = cache_.find(folder);
  if (held != nullptr && held->is_recalled) {
    held->released.emplace_back([=, this, done = std::move(done)] {
      fetch_name(folder, name, want_folder, want_inode, done);
    });
    return;
  }
  begin_fetch();
  Lookup request;
  request.session = session_.number();
  request.folder = folder;
  request.name = name;
  request.want_folder = want_folder;
  request.want_inode = want_inode;
  link_.call(request, [this, folder, name, since = release_serial_,
                       done = std::move(done)](const Result<LookupReply>& reply) {
    if (reply) {
      Inode& parent = cache_.get(folder);
      cache_.take_lease(parent, granted(folder, reply->folder, since));
      const InodeNumber number = reply->found ? reply->found->attributes.inode : 0;
      cache_.take_name(parent, name, number);
      if (number != 0)
        cache_.take_inode(cache_.get(number), *reply->found, granted(number, reply->inode, since));
    }
    end_fetch();
    after_answer(reply ? nullptr : &reply.error(), done);
  });
}

// One page, behind `after`.
void Client::fetch_listing(InodeNumber folder, std::string after, Lease want, Done<Nothing> done) {
  Inode* held = cache_.find(folder);
  if (held != nullptr && held->is_recalled) {
    held->released.emplace_back(
        [=, this, done = std::move(done)] { fetch_listing(folder, after, want, done); });
    return;
  }
  begin_fetch();
  ReadFolder request;
  request.session = session_.number();
  request.folder = folder;
  request.after = after;
  request.entries_max = kPageEntries;
  request.want_folder = want;
  request.want_inodes = want;
  link_.call(request, [this, folder, after, want, since = release_serial_,
                       done = std::move(done)](const Result<ReadFolderReply>& reply) {
    if (reply) {
      Inode& parent = cache_.get(folder);
      const bool was_held = parent.lease != Lease::none;
      cache_.take_lease(parent, granted(folder, reply->folder, since));
      for (const FolderEntry& entry : reply->entries) {
        const InodeNumber number = entry.attributes.inode;
        const Dentry& dentry = cache_.take_name(parent, entry.name, number);
        if (dentry.inode == number)
          cache_.take_attributes(cache_.get(number), entry.attributes,
                                 granted(number, entry.lease, since));
      }
      // All pages under one lease make the folder known.
      const bool is_whole = after.empty() || was_held;
      if (parent.lease != Lease::none) {
        parent.was_listed = true;
        if (reply->complete && is_whole && (after.empty() || parent.listed_to == after))
          parent.is_complete = true;
        parent.listed_to = reply->entries.empty() ? after : reply->entries.back().name;
      }
    }
    end_fetch();
    after_answer(reply ? nullptr : &reply.error(), done);
  });
}

void Client::fetch_numbers(Done<Nothing> done) {
  number_waiters_.push_back(std::move(done));
  if (std::exchange(is_asking_numbers_, true)) return;
  InodeNumbers request;
  request.session = session_.number();
  link_.call(request, [this](const Result<InodeNumbersReply>& reply) {
    is_asking_numbers_ = false;
    if (reply && numbers_left_ == 0) {
      next_number_ = reply->first;
      numbers_left_ = reply->count;
    } else if (reply) {
      spare_numbers_ = *reply;
    }
    for (const Done<Nothing>& call : std::exchange(number_waiters_, {}))
      after_answer(reply ? nullptr : &reply.error(), call);
  });
}

std::optional<InodeNumber> Client::take_number() {
  if (numbers_left_ == 0 && spare_numbers_.count > 0) {
    next_number_ = spare_numbers_.first;
    numbers_left_ = std::exchange(spare_numbers_.count, 0);
  }
  if (numbers_left_ == 0) return std::nullopt;
  --numbers_left_;
  // The next range is there before this one is used up.
  if (numbers_left_ < kNumbersLow && spare_numbers_.count == 0 && !is_asking_numbers_)
    fetch_numbers([](const Result<Nothing>&) {});
  return next_number_++;
}

}  // namespace dfs::client
