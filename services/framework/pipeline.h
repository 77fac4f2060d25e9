// SPDX-License-Identifier: Apache-2.0
// One request through the stages, in the order that stages.h names. For the host only.
// Threads: one at a time; the loop for queries, a worker for the rest.
#pragma once

#include <optional>

#include "services/framework/call_state.h"
#include "services/framework/running_host.h"

namespace services {

class Pipeline {
 public:
  Pipeline(RunningHost& host, std::size_t row_index, const rest::Request& request);
  rest::Response run();
  // As run() but for this caller as it is now, without credentials and gate.
  rest::Response run_as(CallerPtr caller, std::string href_base);

 private:
  base::Result<Reply> go();
  base::Result<void> look_at_flags();
  base::Result<void> parse_body();
  // Everything before the action, on one snapshot. True: `reply_` is the answer already.
  base::Result<bool> admit(store::Reader& reader);
  base::Result<void> authenticate(store::Reader& reader);
  base::Result<void> resolve(store::Reader& reader);
  base::Result<void> authorise(store::Reader& reader);
  base::Result<void> validate();
  base::Result<Reply> query();
  base::Result<Reply> mutate();
  base::Result<Reply> execute();
  base::Result<Reply> execute_beside();
  base::Result<std::optional<Reply>> hold_beside();
  base::Result<std::optional<Reply>> earlier_reply();  // under the same key, of a faster call
  // The part of execute() inside the transaction.
  base::Result<Reply> act(store::Writer& writer);
  base::Result<void> record(store::Writer& writer, const Reply& reply);
  base::Result<Reply> begin_async();
  base::Result<Reply> suppressed();
  Reply would(const Reply& reply) const;
  static Reply would_beside(const Reply& reply);
  std::string audit_text(std::string_view outcome, int status, const base::Error* error) const;
  void after_commit();
  rest::Response finish(base::Result<Reply> outcome);
  rest::Response told(rest::Response reply) const;  // to the watcher of replies
  void add_explanation(rest::Response& reply) const;
  bool is_refusal(const base::Error& error) const;

  RunningHost& host_;
  const std::size_t index_;
  const ActionRow& row_;
  const rest::Request& request_;
  Call call_;
  Call::State& state_;
  bool trusted_ = false;  // run_as: the caller is given
  std::optional<IdempotencyKey> key_;
  std::optional<Reply> reply_;
  std::optional<base::Error> body_error_;
  base::Duration wait_{0};  // of a caller that calls too often: until it may again
  base::Instant started_;
};

}  // namespace services
