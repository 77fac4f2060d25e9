// SPDX-License-Identifier: Apache-2.0
// Idempotency keys: the reply to a mutation, kept with the mutation, for who sends it again.
//
// 1. A key is bound to its caller and to a hash of method, path, query and body; another request
// under the same key is refused.
// 2. The reply is written in the mutation's own transaction, so that a crash leaves both or
// neither.
// 3. Keys expire after a day.
// 4. A reply may hold a secret: it is stored sealed, under a key that takes the host's own key, the
// client's Idempotency-Key and the request to work out, so that the store alone tells nothing.
// Threads: those of the transaction.
#pragma once

#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/secret.h"
#include "common/rest/http.h"
#include "common/store/store.h"
#include "services/framework/caller.h"

namespace services {

inline constexpr std::string_view kIdempotency = "framework.idempotency";
inline constexpr std::size_t kIdempotencyKeyMax = 255;

struct IdempotencyKey {
  std::string id;       // of the record: a hash over caller and key
  std::string request;  // hash over the request
  base::Secret secret;  // that the reply is sealed with
};

store::Collection idempotency_collection();
// nullopt when the request has no Idempotency-Key. `host_key`: of the host, 32 bytes. Errors:
// invalid_argument idempotency_key_invalid.
base::Result<std::optional<IdempotencyKey>> read_idempotency_key(const rest::Request& request,
                                                                 const Caller& caller,
                                                                 const base::Secret& host_key);
// The reply that was given before. Errors: failed_precondition idempotency_key_reused,
// idempotency_reply_lost when the host has another key now than when it sealed the reply.
base::Result<std::optional<rest::Response>> find_reply(store::Reader& reader,
                                                       const IdempotencyKey& key,
                                                       base::WallTime now);
// Errors: conflict idempotency_raced when another call under the key was faster.
base::Result<void> save_reply(store::Writer& writer, const IdempotencyKey& key,
                              const rest::Response& reply, base::WallTime now, base::Rng& rng);
// Removes what has expired, at most `limit`; returns how many.
base::Result<std::size_t> expire_replies(store::Writer& writer, base::WallTime now,
                                         std::size_t limit);

}  // namespace services
