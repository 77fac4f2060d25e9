// SPDX-License-Identifier: Apache-2.0
// What masterd, agentd and operators send to netfwd: services, instances, a policy. What is taken
// is written as what reads as the same again.
#include "netfw/api/wire.h"

#include <cstdint>

#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = base::parse_json({reinterpret_cast<const char*>(data), size});
  if (!json) return 0;
  if (const auto services = netfw::read_services(*json)) {
    CHECK_THAT(services->services.size() <= netfw::kServicesMax);
    for (const netfw::Service& service : services->services) {
      CHECK_THAT(!base::dump_json(netfw::write_service(service)).empty());
    }
    CHECK_THAT(!base::dump_json(netfw::write_problems(services->problems)).empty());
  }
  if (const auto instance = netfw::read_instance(*json, "")) {
    const base::Json written = netfw::write_instance(*instance);
    const auto again = netfw::read_instance(written, "");
    CHECK_THAT(again && *again == *instance);
  }
  if (const auto instances = netfw::read_instances(*json, netfw::NodeName("n1"))) {
    for (const netfw::Instance& each : *instances) CHECK_THAT(each.node.text() == "n1");
  }
  if (const auto policy = netfw::read_policy(*json)) {
    const base::Json written = netfw::write_policy(*policy);
    const auto again = netfw::read_policy(written);
    CHECK_THAT(again && *again == *policy);
  }
  return 0;
}
