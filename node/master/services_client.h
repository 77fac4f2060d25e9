// SPDX-License-Identifier: Apache-2.0
// Tells netfwd which services there are: the whole set with each change, again until it is taken.
// Threads: the loop's.
#pragma once

#include <memory>
#include <string>

#include "common/rest/metrics.h"
#include "common/sys/http_client.h"
#include "node/master/scheduler.h"

namespace node::master {

// The body of PUT /v1/services. What it says of an app is rendered once per definition, since the
// whole is sent with each change.
class ServicesText {
 public:
  std::string render(const Scheduler& scheduler, std::int64_t generation);

 private:
  struct Rendered {
    AppPtr app;
    std::string text;
  };
  std::map<std::string, Rendered> rendered_;
};

class ServicesClient {
 public:
  static base::Result<std::unique_ptr<ServicesClient>> make(sys::EventLoop& loop,
                                                            std::string socket);
  // Sends the set soon; what changes while a call is under way goes with the next.
  void send(const Scheduler& scheduler);
  bool is_applied() const { return !under_way_ && waiting_.empty(); }

 private:
  ServicesClient(sys::EventLoop& loop, std::string socket, std::unique_ptr<sys::AsyncHttp> http)
      : loop_(loop), socket_(std::move(socket)), http_(std::move(http)) {}
  void call();
  void done(base::Result<sys::HttpReply> reply);

  sys::EventLoop& loop_;
  std::string socket_;
  std::unique_ptr<sys::AsyncHttp> http_;
  ServicesText text_;
  std::int64_t generation_ = 0;
  std::string waiting_;  // body to send next; empty when the last one was taken
  std::string sent_;
  bool under_way_ = false;
  bool complained_ = false;
  base::Duration delay_{};
  sys::WatchHandle handle_;
  sys::WatchHandle timer_;
};

}  // namespace node::master
