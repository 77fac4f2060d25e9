// SPDX-License-Identifier: Apache-2.0
// The firewall of the time before the daemon: put into the kernel at boot, before any interface is
// up, and then left alone.
//
// Used by gestalt-netfw-boot.service through main().
// 1. It needs no store, no configuration and no daemon: what is missing or damaged is replaced by
// something narrower.
// 2. SSH from the management networks is open in all of them.
// 3. Services and instances have no part in it: at boot none runs. Their sets stay as they are, so
// that it may also run on a node that serves.
#pragma once

#include <string_view>

#include "common/base/result.h"
#include "netfw/daemon/config.h"

namespace netfw {

inline constexpr char kBootFlag[] = "--boot";

struct BootPolicy {
  Policy policy;
  std::string_view origin;  // "stored", "configured", "networks", "minimal"
};
// The stored policy; without one, the configuration's, with the management networks of the last
// life when it names none; when these are unknown or one of all cannot be read or locks out, the
// narrowest. `config` is nullptr when the file cannot be read. Opens a store that is there
// and makes none.
BootPolicy choose_boot_policy(const Config* config);

// gestalt-netfwd --boot [--config FILE]. Exit status: 0 it is in force, 1 it is not, 2 wrong usage.
int boot_main(int argc, char** argv);

}  // namespace netfw
