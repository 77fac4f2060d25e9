// SPDX-License-Identifier: Apache-2.0
// The stages of the pipeline that services provide. Each is registered with Host::provide() in
// Service::start().
//
// Order for each call: limits, trace, authenticate (Identity), resolve target (Orgs, the row's
// resolve), authorise (Authorizer), validate, idempotency, policy limits and pre-events (Policy),
// gate (Gate), execute, post-events (Policy::after), outbox. Configuration is no stage: no call is
// decided by it, and who needs it asks meta for the view of a resource, which has a hash.
// Not provided: Identity refuses every credential, Orgs knows no organisation, an Authorizer
// denies; Policy and Gate are skipped. Threads: any, several at a time. They read through the
// Reader they are given.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/rest/auth.h"
#include "common/store/store.h"
#include "services/framework/action.h"
#include "services/framework/call.h"

namespace services {

// What a request shows of itself. `peer_uid` is set on the unix socket; without an Authorization
// header uid 0 there is the node's administrator.
struct Presented {
  std::string_view authorization;  // the header's value, empty when absent
  std::optional<uid_t> peer_uid;
};

class Identity {
 public:
  virtual ~Identity() = default;
  // Runs on the loop for queries: at most 50 µs from its cache, store reads otherwise, nothing that
  // blocks. Errors: unauthenticated credentials_missing, credentials_invalid.
  virtual base::Result<CallerPtr> authenticate(store::Reader& reader, const Presented& shown) = 0;
};

class Orgs {
 public:
  virtual ~Orgs() = default;
  virtual base::Result<std::optional<Org>> find_fqon(store::Reader& reader,
                                                     std::string_view fqon) = 0;
  virtual base::Result<std::optional<Org>> find_id(store::Reader& reader, std::string_view id) = 0;
  // From the root to the organisation itself. Errors: not_found org_unknown.
  virtual base::Result<std::vector<Org>> lineage(store::Reader& reader, std::string_view id) = 0;
};

struct Question {
  const Caller& caller;
  Access access;            // right(name) or entitlement(name)
  std::string_view action;  // the row's name
  const Target& target;
};
struct Decision {
  bool allowed = false;
  std::string because;  // one line: the grant that allows it, or what is missing
};

// Provided twice: by security for rights, by meta for entitlements.
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  // `call` takes explain() lines when the caller asked for them.
  virtual base::Result<Decision> decide(store::Reader& reader, const Question& question,
                                        Call& call) = 0;
};

class Policy {
 public:
  virtual ~Policy() = default;
  // Limit rules. Called twice for a mutation: on a snapshot, and again inside the transaction just
  // before the handler, so that two calls at once cannot both pass. Changes nothing.
  // Errors: failed_precondition policy_denied, with the predicate's text.
  virtual base::Result<void> limits(Call& call) = 0;
  // Pre-event rules, outside the transaction on a worker; may call out, change mutable_body() (it
  // is validated again) or deny. true: the handler is suppressed and a task is the receipt.
  virtual base::Result<bool> before(Call& call) = 0;
  // Post-event rules, inside the transaction after the handler: emits.
  virtual base::Result<void> after(Call& call, const Reply& reply) = 0;
  // Whether any pre- or post-rule can match, so that most calls pay nothing.
  virtual bool concerns(std::string_view action) = 0;
};

class Gate {
 public:
  virtual ~Gate() = default;
  // Inside the transaction, instead of the handler: nullopt lets the call pass; a Reply (202 with a
  // task made by call.task()) holds it: the gate has written call.capture() into its own records.
  virtual base::Result<std::optional<Reply>> hold(Call& call) = 0;
  // On a snapshot: whether hold() has something to do. For calls that need no transaction
  // otherwise.
  virtual base::Result<bool> may_hold(Call& call) = 0;
};

// A row of the outbox.
struct Event {
  std::uint64_t sequence = 0;  // grows by one per event, in commit order
  std::string id;              // UUID; the same at each delivery
  std::string name;            // "meta.environment.created"
  std::string time;            // RFC 3339
  std::string org_id;
  std::string org_fqon;
  std::string account_id;  // who caused it
  std::string request_id;
  std::string payload;  // JSON text
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  // Durable when it returns. Called by the dispatcher only, in order, at least once; an error makes
  // it come again later with the same events first. May drop ids that it has seen.
  virtual base::Result<void> append(std::span<const Event> events) = 0;
};

// Where audit records go once they are committed (the audit service).
class AuditSink {
 public:
  struct Entry {
    std::uint64_t sequence = 0;  // of the outbox row: grows, and names the record for good
    std::string record;          // JSON text
  };
  virtual ~AuditSink() = default;
  // Durable when it returns. In order, at least once: entries up to the last one it has are
  // skipped.
  virtual base::Result<void> append(std::span<const Entry> entries) = 0;
};

}  // namespace services
