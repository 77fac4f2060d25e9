// SPDX-License-Identifier: Apache-2.0
// Commands that change the firewall's policy of a node: `fw apply`, `fw confirm`, `fw rollback`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/session.h"

namespace cli {

// `file` holds a policy in JSON; `-` is standard input. Without `confirm_seconds` the daemon
// decides whether the policy goes on trial.
Status firewall_apply(const Session& session, const std::string& file,
                      std::optional<std::int64_t> confirm_seconds);
// Keeps the policy on trial. When it takes access away, the SSH session that this is called in must
// have begun after it was put into force.
Status firewall_confirm(const Session& session);
Status firewall_rollback(const Session& session);

// The client's end of a session, "10.0.0.2:4711" or "[fd00::2]:4711", from what sshd leaves in
// SSH_CONNECTION; empty when it is of another shape. Pure. Source: ssh(1), ENVIRONMENT.
std::string ssh_client(std::string_view connection);

}  // namespace cli
