// SPDX-License-Identifier: Apache-2.0
// The event service: channels over REST, natively and in Confluent's dialect, and the sink of
// everything that the other services emit.
//
// Owns channels (whose organisation each is) and, through its engine, their events. The system's
// own events are in the channel "gestalt".
// 1. Reading needs the right event:CHANNEL:read of the channel's organisation, writing
// event:CHANNEL:write, making, changing and removing event:CHANNEL:manage.
// 2. What the outbox hands over is stored in its order, once, in one partition. Of it a reader gets
// the events of the organisations in which it has the right (audience.h).
// 3. Groups of readers belong to the organisation of the credential that names them.
// When it is down: the outbox keeps what the services emit. Alone: gestalt-services
// --services=security,event.
// Threads: handlers on workers; followers on the loop.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "common/base/disk.h"
#include "services/event/consumers.h"
#include "services/event/engine.h"
#include "services/event/schemas.h"
#include "services/framework/followers.h"
#include "services/framework/host.h"
#include "services/framework/service.h"
#include "services/framework/stages.h"

namespace services::event {

inline constexpr std::string_view kChannelRecords = "event.channels";
inline constexpr const char* kSystemChannel = "gestalt";

struct EventConfig {
  std::string brokers;         // of Kafka, host:port,…; empty: the embedded log
  ChannelOptions system = {};  // of the channel "gestalt"
};

class EventService final : public Service, public EventSink {
 public:
  explicit EventService(EventConfig config) : config_(std::move(config)) {}
  ~EventService() override;

  std::string_view name() const override { return "event"; }
  std::string_view mount() const override { return "/event"; }
  std::vector<store::Collection> collections() const override;
  std::vector<Schema> schemas() const override { return event_schemas(); }
  void actions(ActionTable& table) override;
  base::Result<void> start(Host& host) override;
  void stop() override;
  base::Json health() override;

  base::Result<void> append(std::span<const services::Event> events) override;

  Engine& engine() { return *engine_; }
  Followers& followers() { return *followers_; }
  Host& host() { return *host_; }

  enum class Need { read, write, manage };
  // Errors: not_found channel_unknown, also for a caller with no right to the channel at all;
  // permission_denied right_missing.
  base::Result<void> check_right(Call& call, const std::string& channel, Need need);
  base::Result<bool> has_right(Call& call, const std::string& channel, Need need);
  base::Result<Org> owner_of(Call& call, const std::string& channel);
  // Where the caller may read the system's channel.
  base::Result<std::vector<Org>> readable_orgs(Call& call);
  // The engine's name of a group: the same name is another group for another organisation.
  static std::string group_of(const Call& call, const std::string& name);

 private:
  base::Result<bool> is_granted(Call& call, const std::string& channel, Need need, const Org& org);

  const EventConfig config_;
  Host* host_ = nullptr;
  std::unique_ptr<base::Disk> disk_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Followers> followers_;
};

// Confluent's REST proxy, version 2, over the same channels: its mount is "/kafka".
class ConfluentService final : public Service {
 public:
  std::string_view name() const override { return "kafka"; }
  std::string_view mount() const override { return "/kafka"; }
  Dialect dialect() const override { return Dialect::confluent; }
  std::vector<store::Collection> collections() const override { return {}; }
  std::vector<Schema> schemas() const override { return kafka_schemas(); }
  void actions(ActionTable& table) override;
  base::Result<void> start(Host& host) override;

  EventService& events() { return *events_; }
  Host& host() { return *host_; }
  std::mutex& mutex() { return mutex_; }
  Consumers& consumers() { return consumers_; }  // under mutex()

 private:
  Host* host_ = nullptr;
  EventService* events_ = nullptr;
  std::mutex mutex_;
  Consumers consumers_;
};

// {"kafka_brokers", "retention_bytes", "retention_hours"}, all optional; the last two of "gestalt".
base::Result<std::unique_ptr<Service>> make_event_service(const base::Json& config);
base::Result<std::unique_ptr<Service>> make_confluent_service(const base::Json& config);

}  // namespace services::event
