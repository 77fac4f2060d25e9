// SPDX-License-Identifier: Apache-2.0
// Copies a unit's journal into a response stream for as long as somebody reads it.
// Threads: loop thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/rest/http.h"
#include "common/sys/event_loop.h"
#include "common/sys/journal.h"

namespace node::agent {

enum class LogFormat { text, events };

std::string format_line(const sys::JournalLine& line, LogFormat format);

class LogFollower {
 public:
  // `gone` when the reader has left; it may destroy this object.
  static base::Result<std::unique_ptr<LogFollower>> make(sys::EventLoop& loop,
                                                         const sys::JournalReader::Options& options,
                                                         LogFormat format,
                                                         std::shared_ptr<rest::ByteStream> stream,
                                                         std::function<void()> gone);

 private:
  LogFollower(sys::EventLoop& loop, LogFormat format, std::shared_ptr<rest::ByteStream> stream)
      : loop_(loop), format_(format), stream_(std::move(stream)) {}
  void pump();

  sys::EventLoop& loop_;
  LogFormat format_;
  std::shared_ptr<rest::ByteStream> stream_;  // the frame ends its side by itself
  std::unique_ptr<sys::JournalReader> reader_;
  sys::WatchHandle watch_;
  sys::WatchHandle again_;
};

}  // namespace node::agent
