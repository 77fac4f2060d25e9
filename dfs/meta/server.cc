// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/server_parts.h"

#include <cerrno>

#include "common/base/log.h"

namespace dfs::meta {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr auto kTick = std::chrono::milliseconds(100);
constexpr std::size_t kBatchBytesMax = std::size_t{4} << 20;
constexpr std::size_t kBatchOperationsMax = 10'000;
constexpr std::size_t kReleasesMax = 100'000;
constexpr std::uint32_t kInodesGiven = 4096;

}  // namespace

Result<std::unique_ptr<MetaServer>> MetaServer::start(ServerOptions options,
                                                      replication::Group& group, MetaState& state,
                                                      base::Net& net, base::Timers& timers) {
  auto server = std::make_unique<Server>(std::move(options), group, state, net, timers);
  TRY(server->listen());
  return std::unique_ptr<MetaServer>(std::move(server));
}

Server::Server(ServerOptions options, replication::Group& group, MetaState& state, base::Net& net,
               base::Timers& timers)
    : options_(std::move(options)),
      group_(group),
      state_(state),
      net_(net),
      timers_(timers),
      liaison_(
          options_, state, net, timers,
          [this](std::string payload, OnAnswer done) {
            propose(std::move(payload), std::move(done));
          },
          counts_),
      alive_(std::make_shared<bool>(true)) {
  state_.watch_role([this](bool is_serving) { on_role(is_serving); });
  if (group_.is_serving()) on_role(true);
  schedule_tick();
}

Server::~Server() { state_.watch_role({}); }

Result<void> Server::listen() {
  RpcServer::Handlers handlers;
  handlers.request = [this](std::uint8_t kind, std::string_view body, std::string_view,
                            Responder responder) {
    ++counts_.requests;
    dispatch(static_cast<MetaKind>(kind), body, std::move(responder));
    after_event();
  };
  rpc_ = TRY(RpcServer::listen(net_, options_.endpoint, std::move(handlers)));
  return {};
}

TimeNs Server::wall_time() const {
  return timers_.clock().wall().time_since_epoch().count() * std::int64_t{1'000'000};
}

void Server::schedule_tick() {
  tick_ = timers_.after(kTick, [this] {
    const base::TimerHandle fired = std::move(tick_);
    schedule_tick();
    tick();
    after_event();
  });
}

void Server::propose(std::string payload, OnAnswer done) {
  group_.propose(std::move(payload),
                 [this, done = std::move(done),
                  alive = std::weak_ptr<bool>(alive_)](Result<std::string> answer) {
                   if (alive.expired()) return;
                   done(std::move(answer));
                   after_event();
                 });
}

// ---- roles ----

void Server::on_role(bool is_serving) {
  leases_.clear();
  live_.clear();
  lock_waits_.clear();
  auto dropped = std::exchange(waits_, {});
  auto deferred = std::exchange(deferred_, {});
  auto fences = std::exchange(fencing_, {});
  if (freeze_) end_freeze(Error{Code::unavailable, "the leader has changed", "not_primary"});
  liaison_.stop();
  serving_ = is_serving;
  ++reign_;
  const Error error{Code::unavailable, "this server does not lead any more", "not_primary"};
  for (auto& [ticket, wait] : dropped) wait->responder.fail(error);
  for (Deferred& request : deferred) request.responder.fail(error);
  for (auto& [session, waiting] : fences) {
    for (Responder& responder : waiting) responder.fail(error);
  }
  if (!serving_) return;
  const base::Instant now = timers_.clock().now();
  for (const auto& [number, session] : state_.sessions()) {
    live_[number].heard = now;
    if (session.fence_due) fence_session(number);
  }
  in_grace_ = !live_.empty();
  liaison_.start();
  base::log::info("META_LEADS", "this metadata server answers from now on",
                  {{"sessions", std::to_string(live_.size())}});
}

void Server::end_grace_if_due() {
  if (!in_grace_) return;
  for (const auto& [number, live] : live_) {
    if (!live.reclaimed) return;
  }
  in_grace_ = false;
  auto deferred = std::exchange(deferred_, {});
  for (Deferred& request : deferred)
    dispatch(request.kind, request.body, std::move(request.responder));
}

// What an event has made possible or necessary: at its end, so that one message carries all.
void Server::after_event() {
  if (in_after_event_) return;
  in_after_event_ = true;
  while (serving_) {
    end_grace_if_due();
    const std::set<Ticket> woken = leases_.take_woken();
    for (const Ticket ticket : woken) {
      const auto at = waits_.find(ticket);
      if (at != waits_.end()) attempt(at->second);
    }
    if (woken.empty()) break;
  }
  freeze_if_due();
  send_recalls();
  in_after_event_ = false;
}

void Server::send_recalls() {
  const base::Instant now = timers_.clock().now();
  for (auto& [session, claims] : leases_.take_recalls()) {
    const auto at = live_.find(session);
    if (at == live_.end()) continue;
    counts_.recalls += claims.size();
    if (!at->second.recalled_since) at->second.recalled_since = now;
    if (const auto caller = at->second.caller.lock()) notify(*caller, Recall{std::move(claims)});
  }
}

// ---- sessions ----

void Server::tick() {
  if (!serving_) return;
  const base::Instant now = timers_.clock().now();
  // Clocks that run a tenth apart are still told apart from silence.
  const base::Duration patience = options_.lease + options_.lease / 10;
  for (auto& [number, live] : live_) {
    if (!leases_.has_open_recalls(number)) live.recalled_since.reset();
    if (live.recalled_since && now - *live.recalled_since >= options_.recall_max && !live.doomed) {
      live.doomed = true;
      base::log::warning("META_SESSION_DOOMED",
                         "a client does not give its leases back, ending its session",
                         {{"session", std::to_string(number)}});
    }
    if (now - live.heard >= patience && !live.ending) end_session(number);
  }
  if (leases_.size() > options_.leases_max) leases_.recall_oldest(options_.leases_max);
  liaison_.tick();
  purge_volumes();
}

void Server::end_session(SessionNumber session) {
  live_.at(session).ending = true;
  ++counts_.sessions_ended;
  base::log::warning("META_SESSION_ENDED", "a client was not heard of, ending its session",
                     {{"session", std::to_string(session)}});
  propose(encode_command(EndSessionCommand{session}), [this, session](const Result<std::string>&) {
    const auto at = live_.find(session);
    if (at != live_.end()) at->second.ending = false;  // tried again unless it is gone
    drop_ended();
  });
}

// Sessions that the state does not have any more.
void Server::drop_ended() {
  bool dropped = false;
  for (auto at = live_.begin(); at != live_.end();) {
    if (state_.sessions().contains(at->first)) {
      ++at;
      continue;
    }
    const SessionNumber session = at->first;
    dropped = true;
    at = live_.erase(at);
    leases_.drop_session(session);
    const Error ended{Code::not_found, "the session has ended", "session_unknown", ESTALE};
    std::vector<WaitHandle> waits;
    for (const auto& [ticket, wait] : waits_) {
      if (wait->session == session) waits.push_back(wait);
    }
    for (const WaitHandle& wait : waits) {
      finish(wait);
      wait->responder.fail(ended);
    }
    lock_waits_.drop_session(session, ended);
    fencing_.erase(session);
  }
  if (dropped) retry_all_locks();
}

// The session as the request's sender may use it; otherwise the request was answered or put off.
const SessionRecord* Server::admit(SessionNumber session, MetaKind kind, std::string_view body,
                                   Responder& responder) {
  const auto refuse = [&](Error error) {
    responder.fail(error);
    return nullptr;
  };
  const auto at = live_.find(session);
  const auto record = state_.sessions().find(session);
  if (at == live_.end() || record == state_.sessions().end() || at->second.ending ||
      at->second.doomed)
    return refuse({Code::not_found, "the session has ended", "session_unknown", ESTALE});
  const auto volume = state_.volumes().find(record->second.volume);
  if (volume == state_.volumes().end() || volume->second.epoch != record->second.epoch)
    return refuse(
        {Code::failed_precondition, "another has taken the volume over", "stale_epoch", ESTALE});
  Live& live = at->second;
  live.heard = timers_.clock().now();
  if (live.caller.lock() != responder.caller().lock()) {
    live.caller = responder.caller();
    const std::vector<LeaseClaim> open = leases_.open_recalls(session);
    const auto caller = live.caller.lock();
    if (caller && !open.empty()) notify(*caller, Recall{open});
  }
  if (kind == MetaKind::reclaim) return &record->second;
  if (!live.reclaimed)
    return refuse(
        {Code::failed_precondition, "the server has changed: reclaim the leases", "reclaim_first"});
  const bool waits = in_grace_ || is_frozen_for(record->second.volume, kind);
  if (waits && kind != MetaKind::renew) {
    if (deferred_.size() >= options_.requests_max)
      return refuse({Code::throttled, "too many requests wait", "too_many_requests", EAGAIN});
    deferred_.push_back({kind, std::string(body), std::move(responder)});
    return nullptr;
  }
  return &record->second;
}

void Server::handle(const OpenSession& request, std::string_view, Responder responder) {
  auto waiting = std::make_shared<Responder>(std::move(responder));
  ++opening_;
  propose(encode_command(OpenSessionCommand{request, wall_time()}), [this, waiting, reign = reign_](
                                                                        const Result<std::string>&
                                                                            answer) {
    --opening_;
    if (!answer) return waiting->fail(answer.error());
    const auto record = decode_answer<SessionRecord>(*answer);
    if (!record) return waiting->fail(record.error());
    if (reign != reign_)
      return waiting->fail({Code::unavailable, "the leader has changed", "not_primary"});
    const auto [at, is_new] = live_.try_emplace(record->session);
    if (is_new) {
      at->second.reclaimed = true;
      at->second.heard = timers_.clock().now();
    }
    at->second.caller = waiting->caller();
    drop_ended();
    const auto stored = state_.sessions().find(record->session);
    if (stored == state_.sessions().end())
      return waiting->fail({Code::not_found, "the session has ended", "session_unknown", ESTALE});
    if (!stored->second.fence_due) return answer_open(stored->second, *waiting);
    const bool under_way = fencing_.contains(record->session);
    fencing_[record->session].push_back(std::move(*waiting));
    if (!under_way) fence_session(record->session);
  });
}

void Server::answer_open(const SessionRecord& session, Responder& responder) {
  const VolumeRecord& volume = state_.volumes().at(session.volume);
  OpenSessionReply reply;
  reply.session = session.session;
  reply.volume = session.volume;
  reply.epoch = session.epoch;
  reply.lease_ms = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.lease).count());
  reply.root = volume.root;
  reply.inline_max = volume.inline_max;
  reply.durability = volume.durability;
  reply.read_only = volume.read_only;
  reply.groups = liaison_.places();
  responder.answer(encode(reply));
}

// Until every chunk group knows of the epoch, its opening is not answered.
void Server::fence_session(SessionNumber session) {
  fencing_.try_emplace(session);
  liaison_.fence(state_.sessions().at(session).volume, [this, session, reign = reign_] {
    if (reign != reign_) return;
    propose(encode_command(FenceDoneCommand{session}), [this, session](
                                                           const Result<std::string>& applied) {
      auto waiting = fencing_.extract(session);
      if (waiting.empty()) return;
      const auto record = state_.sessions().find(session);
      for (Responder& responder : waiting.mapped()) {
        if (!applied) {
          responder.fail(applied.error());
        } else if (record == state_.sessions().end()) {
          responder.fail({Code::not_found, "the session has ended", "session_unknown", ESTALE});
        } else {
          answer_open(record->second, responder);
        }
      }
    });
  });
}

void Server::handle(const Renew&, std::string_view, Responder responder) {
  responder.answer(encode(Nothing{}));
}

void Server::handle(const CloseSession& request, std::string_view, Responder responder) {
  auto waiting = std::make_shared<Responder>(std::move(responder));
  live_.at(request.session).ending = true;
  propose(encode_command(EndSessionCommand{request.session}),
          [this, waiting, session = request.session](const Result<std::string>& answer) {
            const auto at = live_.find(session);
            if (at != live_.end()) at->second.ending = false;
            if (!answer) return waiting->fail(answer.error());
            drop_ended();
            waiting->answer(encode(Nothing{}));
          });
}

void Server::handle(const Reclaim& request, std::string_view, Responder responder) {
  Live& live = live_.at(request.session);
  // What a snapshot has does not change: nobody is asked to give it back.
  if (is_of_snapshot(request.session)) live.reclaimed = true;
  if (!live.reclaimed) {
    for (const LeaseClaim& claim : request.leases) {
      if (leases_.reclaim(claim.inode, request.session, claim.lease)) continue;
      live.doomed = true;
      return responder.fail(
          {Code::failed_precondition, "another session has this lease", "session_unknown", ESTALE});
    }
    if (request.last) live.reclaimed = true;
  }
  responder.answer(encode(Nothing{}));
}

// ---- requests ----

template <class Request>
void Server::take(std::string_view body, Responder responder) {
  const Result<Request> request = decode<Request>(body);
  if (!request) return responder.fail(request.error());
  if constexpr (requires { request->session; }) {
    if (admit(request->session, Request::kKind, body, responder) == nullptr) return;
  }
  handle(*request, body, std::move(responder));
}

void Server::dispatch(MetaKind kind, std::string_view body, Responder responder) {
  // may_read(): the members' leases hold, so that no other primary can have answered since.
  if (!serving_ || !group_.is_serving() || !group_.may_read())
    return responder.fail({Code::unavailable, "this server does not lead", "not_primary"});
  switch (kind) {
    case MetaKind::open_session: return take<OpenSession>(body, std::move(responder));
    case MetaKind::renew: return take<Renew>(body, std::move(responder));
    case MetaKind::close_session: return take<CloseSession>(body, std::move(responder));
    case MetaKind::reclaim: return take<Reclaim>(body, std::move(responder));
    case MetaKind::lookup: return take<Lookup>(body, std::move(responder));
    case MetaKind::get_inode: return take<GetInode>(body, std::move(responder));
    case MetaKind::read_folder: return take<ReadFolder>(body, std::move(responder));
    case MetaKind::apply: return take<Apply>(body, std::move(responder));
    case MetaKind::release_leases: return take<ReleaseLeases>(body, std::move(responder));
    case MetaKind::set_lock: return take<SetLock>(body, std::move(responder));
    case MetaKind::cancel_lock: return take<CancelLock>(body, std::move(responder));
    case MetaKind::test_lock: return take<TestLock>(body, std::move(responder));
    case MetaKind::groups: return take<Groups>(body, std::move(responder));
    case MetaKind::volume_usage: return take<VolumeUsage>(body, std::move(responder));
    case MetaKind::inode_numbers: return take<InodeNumbers>(body, std::move(responder));
    case MetaKind::take_object: return take<TakeObject>(body, std::move(responder));
    case MetaKind::register_storage: return take<RegisterStorage>(body, std::move(responder));
    case MetaKind::change_group: return take<ChangeGroup>(body, std::move(responder));
    case MetaKind::volume_epochs:
    case MetaKind::recall: break;
  }
  responder.fail({Code::unsupported, "this version does not know the request", "request_unknown"});
}

void Server::forward(std::string payload, Responder responder) {
  auto waiting = std::make_shared<Responder>(std::move(responder));
  propose(std::move(payload), [waiting](const Result<std::string>& answer) {
    if (!answer) return waiting->fail(answer.error());
    const Result<std::string_view> body = open_answer(*answer);
    if (!body) return waiting->fail(body.error());
    waiting->answer(*body);
  });
}

void Server::handle(const Apply& request, std::string_view body, Responder responder) {
  if (body.size() > kBatchBytesMax + (1 << 16) || request.operations.size() > kBatchOperationsMax)
    return responder.fail({Code::too_large, "a batch is at most 4 MiB and 10000 operations",
                           "batch_too_large", E2BIG});
  auto wait = std::make_shared<Wait>(std::move(responder));
  wait->session = request.session;
  wait->pins = true;
  wait->needs = [this, request = std::make_shared<const Apply>(request)] {
    return batch_needs(*request);
  };
  // Which of its inodes are new is known before it is applied only.
  std::vector<std::pair<InodeNumber, InodeNumber>> created;  // folder (0: no name), inode
  for (const MetaOp& operation : request.operations) {
    if (const auto* create = std::get_if<CreateOp>(&operation))
      created.emplace_back(create->name.empty() ? 0 : create->folder, create->inode);
  }
  wait->go = [this, payload = encode_apply(body), created = std::move(created),
              operations = request.operations.size()](const WaitHandle& self) mutable {
    propose(std::move(payload), [this, self, created, operations,
                                 reign = reign_](const Result<std::string>& answer) {
      if (!answer || reign != reign_) {
        unpin(self);
        return self->responder.fail(
            answer ? Error{Code::unavailable, "the leader has changed", "not_primary"}
                   : answer.error());
      }
      unpin(self);
      const Result<std::string_view> reply = open_answer(*answer);
      if (!reply) return self->responder.fail(reply.error());
      ++counts_.batches;
      counts_.operations += operations;
      // 3. A folder that is new in the same batch is leased by then. While a snapshot waits for all
      // leases, the client, which takes these for granted, gives them back too.
      for (const auto& [folder, inode] : created) {
        const bool is_own = folder == 0 || leases_.held(folder, self->session) == Lease::write;
        if (!is_own || !state_.inode_exists(inode) || !live_.contains(self->session)) continue;
        leases_.grant(inode, self->session, Lease::write);
        if (is_frozen(volume_of(self->session))) leases_.recall(inode, self->session, Lease::none);
      }
      self->responder.answer(*reply);
    });
  };
  begin(std::move(wait));
}

void Server::handle(const ReleaseLeases& request, std::string_view, Responder responder) {
  if (request.leases.size() > kReleasesMax)
    return responder.fail(
        {Code::too_large, "at most 100000 leases at once", "batch_too_large", E2BIG});
  HoldInodesCommand hold{request.session, {}};
  for (const ReleasedLease& lease : request.leases) {
    if (lease.is_open && lease.keeps == Lease::none) hold.inodes.push_back(lease.inode);
  }
  const auto release = [this, request] {
    for (const ReleasedLease& lease : request.leases)
      leases_.release(lease.inode, request.session, lease.keeps);
  };
  if (hold.inodes.empty()) {
    release();
    return responder.answer(encode(Nothing{}));
  }
  // What the client has open must outlive its name before another may remove that.
  for (const ReleasedLease& lease : request.leases)
    leases_.expect_release(lease.inode, request.session, lease.keeps);
  auto waiting = std::make_shared<Responder>(std::move(responder));
  propose(encode_command(hold), [waiting, release](const Result<std::string>& answer) {
    if (!answer) return waiting->fail(answer.error());
    const Result<Nothing> done = decode_answer<Nothing>(*answer);
    if (!done) return waiting->fail(done.error());
    release();
    waiting->answer(encode(Nothing{}));
  });
}

void Server::handle(const Groups&, std::string_view, Responder responder) {
  responder.answer(encode(GroupsReply{liaison_.places()}));
}

void Server::handle(const VolumeUsage& request, std::string_view, Responder responder) {
  const VolumeRecord& volume = state_.volumes().at(state_.sessions().at(request.session).volume);
  VolumeUsageReply reply;
  if (const auto at = state_.snapshots().find(volume.volume); at != state_.snapshots().end()) {
    // Full, as a read-only file system is.
    reply.bytes_used = reply.bytes_max = at->second.bytes_used;
    reply.inodes_used = reply.inodes_max = at->second.inodes_used;
    return responder.answer(encode(reply));
  }
  reply.bytes_used = volume.bytes_used;
  reply.inodes_used = volume.inodes_used;
  const std::uint64_t possible = volume.bytes_used + liaison_.bytes_free();
  reply.bytes_max = volume.bytes_max == 0 ? possible : std::min(volume.bytes_max, possible);
  reply.inodes_max = volume.inodes_max;
  responder.answer(encode(reply));
}

void Server::handle(const InodeNumbers&, std::string_view, Responder responder) {
  forward(encode_command(TakeInodesCommand{kInodesGiven}), std::move(responder));
}

void Server::handle(const TakeObject& request, std::string_view, Responder responder) {
  forward(encode_command(TakeObjectCommand{request}), std::move(responder));
}

void Server::handle(const RegisterStorage& request, std::string_view, Responder responder) {
  liaison_.register_storage(request, std::move(responder));
}

void Server::handle(const ChangeGroup& request, std::string_view, Responder responder) {
  forward(encode_command(ChangeGroupCommand{request.next}), std::move(responder));
}

// ---- administration ----

void Server::command(std::string payload, std::function<void(Result<std::string>)> done) {
  if (!serving_) return done(Error{Code::unavailable, "this server does not lead", "not_primary"});
  propose(std::move(payload), std::move(done));
}

void Server::fence(VolumeNumber volume, std::function<void()> done) {
  liaison_.fence(volume, std::move(done));
}

// Volumes that were removed, a few files at a time.
void Server::purge_volumes() {
  if (purging_) return;
  for (const auto& [number, volume] : state_.volumes()) {
    if (!volume.is_removed) continue;
    purging_ = true;
    propose(encode_command(PurgeVolumeCommand{number, 500}),
            [this](const Result<std::string>&) { purging_ = false; });
    return;
  }
}

std::vector<SessionView> Server::sessions() const {
  std::vector<SessionView> views;
  for (const auto& [number, record] : state_.sessions()) {
    const auto at = live_.find(number);
    views.push_back({record, leases_.held_by(number), at != live_.end() && !at->second.reclaimed});
  }
  return views;
}

}  // namespace dfs::meta
