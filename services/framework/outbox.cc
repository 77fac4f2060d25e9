// SPDX-License-Identifier: Apache-2.0
#include "services/framework/outbox.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/log.h"

namespace services {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kRowsPerRound = 256;

std::string key_of(std::uint64_t sequence) {
  std::string digits = std::to_string(sequence);
  return std::string(20 - digits.size(), '0') + digits;
}

}  // namespace

store::Collection outbox_collection() { return {.name = std::string(kOutbox)}; }

Result<void> put_outbox(store::Writer& writer, OutboxRow row) {
  // The feed's position grows with every write, so it orders rows and is never used twice.
  const std::uint64_t sequence = TRY(writer.last_change()) + 1;
  Json events = Json::array();
  for (const Event& event : row.events) {
    events.push_back({event.id, event.name, event.time, event.org_id, event.org_fqon,
                      event.account_id, event.request_id, event.payload});
  }
  const Json json = {{"audit", row.audit}, {"events", std::move(events)}};
  TRY(writer.put(kOutbox, key_of(sequence), base::dump_json(json), store::kMustBeNew));
  return {};
}

Result<OutboxRow> parse_outbox(const store::Record& record) {
  const Error damaged{Code::corrupt, "a row of the outbox cannot be read", "outbox_unreadable"};
  const auto json = base::parse_json(record.value, {.bytes_max = 16 << 20});
  if (!json || !json->is_object() || !json->contains("events")) return damaged;
  OutboxRow row;
  row.sequence = std::strtoull(record.key.c_str(), nullptr, 10);
  row.audit = json->value("audit", "");
  for (const Json& each : (*json)["events"]) {
    if (!each.is_array() || each.size() != 8) return damaged;
    Event event;
    event.sequence = row.sequence;
    std::string* const fields[] = {&event.id,         &event.name,     &event.time,
                                   &event.org_id,     &event.org_fqon, &event.account_id,
                                   &event.request_id, &event.payload};
    for (std::size_t i = 0; i < 8; ++i) {
      if (!each[i].is_string()) return damaged;
      *fields[i] = each[i].get<std::string>();
    }
    row.events.push_back(std::move(event));
  }
  return row;
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

Result<bool> Dispatcher::feed(Consumer& consumer) {
  std::vector<OutboxRow> rows;
  std::string last;
  if (Result<void> outcome = parts_.store.read([&](store::Reader& reader) -> Result<void> {
        const auto records =
            TRY(reader.list(kOutbox, {.after = consumer.position, .limit = kRowsPerRound}));
        for (const store::Record& record : records) {
          rows.push_back(TRY(parse_outbox(record)));
          last = record.key;
        }
        return {};
      });
      !outcome) {
    return std::move(outcome).error();
  }
  if (rows.empty()) return false;
  const Result<void> delivered = consumer.deliver(rows);
  if (!delivered) {
    if (!consumer.failing) {
      base::log::failure("OUTBOX_CONSUMER_FAILED", "a consumer of events fails, trying again",
                         {{"consumer", consumer.name}}, delivered.error());
    }
    consumer.failing = true;
    return false;
  }
  consumer.failing = false;
  consumer.position = std::move(last);
  return rows.size() == kRowsPerRound;
}

Result<bool> Dispatcher::round() {
  const std::lock_guard lock(round_mutex_);
  bool more = false;
  double failing = 0;
  for (Consumer& consumer : consumers_) {
    const bool full = TRY(feed(consumer));
    more = more || full;
    failing += consumer.failing ? 1 : 0;
  }
  failing_->set(failing);
  TRY(remove_delivered());
  return more;
}

Result<void> Dispatcher::remove_delivered() {
  if (consumers_.empty()) return {};
  std::string least = consumers_.front().position;
  for (const Consumer& each : consumers_) least = std::min(least, each.position);
  if (least.empty() || least <= removed_through_) return {};
  std::vector<std::string> keys;
  if (Result<void> outcome = parts_.store.read([&](store::Reader& reader) -> Result<void> {
        const auto records = TRY(reader.list(kOutbox, {.limit = 4 * kRowsPerRound}));
        for (const store::Record& record : records) {
          if (record.key <= least) keys.push_back(record.key);
        }
        return {};
      });
      !outcome) {
    return std::move(outcome).error();
  }
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
