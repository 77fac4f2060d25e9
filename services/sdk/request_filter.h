// SPDX-License-Identifier: Apache-2.0
// In front of a program's handlers, whatever HTTP server it has: a request passes with who sent it,
// or is answered at once.
//
//   sdk::RequestFilter filter(client, "cart:write");
//   const auto passed = filter.look(authorization_header);
//   if (!passed.principal) return reply(passed.refusal.status, …headers, passed.refusal.body);
//
// Threads, cost: those of SecurityClient::authenticate(). Source of the replies: RFC 9110 sections
// 15.5.2 and 15.5.4, RFC 9457.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "services/sdk/security_client.h"

namespace sdk {

struct Refusal {
  int status = 0;  // 401, 403, or 503 while the security service does not answer
  std::multimap<std::string, std::string> headers;
  std::string body;  // problem+json
};

class RequestFilter {
 public:
  // An empty `right`: whoever has credentials. Requires: `client` outlives the filter.
  RequestFilter(SecurityClient& client, std::string right)
      : client_(client), right_(std::move(right)) {}

  struct Verdict {
    std::optional<Principal> principal;  // set: the request passes
    Refusal refusal;
  };
  // `authorization`: the request's header, empty when it has none.
  Verdict look(std::string_view authorization);

 private:
  SecurityClient& client_;
  std::string right_;
};

}  // namespace sdk
