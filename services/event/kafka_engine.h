// SPDX-License-Identifier: Apache-2.0
// Channels as topics of a Kafka cluster.
//
// Used by the event service when its configuration names brokers.
// 1. Duplicates are told by the ids of a partition's last events, as in the segment engine. Two
// processes that append the same id at the same moment can store it twice.
// 2. What other producers append is noticed within a second, by looking at the ends of the channels
// that somebody has read lately.
// Threads: any. Lock order: a partition's, then mutex_.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "services/event/engine.h"
#include "services/event/kafka_client.h"
#include "services/event/recent_ids.h"

namespace services::event {

class KafkaEngine final : public Engine {
 public:
  // Makes a topic: KafkaClient::create_topic() but where a test's cluster cannot.
  using TopicMaker =
      std::function<base::Result<void>(const std::string& topic, const ChannelOptions& options)>;
  // Errors: those of KafkaClient::make().
  static base::Result<std::unique_ptr<KafkaEngine>> make(const std::string& brokers,
                                                         const base::Clock& clock,
                                                         TopicMaker topic_maker = {});

  std::string_view name() const override { return "kafka"; }
  base::Result<void> create_channel(const std::string& channel,
                                    const ChannelOptions& options) override;
  base::Result<void> remove_channel(const std::string& channel) override;
  base::Result<std::vector<std::string>> channels() override;
  base::Result<ChannelState> describe(const std::string& channel) override;
  base::Result<std::vector<Placed>> append(const std::string& channel,
                                           std::span<const Chosen> events) override;
  base::Result<std::vector<StoredEvent>> read(const std::string& channel, std::uint32_t partition,
                                              Offset offset, const ReadLimits& limits) override;
  base::Result<Offset> offset_at(const std::string& channel, std::uint32_t partition,
                                 base::WallTime time) override;
  base::Result<void> commit(const std::string& group,
                            std::span<const GroupOffset> offsets) override;
  base::Result<std::optional<Offset>> committed(const std::string& group,
                                                const std::string& channel,
                                                std::uint32_t partition) override;
  void tick() override;
  void on_append(std::function<void(const std::string& channel)> callback) override {
    on_append_ = std::move(callback);
  }

 private:
  struct Partition {
    std::mutex appending;
    RecentIds recent{4096};
    bool is_loaded = false;
    Offset seen_end = 0;
    base::Instant last_read;
  };
  using Place = std::pair<std::string, std::uint32_t>;

  KafkaEngine(std::unique_ptr<KafkaClient> client, const base::Clock& clock, TopicMaker maker);
  // Errors: not_found channel_unknown.
  base::Result<std::uint32_t> partitions_of(const std::string& channel);
  base::Result<void> check_place(const std::string& channel, std::uint32_t partition);
  Partition& at(const std::string& channel, std::uint32_t partition);
  base::Result<void> load_recent(const std::string& channel, std::uint32_t partition,
                                 Partition& its);
  base::Result<std::vector<Placed>> append_to(const std::string& channel, std::uint32_t partition,
                                              const std::vector<const Event*>& events);

  std::unique_ptr<KafkaClient> client_;
  const base::Clock& clock_;
  const TopicMaker make_topic_;
  std::function<void(const std::string&)> on_append_;
  std::mutex mutex_;  // of what follows
  std::map<std::string, std::uint32_t> known_;
  std::map<Place, std::unique_ptr<Partition>> partitions_;  // each stays once it is made
};

}  // namespace services::event
