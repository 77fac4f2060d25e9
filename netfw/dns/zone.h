// SPDX-License-Identifier: Apache-2.0
// The names of what runs, as Mesos-DNS gives them, made of what netfwd knows of services and
// instances.
//
// Used by the engine, which makes a zone with each change, and by the server. For the application
// /shop/cart in the domain "mesos":
//   cart-shop.marathon.mesos, cart.shop.marathon.mesos    addresses of the healthy instances
//   _cart-shop._tcp.marathon.mesos                        their ports; the targets have addresses
// 1. Two applications can have one name: the lesser id has it, the other is told as a problem.
// 2. A name below which there are others exists, without records (RFC 8020).
// Threads: immutable once made. Source: Mesos-DNS' documentation, "Service naming".
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "netfw/api/wire.h"
#include "netfw/dns/message.h"

namespace netfw::dns {

struct ZoneOptions {
  std::string domain = "mesos";
  std::string framework = "marathon";
  std::uint32_t ttl_s = 5;  // of answers and of their absence
};

class Zone {
 public:
  // `serial` grows with each zone.
  static std::shared_ptr<const Zone> make(const std::vector<Service>& services,
                                          const std::map<InstanceId, Instance>& instances,
                                          const ZoneOptions& options, std::uint32_t serial,
                                          std::vector<Problem>& problems);
  // Instances of a service take turns in being the first.
  Answer find(const Query& query) const;
  std::size_t size() const { return names_.size(); }

 private:
  explicit Zone(ZoneOptions options) : options_(std::move(options)) {}
  void add(Record record);
  void add_service(const Service& service, const std::vector<const Instance*>& instances,
                   std::vector<Problem>& problems);
  std::string below(const std::string& name) const;

  const ZoneOptions options_;
  std::unordered_map<std::string, std::vector<Record>> names_;
  Record soa_;
  mutable std::atomic<std::size_t> turn_ = 0;
};

}  // namespace netfw::dns
