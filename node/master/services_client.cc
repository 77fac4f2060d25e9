// SPDX-License-Identifier: Apache-2.0
#include "node/master/services_client.h"

#include <nlohmann/json.hpp>

#include "common/base/log.h"

namespace node::master {
namespace {

using base::Json;

constexpr base::Duration kDelayMin = std::chrono::milliseconds(50);
constexpr base::Duration kDelayMax = std::chrono::seconds(5);
constexpr int kProblemsLogged = 10;

}  // namespace

std::string service_text(const App& app) {
  Json ports = Json::array();
  for (std::size_t i = 0; i < app.ports.size(); ++i) {
    const PortSlot& slot = app.ports[i];
    if (slot.service_port == 0) continue;
    const char* protocol = slot.protocol == "udp" ? "udp" : "tcp";
    ports.push_back({{"index", i}, {"service_port", slot.service_port}, {"protocol", protocol}});
  }
  return base::dump_json(
      {{"id", app.id}, {"labels", (*app.document)["labels"]}, {"ports", std::move(ports)}});
}

std::string ServicesText::render(const Scheduler& scheduler, std::int64_t generation) {
  std::map<std::string, Rendered> kept;
  std::string services;
  for (const auto& [id, app] : scheduler.apps()) {
    AppPtr shown = app.current;
    // An unreadable app serves on as its last readable version says, if there is one.
    if (!app.unreadable.empty() && !app.versions.empty()) shown = app.versions.rbegin()->second;
    if (shown == nullptr) continue;
    auto old = rendered_.extract(id);
    if (old.empty() || old.mapped().app != shown) {
      kept[id] = {shown, service_text(*shown)};
    } else {
      kept.insert(std::move(old));
    }
    if (!services.empty()) services += ',';
    services += kept[id].text;
  }
  rendered_ = std::move(kept);
  return R"({"generation":)" + std::to_string(generation) + R"(,"services":[)" + services + "]}";
}

base::Result<std::unique_ptr<ServicesClient>> ServicesClient::make(sys::EventLoop& loop,
                                                                   std::string socket) {
  auto http = TRY(sys::AsyncHttp::make(loop));
  return std::unique_ptr<ServicesClient>(
      new ServicesClient(loop, std::move(socket), std::move(http)));
}

void ServicesClient::send(const Scheduler& scheduler) {
  if (socket_.empty()) return;
  waiting_ = text_.render(scheduler, ++generation_);
  if (!under_way_ && timer_ == nullptr) call();
}

void ServicesClient::call() {
  timer_.reset();
  if (waiting_.empty()) return;
  sys::HttpCall call;
  call.method = "PUT";
  call.url = "http://netfwd/v1/services";
  call.unix_socket = socket_;
  call.headers["Content-Type"] = "application/json";
  call.body = waiting_;
  sent_ = std::exchange(waiting_, "");
  under_way_ = true;
  handle_ = http_->send(std::move(call),
                        [this](base::Result<sys::HttpReply> reply) { done(std::move(reply)); });
}

void ServicesClient::done(base::Result<sys::HttpReply> reply) {
  under_way_ = false;
  if (reply && reply->status / 100 == 2) {
    delay_ = {};
    complained_ = false;
    const auto body = base::parse_json(reply->body);
    if (body && body->is_object() && body->contains("problems") && (*body)["problems"].is_array()) {
      int logged = 0;
      for (const Json& problem : (*body)["problems"]) {
        if (++logged > kProblemsLogged) break;
        base::log::warning("MASTER_SERVICE_LABEL_REFUSED",
                           "netfwd refused a label of an application, leaving it out",
                           {{"problem", base::dump_json(problem)}});
      }
    }
  } else {
    if (waiting_.empty()) waiting_ = sent_;
    if (!complained_) {
      const base::Error error =
          reply ? base::Error{base::Code::unavailable,
                              "netfwd answered " + std::to_string(reply->status), "netfw_refused"}
                : reply.error();
      base::log::warning("MASTER_NETFW_FAILED", "netfwd did not take the services, trying again",
                         {}, error);
      complained_ = true;
    }
    delay_ = std::clamp(delay_ * 2, kDelayMin, kDelayMax);
  }
  if (waiting_.empty()) return;
  if (delay_.count() == 0) {
    call();
  } else {
    timer_ = loop_.after(delay_, [this] { call(); });
  }
}

}  // namespace node::master
