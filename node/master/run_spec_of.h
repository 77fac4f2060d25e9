// SPDX-License-Identifier: Apache-2.0
// From Marathon's application definition to the RunSpec an agent runs.
#pragma once

#include "node/api/run_spec.h"
#include "node/master/app.h"

namespace node::master {

// `slot` names the persistent volumes of one instance: "<app>.<slot>.<container path>".
api::RunSpec make_run_spec(const App& app, int slot);

}  // namespace node::master
