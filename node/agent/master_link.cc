// SPDX-License-Identifier: Apache-2.0
#include "node/agent/master_link.h"

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/rest/client.h"

namespace node::agent {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kCallDeadline{5000};
constexpr seconds kIdleReport{1};
constexpr int kConflict = 409;

}  // namespace

MasterLink::MasterLink(Parts parts)
    : parts_(std::move(parts)), backoff_(milliseconds(50), seconds(2)) {}

void MasterLink::start() {
  started_ = true;
  if (!call_) send();
  idle_ = parts_.loop.every(kIdleReport, [this] {
    if (!call_ && !retry_) send();
  });
}

void MasterLink::changed(const api::InstanceId& id) {
  changed_.insert(id);
  if (started_ && !call_ && !retry_) send();
}

void MasterLink::send() {
  retry_.reset();
  api::StatusReport report{parts_.boot, ++sequence_, full_, {}};
  if (full_) {
    report.instances = parts_.all();
  } else {
    for (const api::InstanceId& id : changed_) {
      if (auto status = parts_.find(id)) report.instances.push_back(*std::move(status));
    }
  }
  changed_.clear();
  const base::Json body = to_json(report);
  sys::HttpCall call = rest::make_call(
      {.url = "unix:" + parts_.socket}, rest::Method::put,
      "/internal/v1/agents/" + base::percent_encode(parts_.node) + "/status", &body);
  call.timeout = kCallDeadline;
  call_ = parts_.http.send(
      std::move(call), [this](base::Result<sys::HttpReply> reply) { finish(std::move(reply)); });
}

void MasterLink::finish(base::Result<sys::HttpReply> reply) {
  call_.reset();
  const bool accepted = reply && reply->status / 100 == 2;
  if (accepted) {
    full_ = false;
    backoff_.reset();
    if (told_away_) base::log::notice("AGENT_MASTER_BACK", "masterd takes reports again");
    told_away_ = false;
    connected_ = true;
    if (!changed_.empty()) send();
    return;
  }
  full_ = true;
  if (reply && reply->status == kConflict && connected_) {
    // A new masterd, or one that missed a report: tell it everything now.
    connected_ = false;
    return send();
  }
  connected_ = false;
  if (!told_away_) {
    const base::Error error =
        reply ? base::Error{base::Code::unavailable, "status " + std::to_string(reply->status),
                            "connect_failed"}
              : reply.error();
    base::log::warning("AGENT_MASTER_AWAY", "masterd took no report, trying again", {}, error);
    told_away_ = true;
  }
  retry_ = parts_.loop.after(backoff_.next(), [this] { send(); });
}

}  // namespace node::agent
