// SPDX-License-Identifier: Apache-2.0
#include "node/agent/netfw_link.h"

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/rest/client.h"

namespace node::agent {

namespace {

using base::Json;
using rest::Method;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kPatience{500};
constexpr milliseconds kNetfwDeadline{10'000};
constexpr seconds kResync{30};

Json to_json(const std::string& node, const NetfwInstance& instance) {
  static constexpr const char* kWords[] = {"starting", "healthy", "unhealthy", "draining"};
  return {{"service", instance.service},
          {"node", node},
          {"address", instance.address},
          {"ports", instance.ports},
          {"state", kWords[static_cast<int>(instance.exposure)]}};
}

std::string path_of(const api::InstanceId& id) {
  return "/v1/instances/" + base::percent_encode(id.text());
}

bool is_accepted(const base::Result<sys::HttpReply>& reply) {
  return reply && reply->status / 100 == 2;
}

}  // namespace

NetfwLink::NetfwLink(Parts parts)
    : parts_(std::move(parts)), backoff_(milliseconds(50), seconds(5)) {}

void NetfwLink::start() {
  started_ = true;
  resync();
  periodic_ = parts_.loop.every(kResync, [this] {
    if (!resync_call_ && !retry_) resync();
  });
}

void NetfwLink::set(const api::InstanceId& id, NetfwInstance instance, Done done) {
  const auto at = entries_.try_emplace(id).first;
  Entry& entry = at->second;
  const bool same = entry.wanted == instance;
  if (!same) {
    entry.wanted = std::move(instance);
    entry.sent = false;
    entry.skip_ack = entry.call != nullptr;
  }
  if (entry.sent || away_) {
    if (done) parts_.loop.post(std::move(done));
    return;
  }
  if (done) {
    entry.waiters.push_back(std::move(done));
    entry.patience = parts_.loop.after(kPatience, [this, id] {
      const auto found = entries_.find(id);
      if (found != entries_.end()) release(found->second);
    });
  }
  // While the whole truth is under way nothing may overtake it; what is unsent follows it.
  if (!entry.call && !resync_call_) push(at);
}

void NetfwLink::remove(const api::InstanceId& id) {
  const auto at = entries_.find(id);
  if (at == entries_.end()) return;
  Entry& entry = at->second;
  entry.wanted.reset();
  entry.sent = false;
  release(entry);
  if (away_) {
    // The next resync does not name it any more, which deletes it.
    entries_.erase(at);
    return;
  }
  // A PUT under way is dropped: its outcome does not matter any more.
  if (!resync_call_) push(at);
}

void NetfwLink::push(Entries::iterator at) {
  Entry& entry = at->second;
  entry.skip_ack = false;
  const bool deleting = !entry.wanted;
  const Json body = deleting ? Json() : to_json(parts_.node, *entry.wanted);
  sys::HttpCall call =
      rest::make_call({.url = "unix:" + parts_.socket}, deleting ? Method::del : Method::put,
                      path_of(at->first), deleting ? nullptr : &body);
  call.timeout = kNetfwDeadline;
  entry.call =
      parts_.http.send(std::move(call), [this, id = at->first](base::Result<sys::HttpReply> reply) {
        const bool accepted = is_accepted(reply);
        if (!accepted) {
          set_away(reply ? "status " + std::to_string(reply->status) : reply.error().detail);
        }
        finish(id, accepted);
      });
}

void NetfwLink::finish(const api::InstanceId& id, bool accepted) {
  const auto at = entries_.find(id);
  if (at == entries_.end()) return;
  Entry& entry = at->second;
  entry.call.reset();
  if (!accepted) {
    release(entry);
    if (!entry.wanted) entries_.erase(at);
    return;
  }
  if (entry.skip_ack) return push(at);
  if (!entry.wanted) {
    entries_.erase(at);
    return;
  }
  entry.sent = true;
  release(entry);
}

void NetfwLink::release(Entry& entry) {
  entry.patience.reset();
  auto waiters = std::move(entry.waiters);
  entry.waiters.clear();
  for (Done& waiter : waiters) parts_.loop.post(std::move(waiter));
}

void NetfwLink::set_away(const std::string& detail) {
  if (!told_away_) {
    base::log::warning("AGENT_NETFW_AWAY", "netfwd did not take a change, trying again",
                       {{"detail", detail}});
    told_away_ = true;
  }
  away_ = true;
  if (retry_ || resync_call_) return;
  retry_ = parts_.loop.after(backoff_.next(), [this] { resync(); });
}

void NetfwLink::resync() {
  retry_.reset();
  Json list = Json::array();
  for (auto& [id, entry] : entries_) {
    entry.skip_ack = false;
    if (!entry.wanted) continue;
    Json item = to_json(parts_.node, *entry.wanted);
    item["id"] = id.text();
    list.push_back(std::move(item));
  }
  const Json body{{"instances", std::move(list)}};
  sys::HttpCall call =
      rest::make_call({.url = "unix:" + parts_.socket}, Method::put,
                      "/v1/nodes/" + base::percent_encode(parts_.node) + "/instances", &body);
  call.timeout = kNetfwDeadline;
  // What is set while this is under way must be sent again afterwards.
  for (auto& [id, entry] : entries_) entry.sent = entry.wanted.has_value();
  resync_call_ = parts_.http.send(std::move(call), [this](base::Result<sys::HttpReply> reply) {
    resync_call_.reset();
    const bool accepted = is_accepted(reply);
    if (!accepted) {
      for (auto& [id, entry] : entries_) entry.sent = false;
      return set_away(reply ? "status " + std::to_string(reply->status) : reply.error().detail);
    }
    finish_resync(accepted);
  });
}

void NetfwLink::finish_resync(bool accepted) {
  if (!accepted) return;
  away_ = false;
  backoff_.reset();
  if (told_away_) base::log::notice("AGENT_NETFW_BACK", "netfwd knows this node's instances again");
  told_away_ = false;
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    if (!at->second.sent && !at->second.call) push(at);
  }
}

void NetfwLink::drain(const api::InstanceId& id, milliseconds deadline, Done done) {
  const auto at = entries_.find(id);
  if (away_ || at == entries_.end() || !at->second.wanted) {
    return parts_.loop.post(std::move(done));
  }
  const Json body{{"deadline_ms", deadline.count()}};
  sys::HttpCall call = rest::make_call({.url = "unix:" + parts_.socket}, Method::post,
                                       path_of(id) + "/drain", &body);
  call.timeout = deadline + kPatience;
  const std::uint64_t number = drain_next_++;
  drains_[number] = parts_.http.send(
      std::move(call), [this, number, done = std::move(done)](const base::Result<sys::HttpReply>&) {
        const auto handle = drains_.extract(number);
        done();
      });
}

}  // namespace node::agent
