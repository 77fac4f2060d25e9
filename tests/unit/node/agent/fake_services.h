// SPDX-License-Identifier: Apache-2.0
// systemd as the supervisor sees it: units that the test lets run and end.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/sys/bus.h"

namespace agent_test {

class FakeServices final : public sys::ServiceManager {
 public:
  explicit FakeServices(sys::EventLoop& loop) : loop_(loop) {}

  std::map<std::string, sys::ServiceState> units;
  std::vector<std::string> calls;                      // "start gst-….service"
  std::function<void(const std::string&)> on_changed;  // the observer's
  std::string start_error;                             // reason; empty: starts succeed
  bool stops_end_at_once = true;
  int stops_lost = 0;  // as many fail, and the unit goes on
  int sets_lost = 0;   // as many changes of limits fail

  sys::ServiceState& add_running(const std::string& unit, std::uint32_t pid = 4711) {
    sys::ServiceState state;
    state.unit = {unit, "loaded", "active", "running"};
    state.main_pid = pid;
    state.control_group = "/nothing/" + unit;
    return units[unit] = state;
  }
  // The main process ends as `code` (CLD_…) and `status` say.
  void end(const std::string& unit, int code, int status) {
    sys::ServiceState& state = units.at(unit);
    const bool good = code == 1 && status == 0;
    state.unit.active_state = good ? "active" : "failed";
    state.unit.sub_state = good ? "exited" : "failed";
    state.exec_main_code = code;
    state.exec_main_status = status;
    state.result = good ? "success" : code == 1 ? "exit-code" : "signal";
    if (on_changed) on_changed(unit);
  }
  bool has_call(const std::string& text) const {
    for (const std::string& each : calls) {
      if (each == text) return true;
    }
    return false;
  }

  void start_transient(const std::string& unit, const std::vector<sys::UnitProperty>& properties,
                       Done<void> done) override {
    calls.push_back("start " + unit);
    last_properties = properties;
    if (!start_error.empty()) {
      return answer<void>(done, base::Error{base::Code::internal, "the job failed", start_error});
    }
    if (units.contains(unit)) {
      return answer<void>(done,
                          base::Error{base::Code::already_exists, "it is there", "unit_exists"});
    }
    add_running(unit);
    answer<void>(done, {});
  }
  void stop(const std::string& unit, Done<void> done) override {
    calls.push_back("stop " + unit);
    if (stops_lost > 0) {
      --stops_lost;
      return answer<void>(
          done, base::Error{base::Code::unavailable, "the connection was lost", "bus_no_reply"});
    }
    if (stops_end_at_once) units.erase(unit);
    answer<void>(done, {});
  }
  void kill(const std::string& unit, int, Done<void> done) override {
    calls.push_back("kill " + unit);
    answer<void>(done, {});
  }
  void reset_failed(const std::string& unit, Done<void> done) override {
    calls.push_back("reset " + unit);
    units.erase(unit);
    answer<void>(done, {});
  }
  void set_properties(const std::string& unit, const std::vector<sys::UnitProperty>& properties,
                      Done<void> done) override {
    calls.push_back("set " + unit);
    if (sets_lost > 0) {
      --sets_lost;
      return answer<void>(done,
                          base::Error{base::Code::unavailable, "systemd is away", "bus_lost"});
    }
    last_properties = properties;
    answer<void>(done, {});
  }
  void list(const std::string&, Done<std::vector<sys::UnitStatus>> done) override {
    std::vector<sys::UnitStatus> out;
    for (const auto& [name, state] : units) out.push_back(state.unit);
    answer<std::vector<sys::UnitStatus>>(done, out);
  }
  void get_service(const std::string& unit, Done<sys::ServiceState> done) override {
    const auto at = units.find(unit);
    if (at == units.end()) {
      return answer<sys::ServiceState>(
          done, base::Error{base::Code::not_found, "no unit " + unit, "unit_unknown"});
    }
    answer<sys::ServiceState>(done, at->second);
  }
  void start(const std::string& unit, Done<void> done) override {
    calls.push_back("start-again " + unit);
    answer<void>(done, {});
  }
  void restart(const std::string&, Done<void> done) override { answer<void>(done, {}); }
  void reload(const std::string&, Done<void> done) override { answer<void>(done, {}); }

  std::vector<sys::UnitProperty> last_properties;

 private:
  template <class T>
  void answer(Done<T> done, base::Result<T> result) {
    loop_.post([done = std::move(done), result = std::move(result)] { done(result); });
  }
  sys::EventLoop& loop_;
};

}  // namespace agent_test
