// SPDX-License-Identifier: Apache-2.0
// A bus of its own with the part of systemd's manager that sys::ServiceManager uses. sd-bus checks
// every call's signature against the table; the fake notes arguments and keeps units.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/common/sys/scratch.h"

struct sd_bus;
struct sd_bus_message;

class FakeSystemd {
 public:
  struct Unit {
    std::string active = "active";
    std::string sub = "running";
  };

  FakeSystemd();
  ~FakeSystemd();
  FakeSystemd(const FakeSystemd&) = delete;
  FakeSystemd& operator=(const FakeSystemd&) = delete;

  std::string address() const;
  // What was called: "StartTransientUnit a.service fail Slice=s:x", one line each.
  std::vector<std::string> calls() const;
  void set_job_result(const std::string& result);
  void stop_bus();   // as when dbus-daemon is killed
  void start_bus();  // with the same address, and the manager on it

 private:
  friend struct FakeSystemdTable;
  void serve();
  void note(std::string line);
  int start_transient(sd_bus_message* message);
  int unit_job(sd_bus_message* message);
  int note_unit(sd_bus_message* message);
  int kill(sd_bus_message* message);
  int set_properties(sd_bus_message* message);
  int list(sd_bus_message* message);
  int finish_job(sd_bus_message* message, const std::string& unit, const std::string& active);

  Scratch scratch_;
  pid_t bus_pid_ = -1;
  std::thread server_;
  std::atomic<bool> stopping_{false};
  sd_bus* bus_ = nullptr;  // server thread only
  mutable std::mutex mutex_;
  std::vector<std::string> calls_;     // guarded by mutex_
  std::string job_result_ = "done";    // guarded by mutex_
  std::map<std::string, Unit> units_;  // server thread only
  unsigned last_job_ = 0;
};
