// SPDX-License-Identifier: Apache-2.0
// systemd's manager over the system bus: transient units, their properties and their ends.
//
// 1. All calls are asynchronous and answer on the loop thread; the bus never blocks the loop.
// 2. The connection is made again when the bus goes away; `on_reconnect` then asks the owner to
// look at the units afresh. Threads: loop thread only (sd-bus objects are tied to it). Source:
// org.freedesktop.systemd1(5), sd-bus(3), systemd >= 239.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/sys/event_loop.h"

namespace sys {

struct UnitProperty {
  std::string name;
  // bool b, uint64 t, uint32 u, int32 i, string s, string array as, or ExecStart-like list of argv
  // (a(sasb)).
  std::variant<bool, std::uint64_t, std::uint32_t, std::int32_t, std::string,
               std::vector<std::string>, std::vector<std::vector<std::string>>>
      value;
};

struct UnitStatus {
  std::string name;
  std::string load_state;    // loaded, not-found, …
  std::string active_state;  // active, activating, deactivating, inactive, failed
  std::string sub_state;     // running, exited, dead, …
};

struct ServiceState {
  UnitStatus unit;
  std::uint32_t main_pid = 0;
  std::int32_t exec_main_status = 0;  // exit status or signal number
  std::int32_t exec_main_code =
      0;                      // CLD_EXITED, CLD_KILLED, CLD_DUMPED of <signal.h>; 0 while running
  std::string result;         // success, exit-code, signal, core-dump, oom-kill, timeout, …
  std::string control_group;  // path below the hierarchy's root
};

// Errors of every call: unavailable bus_unreachable (not sent), bus_no_reply (it may have been
// carried out); permission_denied bus_not_permitted; invalid_argument unit_invalid; not_found
// unit_unknown; failed_precondition unit_unusable; throttled bus_calls_full; internal
// bus_call_failed. Done never runs inside the call. Requires: not destroyed inside its own
// callbacks.
class ServiceManager {
 public:
  template <class T>
  using Done = std::function<void(base::Result<T>)>;

  struct Observer {
    // A unit whose name starts with the watched prefix changed its state or went away.
    std::function<void(const std::string& unit)> on_unit_changed;
    std::function<void()> on_reconnect;
  };

  // `unit_prefix` limits which units are observed. `bus_address` is the system bus unless given
  // (sd_bus_set_address(3)). Errors: unavailable bus_unreachable.
  static base::Result<std::unique_ptr<ServiceManager>> make(EventLoop& loop,
                                                            std::string unit_prefix,
                                                            Observer observer,
                                                            std::string bus_address = {});
  virtual ~ServiceManager() = default;  // calls under way end without their Done

  // Done comes when the start job has ended. Errors: already_exists unit_exists; internal
  // unit_start_failed with the job's result in the detail.
  virtual void start_transient(const std::string& unit, const std::vector<UnitProperty>& properties,
                               Done<void> done) = 0;
  // Stops with the unit's KillSignal and TimeoutStopSec. A unit that is not there is stopped: no
  // error.
  virtual void stop(const std::string& unit, Done<void> done) = 0;
  // `signal` to all processes of the unit.
  virtual void kill(const std::string& unit, int signal, Done<void> done) = 0;
  // A unit that is not there has not failed: no error.
  virtual void reset_failed(const std::string& unit, Done<void> done) = 0;
  // Changes cgroup limits of a running unit (SetUnitProperties, runtime only).
  virtual void set_properties(const std::string& unit, const std::vector<UnitProperty>& properties,
                              Done<void> done) = 0;
  // Units whose names match the glob, in any state.
  virtual void list(const std::string& glob, Done<std::vector<UnitStatus>> done) = 0;
  // Errors: not_found unit_unknown.
  virtual void get_service(const std::string& unit, Done<ServiceState> done) = 0;
  // Unit file operations on installed units, for the CLI and for netfwd's HAProxy unit. Done comes
  // when the job has ended.
  virtual void start(const std::string& unit, Done<void> done) = 0;
  virtual void restart(const std::string& unit, Done<void> done) = 0;
  virtual void reload(const std::string& unit, Done<void> done) = 0;
};

}  // namespace sys
