// SPDX-License-Identifier: Apache-2.0
// Kafka's engine against the contract, on librdkafka's own cluster of mock brokers: real sockets
// and the real protocol, in this process. It cannot make topics over the protocol, so the rig makes
// them by its call.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "common/sys/handle.h"
#include "services/event/kafka_client.h"
#include "services/event/kafka_engine.h"
#include "tests/contract/event_suite.h"

namespace {

using services::event::ChannelOptions;
using services::event::KafkaEngine;

class SteppingClock final : public base::Clock {
 public:
  base::Instant now() const override { return base::system_clock().now(); }
  base::WallTime wall() const override { return base::system_clock().wall() + ahead_; }
  void step() { ahead_ += std::chrono::milliseconds(10); }

 private:
  std::chrono::milliseconds ahead_{0};
};

class KafkaRig : public contract::EventEngine {
 public:
  KafkaRig() {
    char text[256];
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof text));
    CHECK_THAT(handle_ != nullptr);
    cluster_.reset(rd_kafka_mock_cluster_new(handle_.get(), 3));
    CHECK_THAT(cluster_ != nullptr);
  }
  services::event::Engine& open() override {
    if (!engine_) {
      engine_ = UNWRAP(KafkaEngine::make(
          rd_kafka_mock_cluster_bootstraps(cluster_.get()), clock_,
          [this](const std::string& topic, const ChannelOptions& options) -> base::Result<void> {
            const auto code = rd_kafka_mock_topic_create(cluster_.get(), topic.c_str(),
                                                         static_cast<int>(options.partitions), 3);
            CHECK_THAT(code == RD_KAFKA_RESP_ERR_NO_ERROR);
            return {};
          }));
    }
    return *engine_;
  }
  services::event::Engine& reopen() override {
    engine_.reset();
    return open();
  }
  void let_time_pass() override { clock_.step(); }

 private:
  sys::Handle<rd_kafka_t, rd_kafka_destroy> handle_;
  sys::Handle<rd_kafka_mock_cluster_t, rd_kafka_mock_cluster_destroy> cluster_;
  SteppingClock clock_;
  std::unique_ptr<KafkaEngine> engine_;
};

}  // namespace

TEST_GROUP(KafkaEvents) { KafkaRig engine; };

EVENT_CONTRACT_TESTS(KafkaEvents, CONTRACT_TEST)

TEST(KafkaEvents, what_others_append_wakes_readers_at_the_next_tick) {
  auto& log = engine.open();
  CHECK_OK(log.create_channel("one", {}));
  int woken = 0;
  log.on_append([&woken](const std::string&) { ++woken; });
  CHECK_TRUE(UNWRAP(log.read("one", 0, 0, {})).empty());
  log.tick();
  LONGS_EQUAL(0, woken);
  auto other = UNWRAP(services::event::KafkaClient::make(
      "127.0.0.1:1", base::system_clock()));  // only to show that making does not connect
  other.reset();
  const services::event::Event event{"x", "n", std::nullopt, "1"};
  const services::event::Chosen chosen{event};
  CHECK_OK(log.append("one", std::span(&chosen, 1)));
  LONGS_EQUAL(1, woken);
  log.tick();
  LONGS_EQUAL(2, woken);
  log.tick();
  LONGS_EQUAL(2, woken);
}
