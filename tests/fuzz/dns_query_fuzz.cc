// SPDX-License-Identifier: Apache-2.0
// Queries for names: whatever the bytes are, they are no query, or one that has an answer within
// its limit, which is no query itself.
#include <cstdint>

#include "common/base/check.h"
#include "netfw/dns/zone.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace netfw;
  static const auto zone = [] {
    std::vector<Problem> problems;
    std::vector<Service> services = {
        {.id = *parse_service_id("/shop/cart"), .ports = {{.index = 0}}}};
    std::map<InstanceId, Instance> instances;
    for (int i = 0; i < 60; ++i) {
      const InstanceId id = *parse_instance_id("c." + std::to_string(i));
      instances[id] = {.id = id,
                       .service = services[0].id,
                       .node = *parse_node_name("n1"),
                       .address = *IpAddress::parse("10.0.0." + std::to_string(i)),
                       .ports = {31000},
                       .state = InstanceState::healthy};
    }
    return dns::Zone::make(services, instances, {}, 1, problems);
  }();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto query = dns::read_query(bytes);
  if (!query) return 0;
  CHECK_THAT(query->udp_size >= dns::kUdpPlain && query->udp_size <= dns::kUdpMax);
  const dns::Answer answer = zone->find(*query);
  const std::string reply = dns::write_reply(*query, answer, query->udp_size);
  CHECK_THAT(reply.size() >= 12 && reply.size() <= query->udp_size);
  CHECK_THAT(reply.substr(0, 2) == bytes.substr(0, 2));
  CHECK_THAT(!dns::read_query(reply));
  CHECK_THAT(dns::write_reply(*query, answer, dns::kMessageMax).size() <= dns::kMessageMax);
  return 0;
}
