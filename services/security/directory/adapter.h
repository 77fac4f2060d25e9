// SPDX-License-Identifier: Apache-2.0
// What security asks of a directory that somebody else keeps: LDAP, Active Directory.
//
// Implemented in services/security/adapters; called on workers only.
// 1. External directories are read, never written.
// 2. Names and values are data: an adapter escapes them for its protocol.
// Threads: any, several at a time. Errors: unavailable directory_unreachable; timed_out;
// invalid_argument directory_config_invalid; too_large directory_answer_too_large.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/base/secret.h"

namespace security {

struct ExternalGroup {
  std::string dn, name;
  std::optional<std::string> description = {};
};
struct ExternalAccount {
  std::string dn, username, first_name, last_name;
  std::optional<std::string> description = {}, email = {}, phone = {};
  std::vector<ExternalGroup> groups = {};
};

// `*` in a value matches any text.
struct AccountQuery {
  std::optional<std::string> username = {}, email = {}, phone = {};
};

class DirectoryAdapter {
 public:
  virtual ~DirectoryAdapter() = default;
  // Checks a configuration before it is stored. Errors carry a pointer within it.
  virtual base::Result<void> validate(const base::Json& config) const = 0;
  // `config` with the system password in clear. nullopt: no such account, or not its password.
  virtual base::Result<std::optional<ExternalAccount>> authenticate(
      const base::Json& config, std::string_view username, const base::Secret& password) = 0;
  virtual base::Result<std::vector<ExternalAccount>> find_accounts(const base::Json& config,
                                                                   const AccountQuery& query) = 0;
  virtual base::Result<std::vector<ExternalGroup>> find_groups(const base::Json& config,
                                                               std::string_view name) = 0;
};

}  // namespace security
