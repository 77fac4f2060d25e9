// SPDX-License-Identifier: Apache-2.0
#include "node/agent/oom_watch.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace node::agent {

std::unique_ptr<OomWatch> OomWatch::make(sys::EventLoop& loop, const Cgroups& cgroups,
                                         const std::string& control_group) {
  if (cgroups.version != CgroupVersion::v1) return nullptr;
  const std::filesystem::path file = oom_file(cgroups, control_group);
  const sys::Fd source(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const sys::Fd control(
      open((file.parent_path() / "cgroup.event_control").c_str(), O_WRONLY | O_CLOEXEC));
  sys::Fd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!source.is_open() || !control.is_open() || !event.is_open()) return nullptr;
  const std::string line = std::to_string(event.get()) + " " + std::to_string(source.get());
  if (write(control.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    return nullptr;
  }
  std::unique_ptr<OomWatch> out(new OomWatch(std::move(event), file));
  auto watch =
      loop.watch_fd(out->event_.get(), EPOLLIN, [raw = out.get()](std::uint32_t) { raw->take(); });
  if (!watch) return nullptr;
  out->watch_ = *std::move(watch);
  return out;
}

void OomWatch::take() {
  std::uint64_t count = 0;
  if (read(event_.get(), &count, sizeof count) != sizeof count) return;
  // The removal of the group fires the event too; then the file is gone.
  if (access(file_.c_str(), F_OK) == 0) fired_ = true;
}

bool OomWatch::has_fired() {
  // The end of the process may be told before the loop came to the event.
  take();
  return fired_;
}

}  // namespace node::agent
