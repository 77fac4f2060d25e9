// SPDX-License-Identifier: Apache-2.0
// Which events of a channel a reader sees: all of them, except in the system's channel, where the
// events of every organisation are. There it sees those of the organisations in which it has the
// right, and of what stands below them.
//
// Used by the routes and by Confluent's dialect. What was decided when a request came holds until
// the request ends. Threads: a plain value.
#pragma once

#include <string>
#include <vector>

#include "services/event/event.h"
#include "services/framework/call.h"

namespace services::event {

class EventService;

class Audience {
 public:
  // Errors: those of the store. Requires: the caller may read the channel (check_right).
  static base::Result<Audience> of(EventService& service, Call& call, const std::string& channel);
  bool sees(const StoredEvent& stored) const;

 private:
  bool sees_all_ = true;
  std::vector<std::string> fqons_;  // of the organisations whose events it sees
};

}  // namespace services::event
