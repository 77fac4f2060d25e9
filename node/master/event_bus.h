// SPDX-License-Identifier: Apache-2.0
// GET /v2/events: who listens, and to what.
//
// A subscriber that does not read loses its connection once its buffer is full; it reconnects and
// reads the state anew, as Marathon's clients do.
// Threads: the loop's.
#pragma once

#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/rest/http.h"
#include "node/master/state.h"

namespace node::master {

struct EventFilter {
  std::set<std::string> types;  // empty: all
  bool light = false;           // plan-format=light
};
// From ?event_type=…&event_type=…&plan-format=light. Errors: invalid_argument query_invalid.
base::Result<EventFilter> read_event_filter(const rest::Request& request);

class EventBus {
 public:
  // A new subscriber; it and all others are told with event_stream_attached.
  std::shared_ptr<rest::ByteStream> attach(EventFilter filter, const std::string& peer,
                                           const std::string& now);
  void publish(const std::vector<Event>& events);
  // A comment line to every subscriber, so that dead connections are found.
  void keep_alive();
  std::size_t subscribers() const { return subscribers_.size(); }
  base::Json list() const;

 private:
  struct Subscriber {
    std::shared_ptr<rest::ByteStream> stream;  // shared with the frame, which ends it on its own
    EventFilter filter;
    std::string peer;
  };
  void drop_closed();
  std::list<Subscriber> subscribers_;
};

}  // namespace node::master
