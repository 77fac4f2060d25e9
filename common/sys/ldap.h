// SPDX-License-Identifier: Apache-2.0
// A connection to an LDAP server (libldap): bind and search, nothing that writes.
//
// Used by services/security/adapters/ldap, on workers only: every call blocks up to the timeout.
// 1. Certificates are checked: a server without a valid one is not spoken to over ldaps:// or after
// StartTLS, and over plain ldap:// a bind is refused unless the target allows it.
// 2. An empty password never binds: servers take that for an anonymous bind that succeeds.
// 3. Referrals are not followed.
// Threads: one at a time per connection. Errors: unavailable directory_unreachable; timed_out
// directory_timed_out; too_large directory_answer_too_large; invalid_argument
// directory_query_invalid.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace sys {

struct LdapTarget {
  std::string url;  // ldap://host:port or ldaps://host:port
  bool start_tls = false;
  bool allow_plain = false;  // binds without TLS
  std::string ca_file = {};  // PEM; the system's certificates when empty
  std::chrono::seconds timeout{5};
};

struct LdapEntry {
  std::string dn;
  std::map<std::string, std::vector<std::string>> attributes;  // names in lower case
  // The first value, empty when there is none.
  std::string first(std::string_view lower_case_name) const;
};

class LdapConnection {
 public:
  static base::Result<LdapConnection> open(const LdapTarget& target);
  LdapConnection(LdapConnection&&) noexcept;
  LdapConnection& operator=(LdapConnection&&) noexcept;
  ~LdapConnection();

  // false: no such DN, or not its password.
  base::Result<bool> bind(const std::string& dn, const base::Secret& password);
  // Entries below `root`; more than `entries_max` are an error, not a part of the answer.
  base::Result<std::vector<LdapEntry>> search(const std::string& root, const std::string& filter,
                                              const std::vector<std::string>& attributes,
                                              int entries_max);

 private:
  struct State;
  explicit LdapConnection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sys
