// SPDX-License-Identifier: Apache-2.0
// GET /v2/events: who listens, and to what.
//
// 1. Every event has an id; the last ones are kept, at most kKeptEvents and kKeptBytes. A
// subscriber that names the last id it saw gets what came since, or is told of a gap.
// 2. A subscriber that does not read is cut off once kBacklogMax bytes wait for it: the reason is
// the last event of its stream and goes to the others as event_stream_detached.
// Threads: the loop's.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/rest/http.h"
#include "node/master/state.h"

namespace node::master {

inline constexpr std::size_t kKeptEvents = 2000;
inline constexpr std::size_t kKeptBytes = 2 << 20;
inline constexpr std::size_t kBacklogMax = 4 << 20;

struct EventFilter {
  std::set<std::string> types;  // empty: all
  bool light = false;           // plan-format=light
  std::string last_id;          // of the event the client saw last; empty: it asks for none
};
// From ?event_type=…&event_type=…&plan-format=light and Last-Event-ID. Errors: invalid_argument
// query_invalid.
base::Result<EventFilter> read_event_filter(const rest::Request& request);

class EventBus {
 public:
  explicit EventBus(base::Clock& clock);
  // A new subscriber; it and all others are told with event_stream_attached.
  std::shared_ptr<rest::ByteStream> attach(EventFilter filter, const std::string& peer);
  void publish(std::vector<Event> events);
  // A comment line to every subscriber, so that dead connections are found.
  void keep_alive();
  std::size_t subscribers() const { return subscribers_.size(); }

 private:
  struct Subscriber {
    std::shared_ptr<rest::ByteStream> stream;  // shared with the frame, which ends it on its own
    EventFilter filter;
    std::string peer;
    std::string reason;  // why it is cut off, once it is
  };
  struct Kept {
    std::int64_t number;
    Event event;
  };
  void keep(Event event);
  void send(Subscriber& subscriber, const Kept& kept);
  bool replay(Subscriber& subscriber);
  // Those that have gone leave the list; the others are told.
  void drop_closed();
  std::string id_of(std::int64_t number) const { return run_ + "." + std::to_string(number); }

  base::Clock& clock_;
  std::string run_;  // begins the ids of this process
  std::int64_t last_number_ = 0;
  std::deque<Kept> kept_;
  std::size_t kept_bytes_ = 0;
  std::list<Subscriber> subscribers_;
};

}  // namespace node::master
