// SPDX-License-Identifier: Apache-2.0
#include "services/framework/outbox.h"

#include <algorithm>
#include <array>

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/base/text.h"

namespace services {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kRowsPerRound = 256;

std::string key_of(std::uint64_t sequence) {
  std::string digits = std::to_string(sequence);
  return std::string(20 - digits.size(), '0') + digits;
}

// What a row holds of an event, in this order.
std::array<std::string*, 8> fields_of(Event& event) {
  return {&event.id,       &event.name,       &event.time,       &event.org_id,
          &event.org_fqon, &event.account_id, &event.request_id, &event.payload};
}

}  // namespace

store::Collection outbox_collection() { return {.name = std::string(kOutbox), .in_feed = false}; }

Result<void> put_outbox(store::Writer& writer, OutboxRow row) {
  // The feed's position grows with every write, though the rows themselves are not in the feed: it
  // orders them and is never used twice.
  const std::uint64_t sequence = TRY(writer.last_change()) + 1;
  base::ByteWriter out;
  out.text(row.audit).u32(static_cast<std::uint32_t>(row.events.size()));
  for (Event& event : row.events) {
    for (const std::string* field : fields_of(event)) out.text(*field);
  }
  TRY(writer.put(kOutbox, key_of(sequence), out.bytes(), store::kMustBeNew));
  return {};
}

Result<OutboxRow> parse_outbox(const store::Record& record) {
  OutboxRow row;
  const auto read = [&]() -> Result<void> {
    row.sequence = static_cast<std::uint64_t>(TRY(base::parse_int(record.key, 0, INT64_MAX)));
    base::ByteReader in(record.value);
    row.audit = TRY(in.text());
    for (std::uint32_t left = TRY(in.u32()); left > 0; --left) {
      Event event;
      event.sequence = row.sequence;
      for (std::string* field : fields_of(event)) *field = TRY(in.text());
      row.events.push_back(std::move(event));
    }
    return in.end();
  };
  if (read()) return row;
  return Error{Code::corrupt, "a row of the outbox cannot be read", "outbox_unreadable"};
}

Dispatcher::Dispatcher(Parts parts)
    : parts_(std::move(parts)),
      delivered_(&parts_.metrics.counter("services_outbox_delivered_total",
                                         "Rows of the outbox that every consumer has.")),
      failing_(&parts_.metrics.gauge("services_outbox_failing",
                                     "Consumers of the outbox that fail at present.")) {}

Dispatcher::~Dispatcher() { stop(); }

void Dispatcher::add(std::string name, Deliver deliver) {
  consumers_.push_back({std::move(name), std::move(deliver), "", false});
}

void Dispatcher::start() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = false;
  }
  wake();
}

void Dispatcher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  const std::lock_guard round_lock(round_mutex_);  // waits for the round under way
}

void Dispatcher::wake() {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    again_ = true;
    if (running_) return;
    running_ = true;
  }
  if (parts_.submit([this] { run(); })) return;
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
  }
  retry_later();
}

void Dispatcher::run() {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_ || !again_) {
        running_ = false;
        return;
      }
      again_ = false;
    }
    const Result<bool> more = round();
    if (more && *more) {
      const std::lock_guard lock(mutex_);
      again_ = true;
    }
    const bool failed = !more || std::any_of(consumers_.begin(), consumers_.end(),
                                             [](const Consumer& each) { return each.failing; });
    if (!more) base::log::failure("OUTBOX_FAILED", "trying again", {}, more.error());
    failures_ = failed ? failures_ + 1 : 0;
    if (failed) retry_later();
    if (!more) {
      const std::lock_guard lock(mutex_);
      running_ = false;
      return;
    }
  }
}

void Dispatcher::retry_later() {
  const auto pause = std::chrono::milliseconds(50) * (1 << std::min(failures_, 7));
  parts_.post([this, pause] { retry_ = parts_.timers.after(pause, [this] { wake(); }); });
}

Result<Dispatcher::Batch> Dispatcher::read_behind(const std::string& position) {
  Batch batch{position, {}};
  if (Result<void> outcome = parts_.store.read([&](store::Reader& reader) -> Result<void> {
        for (const store::Record& record :
             TRY(reader.list(kOutbox, {.after = position, .limit = kRowsPerRound}))) {
          batch.rows.push_back(TRY(parse_outbox(record)));
        }
        return {};
      });
      !outcome) {
    return std::move(outcome).error();
  }
  return batch;
}

void Dispatcher::feed(Consumer& consumer, const Batch& batch) {
  if (batch.rows.empty()) return;
  const Result<void> delivered = consumer.deliver(batch.rows);
  if (!delivered && !consumer.failing) {
    base::log::failure("OUTBOX_CONSUMER_FAILED", "a consumer of events fails, trying again",
                       {{"consumer", consumer.name}}, delivered.error());
  }
  consumer.failing = !delivered;
  if (delivered) consumer.position = key_of(batch.rows.back().sequence);
}

// Consumers that are equally far are told from the same rows.
Result<bool> Dispatcher::round() {
  const std::lock_guard lock(round_mutex_);
  bool more = false;
  double failing = 0;
  std::optional<Batch> batch;
  for (Consumer& consumer : consumers_) {
    if (!batch || batch->after != consumer.position) batch = TRY(read_behind(consumer.position));
    feed(consumer, *batch);
    more = more || (!consumer.failing && batch->rows.size() == kRowsPerRound);
    failing += consumer.failing ? 1 : 0;
  }
  failing_->set(failing);
  TRY(remove_delivered(batch));
  return more;
}

Result<std::vector<std::string>> Dispatcher::keys_through(const std::string& last,
                                                          const std::optional<Batch>& batch) {
  std::vector<std::string> keys;
  const auto add = [&](std::string key) {
    if (key <= last) keys.push_back(std::move(key));
  };
  if (batch && batch->after == removed_through_ && batch->rows.size() < kRowsPerRound) {
    for (const OutboxRow& row : batch->rows) add(key_of(row.sequence));
    return keys;
  }
  if (Result<void> outcome = parts_.store.read([&](store::Reader& reader) -> Result<void> {
        for (store::Record& record : TRY(reader.list(kOutbox, {.limit = 4 * kRowsPerRound})))
          add(std::move(record.key));
        return {};
      });
      !outcome) {
    return std::move(outcome).error();
  }
  return keys;
}

Result<void> Dispatcher::remove_delivered(const std::optional<Batch>& batch) {
  if (consumers_.empty()) return {};
  std::string least = consumers_.front().position;
  for (const Consumer& each : consumers_) least = std::min(least, each.position);
  if (least.empty() || least <= removed_through_) return {};
  const std::vector<std::string> keys = TRY(keys_through(least, batch));
  if (keys.empty()) return {};
  if (Result<void> outcome = parts_.store.write([&](store::Writer& writer) -> Result<void> {
        for (const std::string& key : keys) TRY(writer.remove(kOutbox, key));
        return {};
      });
      !outcome) {
    return std::move(outcome).error();
  }
  removed_through_ = keys.back();
  delivered_->add(static_cast<double>(keys.size()));
  return {};
}

Result<void> Dispatcher::drain() {
  for (bool more = true; more;) more = TRY(round());
  for (const Consumer& each : consumers_) {
    if (each.failing) {
      return Error{Code::unavailable, each.name + " does not take its events",
                   "outbox_consumer_failing"};
    }
  }
  return {};
}

}  // namespace services
