// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/dfs/meta/sim_client.h"

#include <cerrno>

using namespace std::chrono_literals;

namespace dfs::meta::testing {
namespace {

using base::Result;
constexpr auto kCallTimeout = 2s;
constexpr auto kRetry = 50ms;

}  // namespace

SimClient::SimClient(sim::World& world, sim::SimNet& network, Judge& judge, int number,
                     std::vector<base::Endpoint> servers, InodeNumber root, Mistake mistake)
    : world_(world),
      network_(network),
      judge_(judge),
      number_(number),
      servers_(std::move(servers)),
      root_(root),
      mistake_(mistake),
      net_(network_.host("client-" + std::to_string(number))) {
  next_server();
}

SimClient::~SimClient() {
  for (const auto& [inode, file] : files_) {
    if (file.dirty || file.is_flushing) judge_.lost(inode);
  }
  judge_.drop_all(number_);
  // What was sent may take effect all the same.
  auto batches = std::exchange(batches_, {});
  for (Batch& batch : batches)
    batch.done(base::Error{base::Code::not_found, "the client has died", "session_unknown"});
}

bool SimClient::trusts() const {
  return is_open_ && !reclaiming_ &&
         (mistake_ == Mistake::trusts_too_long || world_.clock().now() < trusted_until_);
}

void SimClient::next_server() {
  // The old link's calls are still to be answered.
  if (rpc_) old_.push_back(std::move(rpc_));
  rpc_ = std::make_unique<RpcClient>(*net_, world_, servers_[server_++ % servers_.size()]);
  rpc_->on_notice([this](std::uint8_t, std::string_view body) {
    const Result<Recall> recall = decode<Recall>(body);
    for (const LeaseClaim& claim : recall->leases) on_recall(claim);
  });
}

// ---- calls that are repeated until they are answered or the session is lost ----

template <class Request>
void SimClient::call(Request request, std::function<void(Result<typename Request::Reply>)> done) {
  attempt<Request>(std::make_shared<Request>(std::move(request)), life_, std::move(done));
}

template <class Request>
void SimClient::attempt(std::shared_ptr<Request> request, std::uint64_t life,
                        std::function<void(Result<typename Request::Reply>)> done) {
  const auto again = [this, request, life, done, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) attempt<Request>(request, life, done);
  };
  if (life != life_)
    return done(base::Error{base::Code::not_found, "the session was lost", "session_unknown"});
  if (reclaiming_ && !std::is_same_v<Request, Reclaim> && !std::is_same_v<Request, OpenSession>)
    return world_.schedule_after(kRetry, again);
  if constexpr (std::is_same_v<Request, Apply>) {
    if (mistake_ == Mistake::renumbers_resends) request->sequence = sequence_ + 1;
  }
  rpc_->call<Request>(
      *request, kCallTimeout,
      [this, request, life, done, again, alive = std::weak_ptr<bool>(alive_)](
          Result<typename Request::Reply> reply, std::string_view) {
        if (alive.expired()) return;
        if (reply || life != life_) return done(std::move(reply));
        const std::string_view reason = reply.error().reason;
        if (reason == "reclaim_first") {
          reclaim();
          return world_.schedule_after(kRetry, again);
        }
        if (reason == "batch_out_of_order" && mistake_ == Mistake::renumbers_resends) {
          return world_.schedule_after(kRetry, again);
        }
        if (reason == "session_unknown" || reason == "stale_epoch") {
          lose_session();
          return done(std::move(reply));
        }
        if (reply.error().code == base::Code::unavailable ||
            reply.error().code == base::Code::timed_out) {
          if constexpr (std::is_same_v<Request, Apply>) {
            // What was not answered may have been done, so this makes it happen twice.
            if (mistake_ == Mistake::renumbers_resends) ++sequence_;
          }
          if (reason != "link_closed") next_server();
          return world_.schedule_after(kRetry, again);
        }
        done(std::move(reply));
      });
}

// ---- the session ----

void SimClient::start() {
  open();
  act_later();
}

void SimClient::open() {
  OpenSession request;
  request.volume = "data";
  request.client = world_.rng().token(12);
  request.host = "client-" + std::to_string(number_);
  const base::Instant sent = world_.clock().now();
  call(request, [this, sent](Result<OpenSessionReply> reply) {
    if (!reply)
      return world_.schedule_after(kRetry, [this, alive = std::weak_ptr<bool>(alive_)] {
        if (!alive.expired()) open();
      });
    session_ = *reply;
    is_open_ = true;
    sequence_ = 0;
    trusted_until_ = sent + std::chrono::milliseconds(session_.lease_ms);
    judge_.trust(number_, trusted_until_);
    renew();
  });
}

void SimClient::renew() {
  const std::uint64_t life = life_;
  world_.schedule_after(
      std::chrono::milliseconds(session_.lease_ms / 4),
      [this, life, alive = std::weak_ptr<bool>(alive_)] {
        if (alive.expired() || life != life_) return;
        const base::Instant sent = world_.clock().now();
        rpc_->call<Renew>({session_.session}, kCallTimeout,
                          [this, life, sent](Result<Nothing> reply, std::string_view) {
                            if (life != life_) return;
                            if (reply) {
                              trusted_until_ = sent + std::chrono::milliseconds(session_.lease_ms);
                              judge_.trust(number_, mistake_ == Mistake::trusts_too_long
                                                        ? base::Instant{base::Duration::max()}
                                                        : trusted_until_);
                              return;
                            }
                            const std::string_view reason = reply.error().reason;
                            if (reason == "reclaim_first") return reclaim();
                            if (reason == "session_unknown") {
                              if (mistake_ != Mistake::trusts_too_long) lose_session();
                              return;
                            }
                            if (reason != "link_closed") next_server();
                          });
        renew();
      });
}

void SimClient::reclaim() {
  if (reclaiming_ || !is_open_) return;
  reclaiming_ = true;
  Reclaim request{session_.session, {}, true};
  if (mistake_ != Mistake::reclaims_nothing) {
    for (const auto& [inode, file] : files_) {
      if (file.lease != Lease::none) request.leases.push_back({inode, file.lease});
    }
  }
  call(request, [this, life = life_](Result<Nothing> reply) {
    if (life != life_) return;
    reclaiming_ = false;
    if (!reply) lose_session();
  });
}

void SimClient::lose_session() {
  if (!is_open_) return;
  ++life_;
  is_open_ = false;
  reclaiming_ = false;
  for (const auto& [inode, file] : files_) {
    if (file.dirty || file.is_flushing) judge_.lost(inode);
  }
  files_.clear();
  returning_.clear();
  judge_.drop_all(number_);
  auto batches = std::exchange(batches_, {});
  batch_under_way_ = false;
  for (Batch& batch : batches)
    batch.done(base::Error{base::Code::not_found, "the session was lost", "session_unknown"});
  open();
}

// ---- leases and registers ----

void SimClient::on_recall(const LeaseClaim& claim) {
  const auto at = files_.find(claim.inode);
  if (at == files_.end() || !is_open_) {
    if (is_open_) give_back(claim.inode, claim.lease);
    return;
  }
  if (mistake_ == Mistake::keeps_after_recall) {
    call(ReleaseLeases{session_.session, {{claim.inode, claim.lease, false}}}, [](auto) {});
    return;
  }
  if (at->second.dirty && mistake_ != Mistake::releases_before_flush) {
    if (!at->second.is_flushing)
      flush(claim.inode, [this, claim] { on_recall(claim); });
    else
      world_.schedule_after(5ms, [this, claim, alive = std::weak_ptr<bool>(alive_)] {
        if (!alive.expired()) on_recall(claim);
      });
    return;
  }
  give_back(claim.inode, claim.lease);
}

void SimClient::give_back(InodeNumber inode, Lease keeps) {
  const auto at = files_.find(inode);
  if (at != files_.end() && at->second.lease > keeps) {
    at->second.lease = keeps;
    judge_.hold(number_, inode, keeps);
  }
  // Until this is answered it may arrive, or arrive again, behind what is asked meanwhile.
  ++returning_[inode];
  ++returns_[inode];
  const std::uint64_t life = life_;
  call(ReleaseLeases{session_.session, {{inode, keeps, false}}}, [this, inode, life](auto) {
    if (life == life_) --returning_[inode];
  });
}

void SimClient::flush(InodeNumber inode, std::function<void()> done) {
  File& file = files_.at(inode);
  file.is_flushing = true;
  const std::uint32_t value = *file.dirty;
  SetAttributesOp op;
  op.inode = inode;
  op.uid = value;
  send_batch({op}, [this, inode, value, done](Result<ApplyReply> reply) {
    if (!reply) return;
    judge_.flushed(inode, value);
    const auto at = files_.find(inode);
    if (at == files_.end()) return;
    at->second.is_flushing = false;
    if (at->second.dirty == value) at->second.dirty.reset();
    done();
  });
}

void SimClient::send_batch(std::vector<MetaOp> operations,
                           std::function<void(Result<ApplyReply>)> done) {
  batches_.push_back({std::move(operations), std::move(done)});
  next_batch();
}

void SimClient::next_batch() {
  if (batch_under_way_ || batches_.empty() || !is_open_) return;
  batch_under_way_ = true;
  const std::uint64_t life = life_;
  call(Apply{session_.session, sequence_ + 1, batches_.front().operations},
       [this, life](Result<ApplyReply> reply) {
         if (life != life_) return;  // lose_session() has told them
         batch_under_way_ = false;
         ++sequence_;
         const auto done = std::move(batches_.front().done);
         batches_.pop_front();
         done(std::move(reply));
         next_batch();
       });
}

void SimClient::use_register() {
  if (known_.empty()) return;
  auto at = known_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(world_.random()() % known_.size()));
  const InodeNumber inode = *at;
  File& file = files_[inode];
  if (trusts() && file.lease == Lease::write && world_.happens(0.6)) {
    judge_.use(number_, inode, Lease::write);
    file.value = static_cast<std::uint32_t>(number_) * 1'000'000 + ++next_value_;
    file.dirty = file.value;
    judge_.wrote(number_, inode, file.value);
    if (world_.happens(0.3) && !file.is_flushing) flush(inode, [] {});
    return;
  }
  if (trusts() && file.lease != Lease::none) {
    judge_.use(number_, inode, Lease::read);
    return judge_.read(number_, inode, file.value);
  }
  if (file.lease != Lease::none || returning_[inode] > 0) return;
  ++busy_;
  const Lease want = world_.happens(0.5) ? Lease::write : Lease::read;
  const std::uint64_t returns = returns_[inode];
  call(GetInode{session_.session, inode, want},
       [this, inode, returns](Result<GetInodeReply> reply) {
         --busy_;
         ++done_;
         if (!reply) {
           if (reply.error().reason == "inode_absent") {
             known_.erase(inode);
             files_.erase(inode);
           }
           return;
         }
         File& got = files_[inode];
         if (reply->lease <= got.lease || !trusts() || returns != returns_[inode]) return;
         const bool had = got.lease != Lease::none;
         got.lease = reply->lease;
         judge_.hold(number_, inode, got.lease);
         if (had) return;
         got.value = reply->inode.attributes.uid;
         judge_.use(number_, inode, got.lease);
         judge_.read(number_, inode, got.value);
       });
}

// ---- names ----

std::string SimClient::any_name() {
  return std::string(1, static_cast<char>('a' + world_.random()() % 3));
}

void SimClient::look_name() {
  const std::string name = any_name();
  ++busy_;
  NameEvent event;
  event.from = world_.clock().now();
  call(Lookup{session_.session, root_, name, Lease::none, Lease::none},
       [this, name, event](Result<LookupReply> reply) mutable {
         --busy_;
         ++done_;
         if (!reply) return;
         event.to = world_.clock().now();
         event.is_known = true;
         if (reply->found) {
           event.inode = reply->found->attributes.inode;
           known_.insert(event.inode);
         }
         judge_.note(name, event);
       });
}

void SimClient::change_name() {
  if (numbers_.count == 0) {
    ++busy_;
    return call(InodeNumbers{session_.session}, [this](Result<InodeNumbersReply> reply) {
      --busy_;
      if (reply) numbers_ = *reply;
    });
  }
  const std::string name = any_name();
  NameEvent event;
  event.from = world_.clock().now();
  MetaOp op;
  if (world_.happens(0.5)) {
    --numbers_.count;
    CreateOp create;
    create.folder = root_;
    create.name = name;
    create.inode = event.inode = numbers_.first++;
    event.what = NameEvent::What::create;
    op = create;
  } else {
    event.what = NameEvent::What::remove;
    op = RemoveOp{root_, name, false, 1};
  }
  ++busy_;
  send_batch({op}, [this, name, event](Result<ApplyReply> reply) mutable {
    --busy_;
    ++done_;
    event.is_known = reply.has_value();
    event.to = world_.clock().now();
    event.done = reply && reply->results[0].os_errno == 0;
    judge_.note(name, event);
  });
}

void SimClient::act_later() {
  world_.schedule_after(world_.between(5ms, 300ms), [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    act();
    act_later();
  });
}

void SimClient::act() {
  if (stopping_ || !is_open_ || busy_ > 2) return;
  switch (world_.random()() % 5) {
    case 0: return look_name();
    case 1: return change_name();
    default: return use_register();
  }
}

}  // namespace dfs::meta::testing
