// SPDX-License-Identifier: Apache-2.0
// Notices that an instance ran out of memory, before its control group is gone.
//
// On version 1 systemd cannot tell an out-of-memory kill from another one, and after the end the
// counter has vanished with the group; so the kernel's event is taken while the group exists. On
// version 2 systemd reports `oom-kill` itself and no watch is needed.
// Threads: loop thread.
// Source: Documentation/admin-guide/cgroup-v1/memory.rst, section 10.
#pragma once

#include <memory>
#include <string>

#include "common/sys/event_loop.h"
#include "common/sys/handle.h"
#include "node/agent/limits.h"

namespace node::agent {

class OomWatch {
 public:
  // nullptr when the kernel offers no such events here.
  static std::unique_ptr<OomWatch> make(sys::EventLoop& loop, const Cgroups& cgroups,
                                        const std::string& control_group);
  // Whether memory ran out since make().
  bool has_fired();

 private:
  OomWatch(sys::Fd event, std::filesystem::path file)
      : event_(std::move(event)), file_(std::move(file)) {}
  void take();

  sys::Fd event_;
  std::filesystem::path file_;
  bool fired_ = false;
  sys::WatchHandle watch_;
};

}  // namespace node::agent
