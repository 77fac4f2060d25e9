// SPDX-License-Identifier: Apache-2.0
// The event service and Confluent's dialect in a host, with a channel "orders" of two partitions.
#pragma once

#include "services/event/service.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "services/framework/followers.h"
#include "tests/support/check_result.h"
#include "tests/support/services/rig.h"

using base::Json;
using namespace services::event;
using services::test::Rig;

namespace fixture {

inline std::vector<std::unique_ptr<services::Service>> hosted() {
  std::vector<std::unique_ptr<services::Service>> all;
  all.push_back(std::make_unique<EventService>(EventConfig{}));
  all.push_back(std::make_unique<ConfluentService>());
  return all;
}

inline std::string taken(rest::ByteStream& stream) {
  std::string bytes(stream.waiting(), '\0');
  bytes.resize(stream.take(bytes.data(), bytes.size()));
  return bytes;
}

inline constexpr const char* kJsonRecords = "application/vnd.kafka.json.v2+json";

}  // namespace fixture

namespace fixture {

struct EventRig : public Utest {
  Rig rig{hosted()};

  void setup() override {
    for (const char* right : {"event:manage", "event:orders:read", "event:orders:write",
                              "event:orders:manage", "event:gestalt:read"})
      rig.security.granted.insert(std::string("alice/") + right);
    const auto made = rig.send(
        "POST /event/channels",
        {.as = "alice",
         .body = base::dump_json(
             {{"name", "orders"}, {"org_id", services::test::kRootId}, {"partitions", 2}})});
    LONGS_EQUAL(201, made.status);
  }
  Json append(const Json& body) {
    return rig.json("POST /event/channels/orders/events",
                    {.as = "alice", .body = base::dump_json(body)});
  }
  Json read(const std::string& query) {
    return rig.json("GET /event/channels/orders/events" + query, {.as = "alice"});
  }
  rest::Response kafka(const std::string& line, const Json& body = Json(),
                       const std::string& as = "alice") {
    services::test::Sent sent{.as = as, .body = body.is_null() ? "" : base::dump_json(body)};
    sent.headers["content-type"] = kJsonRecords;
    sent.headers["accept"] = kJsonRecords;
    return rig.send(line, sent);
  }
};

}  // namespace fixture
