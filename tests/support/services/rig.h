// SPDX-License-Identifier: Apache-2.0
// A host in a test: services on a store in memory, with real workers, a loop that the test turns,
// and stand-ins for security that say so.
//
// FakeSecurity stands for services/security where that is not under test: `Bearer NAME` is account
// NAME; organisations "root" and "acme" exist; rights and entitlements are what the test grants.
// Each answer is checked against what the interface promises (reply_check.h). Threads: one test's.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/sys/event_loop.h"
#include "common/sys/loop_timers.h"
#include "services/framework/running_host.h"
#include "tests/support/check_result.h"
#include "tests/support/services/fake_security.h"
#include "tests/support/services/reply_check.h"
#include "tests/support/temp_folder.h"

namespace services::test {

struct Sent {
  std::string as = "";  // account; empty: nobody
  std::string body = "";
  std::map<std::string, std::string, std::less<>> headers = {};
};

class Rig {
 public:
  // Starts the services. `store`: another engine than memory. `state_folder`: one that outlives the
  // rig, for a test that starts anew.
  explicit Rig(std::vector<std::unique_ptr<Service>> services,
               std::unique_ptr<store::Store> store = nullptr, HostOptions options = {},
               const std::string& state_folder = "");
  ~Rig();

  // "POST /notes/root/notes?dryrun=true".
  rest::Response send(const std::string& line, const Sent& sent = {});
  base::Json json(const std::string& line, const Sent& sent = {});  // of the reply's body
  // Turns the loop until `done`. Fails the test after five seconds.
  void until(const std::function<bool()>& done);
  // Everything in the outbox has been told.
  void drain();

  FakeSecurity security;
  RunningHost& host() { return *host_; }
  store::Store& store() { return *store_; }
  const TempFolder& folder() const { return folder_; }
  ReplyCheck& replies() { return *replies_; }

 private:
  TempFolder folder_;
  std::unique_ptr<sys::EventLoop> loop_;
  std::unique_ptr<sys::LoopTimers> timers_;
  rest::Metrics metrics_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<sys::WorkerPool> workers_;
  std::unique_ptr<RunningHost> host_;
  std::unique_ptr<ReplyCheck> replies_;
};

}  // namespace services::test
