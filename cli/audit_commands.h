// SPDX-License-Identifier: Apache-2.0
// `gestalt audit …`: checks an audit log by its files alone, without a daemon.
#pragma once

#include <string>

#include "cli/session.h"

namespace cli {

struct AuditVerifyOptions {
  std::string folder = "/var/lib/gestalt/services/audit";
  std::string key = {};       // base64url; empty: that of the folder's public-key.txt
  std::string expected = {};  // "N:HASH" of a head that was noted before; must be in the chain
};
// Every line of every file. Exit status 0 when all of it is whole, 1 when anything is not.
Status audit_verify(const Session& session, const AuditVerifyOptions& options);

}  // namespace cli
