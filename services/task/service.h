// SPDX-License-Identifier: Apache-2.0
// The task service: shows the tasks that other services' calls made, lets owners cancel them and
// clients follow them. The rows and their runner are the framework's.
//
// Threads: as Service; the streams live on the loop.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/framework/service.h"

namespace services::task {

class TaskService final : public Service {
 public:
  std::string_view name() const override { return "task"; }
  std::string_view mount() const override { return "/task"; }
  std::vector<store::Collection> collections() const override { return {}; }
  void actions(ActionTable& table) override;
  base::Result<void> start(Host& host) override;
  void stop() override;

  // A stream that gets the task as it is now and after each change, until it has ended.
  // Errors: throttled streams_exhausted.
  base::Result<std::shared_ptr<rest::ByteStream>> follow(std::string id, std::string href_base);

 private:
  struct Follower {
    std::shared_ptr<rest::ByteStream> stream;  // shared with the HTTP frame
    std::string base;
  };
  void tell(const std::string& id);  // on the loop
  Host* host_ = nullptr;
  std::multimap<std::string, Follower> followers_;  // on the loop
  std::shared_ptr<TaskService*> self_;              // held weakly by what is posted
};

base::Result<std::unique_ptr<Service>> make_task(const base::Json& config);

}  // namespace services::task
