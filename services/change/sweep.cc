// SPDX-License-Identifier: Apache-2.0
// What becomes of changes by themselves: expiry, release, the outcome of the released call, and
// what other systems say about them.
//
// A release is: state `applying` durable → the call, under an idempotency key of the change →
// outcome durable. Whoever finds `applying` after a restart does the same again, and the key makes
// the call's effect happen once.
#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "services/change/service.h"

namespace services::change {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kSweptAtOnce = 100;
constexpr std::int64_t kRunAgainMs = 60'000;
constexpr std::int64_t kConsultMs = 30'000;
constexpr std::string_view kSelf = "change";

std::int64_t now_of(Host& host) { return host.clock().wall().time_since_epoch().count(); }

std::int64_t earlier(std::int64_t a, std::int64_t b) {
  if (a == 0 || b == 0) return a + b;
  return std::min(a, b);
}

// What the reply of a released call says to people, and where its result is.
std::string message_of(const rest::Response& reply) {
  const auto body = base::parse_json(reply.body);
  if (!body || !body->is_object()) return "answered " + std::to_string(reply.status);
  for (const char* name : {"detail", "message", "error_description"})
    if (const auto found = body->find(name); found != body->end() && found->is_string())
      return found->get<std::string>();
  return "answered " + std::to_string(reply.status);
}

std::string link_of(const rest::Response& reply) {
  const auto header = reply.headers.find("Location");
  if (header != reply.headers.end()) return header->second;
  const auto body = base::parse_json(reply.body);
  if (!body || !body->is_object()) return "";
  const auto href = body->find("href");
  return href != body->end() && href->is_string() ? href->get<std::string>() : "";
}

// What a change does, and where.
Result<std::vector<Scope>> scopes_of(Host& host, store::Reader& reader, const Change& change) {
  std::vector<std::string> deeds = change.also;
  if (deeds.empty()) deeds.push_back(change.org_id + " " + change.action);
  std::vector<Scope> scopes;
  for (const std::string& deed : deeds) {
    const std::size_t blank = deed.find(' ');
    const auto orgs = host.orgs().lineage(reader, deed.substr(0, blank));
    // An organisation that is gone freezes nothing; the call itself will say that it is gone.
    if (!orgs && orgs.error().code != Code::not_found) return orgs.error();
    if (!orgs) continue;
    Scope scope{{}, deed.substr(blank + 1)};
    for (const Org& org : *orgs) scope.lineage.push_back(org.id);
    scopes.push_back(std::move(scope));
  }
  return scopes;
}

}  // namespace

Result<Surroundings> ChangeService::look_around(store::Reader& reader, const Change& change,
                                                std::int64_t now_ms) {
  Surroundings around;
  const auto all = TRY(rules(reader));
  const std::vector<Scope> scopes = TRY(scopes_of(*host_, reader, change));
  if (const auto held = frozen(all->freezes, scopes, now_ms))
    around.frozen_until_ms = held->until_ms;
  for (const std::string& id : change.dependencies) {
    const auto other = load_change(reader, id);
    if (!other && other.error().code != Code::not_found) return other.error();
    const bool is_done = other && other->state == State::completed;
    around.dependencies_done = around.dependencies_done && is_done;
    if (!other || (has_ended(other->state) && !is_done)) around.dependency_failed = true;
  }
  return around;
}

Result<std::optional<Change>> ChangeService::advance(const std::string& id) {
  std::optional<Change> released;
  auto done =
      host_->transact("change.advance", internal_caller(kSelf), [&](Call& call) -> Result<void> {
        released.reset();
        const std::int64_t now = call.now().time_since_epoch().count();
        Change change = TRY(load_change(call.read(), id));
        const Surroundings around = TRY(look_around(call.read(), change, now));
        const Next next = next_step(change, around, now);
        if (next.step == Step::wait) {
          std::int64_t wake = next.wake_ms;
          if (change.adapter != "native" && !has_ended(change.state))
            wake = earlier(wake, now + kConsultMs);
          return save_change(call.write(), change, wake);
        }
        if (next.step == Step::expire || next.step == Step::cancel) {
          change.state = next.step == Step::expire ? State::expired : State::cancelled;
          change.status_text = next.why;
          change.changed_ms = now;
          TRY(save_change(call.write(), change, 0));
          return announce(call, change);
        }
        TRY(begin(change, now));
        if (change.kind == PayloadKind::event) {
          // The event goes out with the outcome, in one transaction.
          call.emit(change.event_name, TRY(base::parse_json(change.payload)));
          TRY(finish(change, true, 200, "sent as " + change.event_name, "", now));
          TRY(save_change(call.write(), change, 0));
          return announce(call, change);
        }
        TRY(save_change(call.write(), change, now + kRunAgainMs));
        released = change;
        return {};
      });
  if (!done) return done.error();
  return released;
}

Result<void> ChangeService::run(const Change& change) {
  Json captured = TRY(base::parse_json(change.payload, {.bytes_max = 16 << 20}));
  rest::Response reply;
  if (hash_of(captured) != change.payload_hash) {
    reply.status = 500;
    reply.body = R"({"message":"the payload is not the one that was approved"})";
  } else {
    captured["idempotency_key"] = "change:" + change.id;
    captured["hash"] = hash_of(captured);
    auto done = host_->perform(captured);
    // Not an answer of the call: it is tried again.
    if (!done && done.error().code != Code::corrupt) return done.error();
    if (!done) {
      reply.status = 500;
      reply.body = base::dump_json({{"message", done.error().detail}});
    } else {
      reply = *std::move(done);
    }
  }
  // The service was busy or away: the call was not carried out, and the next sweep tries again.
  if (reply.status == 429 || reply.status == 503) return {};
  return host_->transact("change.finish", internal_caller(kSelf), [&](Call& call) -> Result<void> {
    Change now = TRY(load_change(call.read(), change.id));
    if (now.state != State::applying) return {};
    TRY(finish(now, reply.status < 400, reply.status, message_of(reply), link_of(reply),
               call.now().time_since_epoch().count()));
    TRY(save_change(call.write(), now, now.adapter == "native" ? 0 : now.changed_ms));
    return announce(call, now);
  });
}

Result<void> ChangeService::handle(const std::string& id) {
  Change change;
  auto read = host_->store().read([&](store::Reader& reader) -> Result<void> {
    change = TRY(load_change(reader, id));
    return {};
  });
  if (!read) return read;
  if (change.adapter != "native") TRY(consult(id));
  const std::optional<Change> released = TRY(advance(id));
  if (released) TRY(run(*released));
  return {};
}

// Tells the other system what we want of it, and takes what it decided.
Result<void> ChangeService::consult(const std::string& id) {
  Change change;
  auto read = host_->store().read([&](store::Reader& reader) -> Result<void> {
    change = TRY(load_change(reader, id));
    return {};
  });
  if (!read) return read;
  auto adapter = TRY(make_adapter(change.adapter));
  const Json desired = {{"reason", change.reason},
                        {"summary", change.action + " in " + change.org_fqon},
                        {"payload_hash", change.payload_hash},
                        {"requester", change.requester_name},
                        {"state", std::string(state_name(change.state))},
                        {"status_text", change.status_text}};
  TRY(reconcile(*adapter, id, desired));
  const auto observed = TRY(adapter->observe(id));
  if (!observed) return {};
  const std::string approval = observed->value("approval", "");
  const Actor by{change.adapter + ":" + observed->value("approver", "unknown"),
                 observed->value("approver", "unknown") + " in " + change.adapter,
                 change.approver_groups,
                 {}};
  return host_->transact("change.consult", internal_caller(kSelf), [&](Call& call) -> Result<void> {
    const std::int64_t now = call.now().time_since_epoch().count();
    Change fresh = TRY(load_change(call.read(), id));
    fresh.external_id = observed->value("external_id", "");
    fresh.external_state = observed->value("external_state", "");
    if (fresh.state == State::pending && approval == "approved") {
      const bool is_approved =
          TRY(approve(fresh, by, observed->value("payload_hash", ""), "", now));
      if (is_approved) call.emit("change.approved", Json{{"change", id}});
    } else if (!has_ended(fresh.state) && fresh.state != State::applying &&
               approval == "rejected") {
      TRY(reject(fresh, by, "", now));
      TRY(announce(call, fresh));
    }
    // Once the other system knows the end there is nothing to ask it any more.
    return save_change(call.write(), fresh, has_ended(fresh.state) ? 0 : now + kConsultMs);
  });
}

void ChangeService::sweep() {
  // One at a time: whoever comes meanwhile makes the one at work look again.
  again_ = true;
  if (sweeping_.exchange(true)) return;
  while (again_.exchange(false)) {
    std::vector<std::string> ids;
    auto read = host_->store().read([&](store::Reader& reader) -> Result<void> {
      ids = TRY(due_changes(reader, now_of(*host_), kSweptAtOnce));
      return {};
    });
    for (const std::string& id : ids) {
      auto done = handle(id);
      if (done) continue;
      base::log::warning("CHANGE_NOT_ADVANCED",
                         "a held change could not be moved on, trying again in a minute",
                         {{"change", id}}, done.error());
      auto later = host_->transact(
          "change.postpone", internal_caller(kSelf), [&](Call& call) -> Result<void> {
            const Change change = TRY(load_change(call.read(), id));
            return save_change(call.write(), change,
                               call.now().time_since_epoch().count() + kRunAgainMs);
          });
      if (!later) read = later;
    }
    if (!read)
      base::log::warning("CHANGE_SWEEP_FAILED", "due changes could not be read, trying again", {},
                         read.error());
    if (read && ids.size() == kSweptAtOnce) again_ = true;
  }
  sweeping_ = false;
  if (again_) sweep();
}

}  // namespace services::change
