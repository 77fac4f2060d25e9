// SPDX-License-Identifier: Apache-2.0
#include "services/sdk/request_filter.h"

#include "common/rest/http.h"

namespace sdk {

namespace {

Refusal refusal_of(const base::Error& error) {
  const bool is_ours =
      error.code == base::Code::unauthenticated || error.code == base::Code::permission_denied;
  const base::Error told =
      is_ours ? error
              : base::Error{base::Code::unavailable, "who you are cannot be asked just now",
                            "security_unavailable"};
  const rest::Response reply = rest::problem(told, "");
  Refusal refusal{reply.status, {{"Content-Type", "application/problem+json"}}, reply.body};
  if (refusal.status == 401) {
    refusal.headers.emplace("WWW-Authenticate", "Bearer realm=\"gestalt\"");
    refusal.headers.emplace("WWW-Authenticate", "Basic realm=\"gestalt\", charset=\"UTF-8\"");
  } else if (refusal.status == 503) {
    refusal.headers.emplace("Retry-After", "1");
  }
  return refusal;
}

}  // namespace

RequestFilter::Verdict RequestFilter::look(std::string_view authorization) {
  base::Result<Principal> who = client_.authenticate(authorization);
  if (!who) return {std::nullopt, refusal_of(who.error())};
  if (!right_.empty()) {
    const base::Result<void> may = who->require(right_);
    if (!may) return {std::nullopt, refusal_of(may.error())};
  }
  return {*std::move(who), {}};
}

}  // namespace sdk
