// SPDX-License-Identifier: Apache-2.0
// The outbox: what a transaction leaves to be told, and the dispatcher that tells it in order.
//
// 1. One row per transaction: its events and its audit record, written with the state they speak
// of.
// 2. Consumers (audit log, EventSink, subscribers) get rows in commit order, each at least once; a
// consumer that fails is tried again with growing pauses and holds up nobody but itself.
// 3. A row is removed when every consumer has it. A crash repeats, and never skips.
// Threads: wake() from any; the consumers run on one worker at a time.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/timers.h"
#include "common/rest/metrics.h"
#include "common/store/store.h"
#include "services/framework/stages.h"

namespace services {

inline constexpr std::string_view kOutbox = "framework.outbox";

struct OutboxRow {
  std::uint64_t sequence = 0;
  std::string audit;  // JSON text, empty when the transaction is not audited
  std::vector<Event> events;
};

store::Collection outbox_collection();
// Gives the row its place in the order, and writes it. Errors: those of the store.
base::Result<void> put_outbox(store::Writer& writer, OutboxRow row);
// Errors: corrupt outbox_unreadable.
base::Result<OutboxRow> parse_outbox(const store::Record& record);

class Dispatcher {
 public:
  struct Parts {
    store::Store& store;
    base::Timers& timers;
    rest::Metrics& metrics;
    // Runs work on a worker; false when there is no room.
    std::function<bool(std::function<void()>)> submit;
    std::function<void(std::function<void()>)> post;  // on the loop
  };
  using Deliver = std::function<base::Result<void>(const std::vector<OutboxRow>& rows)>;

  explicit Dispatcher(Parts parts);
  ~Dispatcher();
  // Requires: before start().
  void add(std::string name, Deliver deliver);
  void start();
  void stop();  // no delivery begins afterwards
  void wake();
  // Everything that is in the outbox now, at once, on this thread: for tests and the clean end.
  base::Result<void> drain();
  std::size_t waiting() const;  // rows that the last round left

 private:
  struct Consumer {
    std::string name;
    Deliver deliver;
    std::string position;  // key of the last row it has
    bool failing = false;
  };
  struct Batch {
    std::string after;  // the position that the rows follow
    std::vector<OutboxRow> rows;
  };
  // One round over all consumers; whether there may be more.
  base::Result<bool> round();
  base::Result<Batch> read_behind(const std::string& position);
  void feed(Consumer& consumer, const Batch& batch);
  // `batch`: what the last consumer was told in this round.
  base::Result<void> remove_delivered(const std::optional<Batch>& batch);
  base::Result<std::vector<std::string>> keys_through(const std::string& last,
                                                      const std::optional<Batch>& batch);
  void run();
  void retry_later();

  Parts parts_;
  std::vector<Consumer> consumers_;
  mutable std::mutex mutex_;  // of the three below
  bool running_ = false;
  bool again_ = false;
  bool stopped_ = true;
  std::mutex round_mutex_;  // one round at a time
  int failures_ = 0;
  std::string removed_through_;
  base::TimerHandle retry_;
  rest::Counter* delivered_ = nullptr;
  rest::Gauge* failing_ = nullptr;
};

}  // namespace services
