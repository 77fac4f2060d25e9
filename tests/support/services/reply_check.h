// SPDX-License-Identifier: Apache-2.0
// What every suite of the services checks without saying so: each answer is one that /openapi.json
// promises, and each change can really be tried.
//
// 1. Each answer of a row, whoever called, goes through RunningHost::check_reply(); what is wrong
// fails the test that runs when it ends, with action, pointer and body.
// 2. Before a change that nothing in this process has tried yet, the same call is sent with
// ?dryrun=true: it must answer as the change then does, and its transactions leave every record,
// the outbox and the tasks as they were. So it is for every dry run that a test sends itself.
// 3. What is derived stays: attempts at a login are counted for a dry run as for any other, in a
// transaction of their own (docs/reference/security.md). A login by password is therefore not tried
// in secret, since tests count attempts: they try it themselves.
// 4. With GESTALT_ROUTES_SEEN=FILE each process adds what it has seen to the file, for
// `./dev show services-routes`: method, route, action, status class, kind of check, how often.
// Threads: the answers may come on any; the rest is one test's.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "services/framework/running_host.h"
#include "tests/support/services/watched_store.h"

namespace services::test {

class ReplyCheck {
 public:
  // Watches the host from now on, also beyond its own end.
  explicit ReplyCheck(RunningHost& host);

  // The request through the host, and a dry run of it first where 2. says so.
  rest::Response send(const rest::Request& request);
  // The rows of a service that have not been answered well by send(), a line for each.
  std::string unanswered(std::string_view service,
                         const std::function<bool(const ActionRow&)>& is_excused = nullptr) const;
  // Nothing is tried in secret any more: for tests that count what a host does.
  void leave_alone() { tries_ = false; }
  // `keep` runs before each dry run, what it returns after it: for a double that has no
  // transactions and takes back what it was told.
  void around_tries(std::function<std::function<void()>()> keep) { keep_ = std::move(keep); }

 private:
  rest::Response really(const ActionRow* row, const rest::Request& request);
  rest::Response try_out(const ActionRow& row, const rest::Request& request);

  RunningHost& host_;
  bool tries_ = true;
  std::set<const ActionRow*> answered_;
  std::function<std::function<void()>()> keep_;
};

// What is wrong so far in the test that runs: taken here, it fails nothing. For tests of the above.
std::vector<std::string> take_complaints();
// As if this process had tried nothing yet.
void forget_tried();

}  // namespace services::test
