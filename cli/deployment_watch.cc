// SPDX-License-Identifier: Apache-2.0
#include "cli/deployment_watch.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/api.h"
#include "cli/deployment_state.h"
#include "cli/event_reader.h"
#include "cli/views.h"
#include "common/base/clock.h"

namespace cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

// How long one stream is listened to before the list is read again, in case an event was lost.
constexpr std::chrono::milliseconds kStreamMax = std::chrono::seconds(10);
// Streams that end at once without a byte: masterd has no event stream, or dies repeatedly.
constexpr int kEmptyStreamsMax = 5;
constexpr const char* kEventsPath =
    "/v2/events?plan-format=light&event_type=deployment_success&event_type=deployment_failed"
    "&event_type=deployment_step_success&event_type=status_update_event"
    "&event_type=health_status_changed_event&event_type=event_stream_attached"
    "&event_type=failed_health_check_event&event_type=app_terminated_event";

class Waiter {
 public:
  Waiter(const Session& session, const WaitFor& wanted, Api events, Api calls)
      : session_(session),
        wanted_(wanted),
        events_(std::move(events)),
        calls_(std::move(calls)),
        state_(wanted.deployment, wanted.app),
        deadline_(base::system_clock().now() + wanted.timeout) {}

  Result<void> run() {
    int empty_streams = 0;
    while (true) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline_ - base::system_clock().now());
      if (left <= std::chrono::milliseconds(0)) return timed_out();
      bool got_bytes = false;
      EventReader reader;
      Result<void> inner;
      const auto outcome = events_.stream(kEventsPath, "text/event-stream",
                                          std::min(left, kStreamMax), [&](std::string_view bytes) {
                                            // The first bytes say that the stream is attached: from
                                            // here on no end is missed.
                                            if (!got_bytes) inner = look();
                                            got_bytes = true;
                                            if (inner) inner = take(reader, bytes);
                                            return inner.has_value() && !ended();
                                          });
      if (!inner) return inner;
      if (!outcome && outcome.error().code != Code::timed_out) return outcome;
      const bool ended_by_itself = outcome.has_value() && !ended();
      empty_streams = ended_by_itself && !got_bytes ? empty_streams + 1 : 0;
      TRY(look());
      if (ended()) return verdict();
      if (empty_streams == kEmptyStreamsMax) {
        return Error{Code::unavailable, "masterd ends its event stream at once",
                     "event_stream_broken"};
      }
    }
  }

 private:
  bool ended() const { return state_.phase() != DeploymentState::Phase::under_way; }

  Result<void> look() {
    const Json list = TRY(calls_.get("/v2/deployments"));
    state_.take_list(list);
    if (!ended()) TRY(show());
    return {};
  }

  Result<void> take(EventReader& reader, std::string_view bytes) {
    const auto events = TRY(reader.push(bytes));
    bool ours = false;
    for (const ServerEvent& event : events) ours = state_.take(event) || ours;
    if (ours && !ended()) TRY(show());
    return {};
  }

  // The app's counts, printed when they changed. An app that is not there (yet, or any more) is no
  // failure of the wait.
  Result<void> show() {
    const auto reply = calls_.get("/v2/apps/" + encode_id(wanted_.app) + "?embed=app.counts");
    if (!reply) return {};
    const std::string line = wanted_.app + ": " + progress_line(value_at(*reply, "app"));
    if (line != shown_) session_.show_progress(line);
    shown_ = line;
    return {};
  }

  Result<void> verdict() {
    session_.end_progress();
    using Phase = DeploymentState::Phase;
    if (state_.phase() == Phase::succeeded) return {};
    if (state_.phase() == Phase::gone) {
      const auto reply = calls_.get("/v2/apps/" + encode_id(wanted_.app) + "?embed=app.counts");
      if (!reply && reply.error().code == Code::not_found && wanted_.removal) return {};
      if (!reply) return reply.error();
      const Json& app = value_at(*reply, "app");
      const bool there = number_at(app, "tasksRunning") == number_at(app, "instances");
      if (there && !wanted_.removal) return {};
    }
    std::string detail = "the deployment of " + wanted_.app + " failed";
    if (!state_.cause().empty()) detail += ": " + state_.cause();
    return Error{Code::failed_precondition, detail, "deployment_failed"};
  }

  Result<void> timed_out() {
    session_.end_progress();
    std::string detail = "the deployment of " + wanted_.app + " has not ended after " +
                         format_duration(static_cast<double>(wanted_.timeout.count()));
    if (!state_.cause().empty()) detail += "; last failure: " + state_.cause();
    // Only to explain: a queue that cannot be read changes nothing.
    const auto queue = calls_.get("/v2/queue");
    const std::string reason = queue ? waiting_reason(*queue, wanted_.app) : std::string();
    if (!reason.empty()) detail += "; " + reason;
    return Error{Code::timed_out, detail, "deployment_timed_out"};
  }

  const Session& session_;
  const WaitFor& wanted_;
  Api events_;
  Api calls_;
  DeploymentState state_;
  base::Instant deadline_;
  std::string shown_;
};

}  // namespace

Result<void> wait_for_deployment(const Session& session, const WaitFor& wanted) {
  Api events = TRY(Api::make(session, Daemon::master));
  Api calls = TRY(Api::make(session, Daemon::master));
  return Waiter(session, wanted, std::move(events), std::move(calls)).run();
}

}  // namespace cli
