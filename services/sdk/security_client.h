// SPDX-License-Identifier: Apache-2.0
// The SDK for programs that take calls with Gestalt's credentials: who is it, what may he do.
//
// Linked by services outside of our process and by users' programs.
//
//   sdk::SecurityClient client({.url = "http://127.0.0.1:9000/security", .api_key = …});
//   const auto who = TRY(client.authenticate(request_header));
//   TRY(who.require("cart:write"));
//
// 1. An answer is kept for at most 30 seconds, so a revoked credential lives on for no longer; what
// was refused is kept for one second, so that a flood of bad tokens is not passed on.
// 2. Kept by SHA-256 of what was presented; never more than `cache_max` entries.
// Threads: authenticate() on workers (it may call out), one client per thread or behind a lock.
// Errors: unauthenticated credentials_missing, credentials_invalid; permission_denied
// right_missing; those of sys::HttpClient when the service does not answer: then nobody passes.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/sys/http_client.h"
#include "services/security/api/grant.h"

namespace sdk {

struct Principal {
  std::string account_id, username, org_id;
  std::vector<std::string> group_ids;
  std::vector<security::Grant> rights;
  // One of the rights matches, with the wildcards of either side. Errors: right_missing.
  base::Result<void> require(std::string_view right) const;
};

class SecurityClient {
 public:
  struct Options {
    std::string url;      // of the service's mount
    std::string api_key;  // of the program itself: it may inspect tokens of its organisation
    base::Secret api_secret;
    std::string ca_file = {};
    std::chrono::seconds cache_for{30};  // at most 30
    std::size_t cache_max = 10'000;
    const base::Clock* clock = &base::system_clock();
  };
  explicit SecurityClient(Options options);
  // From an Authorization header: `Bearer T`, `token=T` or `Basic KEY:SECRET`.
  base::Result<Principal> authenticate(std::string_view authorization);

 private:
  base::Result<Principal> ask(std::string_view authorization);
  base::Result<sys::HttpReply> post(const std::string& path, const std::string& authorization,
                                    const std::string& form);
  struct Entry {
    base::Result<Principal> outcome;
    base::Instant until;
  };
  Options options_;
  sys::HttpClient http_;
  std::unordered_map<std::string, Entry> cache_;
};

}  // namespace sdk
