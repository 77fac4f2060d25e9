// SPDX-License-Identifier: Apache-2.0
// From the bodies of Marathon's requests to changes of the desired state, with all that is wrong.
//
// Pure: reads the scheduler, changes nothing.
#pragma once

#include <optional>
#include <string>

#include "node/master/problems.h"
#include "node/master/scheduler.h"

namespace node::master {

inline constexpr std::size_t kAppsMax = 10'000;

enum class Partial { no, yes };
enum class Create { no, yes };

// One app of a PUT, PATCH or POST. `id` is absolute and wins over the body's. With {"version": v}
// alone the definition of that version is the update. Errors: not_found app_unknown,
// version_unknown; definition errors go to `problems` (then the App is not to be used).
base::Result<std::optional<App>> edit_app(const Scheduler& scheduler, const std::string& id,
                                          const base::Json& body, Partial partial, Create create,
                                          const std::string& pointer, Problems& problems);

// A group of a PUT or POST, with everything below it.
base::Result<std::optional<Change>> edit_group(const Scheduler& scheduler, const std::string& id,
                                               const base::Json& body, Create create,
                                               Problems& problems);
// The removal of a group and all in it.
Change remove_group(const Scheduler& scheduler, const std::string& id);

// What holds for the whole after a change: no circles, no app that is also a group, not too many.
void check_whole(const Scheduler& scheduler, const Change& change, Problems& problems);

}  // namespace node::master
