// SPDX-License-Identifier: Apache-2.0
// Events as JSON, natively.
//
// Used by routes.cc. Threads: plain functions.
#pragma once

#include "common/base/json.h"
#include "services/event/engine.h"

namespace services::event {

// {"uuid"?, "event_name", "data"?, "key"?, "partition"?}; `fresh_id` names one that has no uuid.
// Errors: invalid_argument with a pointer that begins with `pointer`.
base::Result<Chosen> read_event(const base::Json& json, const std::string& pointer,
                                const std::string& fresh_id);
// Data that is JSON is "data", other bytes are "data_base64".
base::Json show_event(const StoredEvent& stored);

}  // namespace services::event
