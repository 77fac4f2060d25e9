// SPDX-License-Identifier: Apache-2.0
#include "netfw/dns/zone.h"

#include <algorithm>

#include "common/base/crc32c.h"
#include "common/base/text.h"

namespace netfw::dns {

namespace {

// "/shop/cart" → "cart.shop", the task's name.
std::string task_name(const ServiceId& id) {
  std::string name;
  for (const std::string_view segment : base::split(id.text(), '/')) {
    if (segment.empty()) continue;
    name = name.empty() ? std::string(segment) : std::string(segment) + "." + name;
  }
  return name;
}

std::string with_hyphens(std::string name) {
  std::replace(name.begin(), name.end(), '.', '-');
  return name;
}

// A name for one instance, which its ports lead to.
std::string instance_label(const InstanceId& id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const std::uint32_t sum = base::crc32c(id.text());
  std::string label = "i-";
  for (int shift = 28; shift >= 0; shift -= 4) label += kDigits[(sum >> shift) & 0xf];
  return label;
}

}  // namespace

std::string Zone::below(const std::string& name) const {
  return name + "." + options_.framework + "." + options_.domain;
}

void Zone::add(Record record) {
  // What stands above a name exists as well.
  for (std::size_t dot = record.name.find('.'); dot != std::string::npos;
       dot = record.name.find('.', dot + 1)) {
    const std::string above = record.name.substr(dot + 1);
    if (above.size() >= options_.domain.size()) names_.try_emplace(above);
  }
  std::vector<Record>& records = names_[record.name];
  if (std::find(records.begin(), records.end(), record) == records.end()) {
    records.push_back(std::move(record));
  }
}

void Zone::add_service(const Service& service, const std::vector<const Instance*>& instances,
                       std::vector<Problem>& problems) {
  const std::string task = task_name(service.id);
  const std::string label = with_hyphens(task);
  const std::string srv = below("_" + label + "._tcp");
  // The longest of its names, for an instance behind a port.
  if (!name_to_wire(srv) || !name_to_wire("i-00000000." + below(label)) ||
      !name_to_wire(below(task))) {
    problems.push_back({service.id.text(), "", "its name is too long for DNS: it has none there"});
    return;
  }
  const auto has_address = [this](const std::string& name) {
    const auto found = names_.find(name);
    return found != names_.end() && !found->second.empty();
  };
  if (has_address(below(label))) {
    problems.push_back({service.id.text(), "",
                        "another application has the name " + below(label) + ": it has none"});
    return;
  }
  const bool dotted = task != label && !has_address(below(task));
  for (const Instance* instance : instances) {
    const std::string target = instance_label(instance->id) + "." + below(label);
    for (const std::string& name : {below(label), target}) {
      add(address_record(name, options_.ttl_s, instance->address));
    }
    if (dotted) add(address_record(below(task), options_.ttl_s, instance->address));
    for (const ServicePort& port : service.ports) {
      if (port.index >= instance->ports.size()) continue;
      const std::uint16_t number = instance->ports[port.index];
      for (const auto& [is_open, protocol] :
           {std::pair(port.tcp, "_tcp"), std::pair(port.udp, "_udp")}) {
        const std::string name = below("_" + label + "." + protocol);
        if (is_open) add(srv_record(name, options_.ttl_s, number, target));
      }
    }
  }
}

std::shared_ptr<const Zone> Zone::make(const std::vector<Service>& services,
                                       const std::map<InstanceId, Instance>& instances,
                                       const ZoneOptions& options, std::uint32_t serial,
                                       std::vector<Problem>& problems) {
  std::shared_ptr<Zone> zone(new Zone(options));
  const std::string server = "ns1." + options.domain;
  zone->soa_ = soa_record(options.domain, options.ttl_s,
                          {.server = server,
                           .mailbox = "root." + server,
                           .serial = serial,
                           .refresh = 60,
                           .retry = 600,
                           .expire = 86400,
                           .minimum = options.ttl_s});
  zone->add(zone->soa_);
  zone->add(ns_record(options.domain, options.ttl_s, server));
  std::map<ServiceId, std::vector<const Instance*>> healthy;
  for (const auto& [id, instance] : instances) {
    if (instance.state == InstanceState::healthy) healthy[instance.service].push_back(&instance);
  }
  std::vector<const Service*> in_order;
  for (const Service& service : services) in_order.push_back(&service);
  std::sort(in_order.begin(), in_order.end(),
            [](const Service* a, const Service* b) { return a->id < b->id; });
  for (const Service* service : in_order) {
    const auto found = healthy.find(service->id);
    if (found != healthy.end()) zone->add_service(*service, found->second, problems);
  }
  return zone;
}

Answer Zone::find(const Query& query) const {
  if (query.wrong != Rcode::ok) return {.rcode = query.wrong};
  const bool inside = query.name == options_.domain || query.name.ends_with("." + options_.domain);
  if (!inside || query.qclass != kClassIn) return {.rcode = Rcode::refused};
  Answer answer{.authoritative = true};
  const auto found = names_.find(query.name);
  if (found == names_.end()) {
    answer.rcode = Rcode::name_error;
    answer.authority.push_back(soa_);
    return answer;
  }
  const auto wanted = static_cast<Type>(query.type);
  for (const Record& record : found->second) {
    // "Any" is one kind of what there is (RFC 8482).
    const bool fits =
        wanted == Type::any ? record.type == found->second.front().type : record.type == wanted;
    if (fits) answer.answers.push_back(record);
  }
  if (answer.answers.empty()) {
    answer.authority.push_back(soa_);
    return answer;
  }
  const std::size_t first = turn_.fetch_add(1, std::memory_order_relaxed) % answer.answers.size();
  std::rotate(answer.answers.begin(), answer.answers.begin() + static_cast<std::ptrdiff_t>(first),
              answer.answers.end());
  if (answer.answers.front().type != Type::srv) return answer;
  for (const Record& record : answer.answers) {
    const auto target = names_.find(srv_target(record));
    if (target == names_.end()) continue;
    answer.additional.insert(answer.additional.end(), target->second.begin(), target->second.end());
  }
  return answer;
}

}  // namespace netfw::dns
