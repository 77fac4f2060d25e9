// SPDX-License-Identifier: Apache-2.0
#include "tests/support/services/reply_check.h"

#include <CppUTest/TestHarness.h>
#include <CppUTest/TestPlugin.h>
#include <CppUTest/TestRegistry.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/json.h"

namespace services::test {

using base::Json;

namespace {

constexpr std::size_t kBodyShown = 2000;
constexpr std::size_t kComplaintsMax = 20;  // of one test
// The only records that a dry run may leave: see 3.
constexpr std::string_view kCounted = "security.attempts ";

std::string route_of(const ActionRow& row) {
  return std::string(rest::method_name(row.method)) + "\t" + row.mount + row.path + "\t" + row.name;
}

// What the process has seen; the tests of a process run one after the other.
class Ledger {
 public:
  void note(const ActionRow& row, int status, const char* kind) {
    const std::lock_guard lock(mutex_);
    ++seen_[route_of(row) + "\t" + std::to_string(status / 100) + "xx\t" + kind];
  }
  void complain(const ActionRow& row, const rest::Request& request, const rest::Response& reply,
                const std::string& what) {
    std::string text =
        row.name + " (" + std::string(rest::method_name(request.method)) + " " + request.path;
    for (const auto& [name, value] : request.query) text += " " + name + "=" + value;
    text += ") answered " + std::to_string(reply.status) + ": " + what + "\n  " +
            reply.body.substr(0, kBodyShown);
    const std::lock_guard lock(mutex_);
    if (complaints_.size() < kComplaintsMax) complaints_.push_back(std::move(text));
    ++seen_[route_of(row) + "\t" + std::to_string(reply.status / 100) + "xx\tmismatch"];
  }
  bool is_tried(const ActionRow& row) {
    const std::lock_guard lock(mutex_);
    return tried_.contains(route_of(row));
  }
  void set_tried(const ActionRow& row) {
    const std::lock_guard lock(mutex_);
    tried_.insert(route_of(row));
  }
  void forget_tried() {
    const std::lock_guard lock(mutex_);
    tried_.clear();
  }
  std::vector<std::string> take_complaints() {
    const std::lock_guard lock(mutex_);
    return std::exchange(complaints_, {});
  }
  // In one write, so that several processes may share a file. False when it failed.
  bool write_seen() {
    std::string lines;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [what, count] : std::exchange(seen_, {}))
        lines += what + "\t" + std::to_string(count) + "\n";
    }
    const char* const file = std::getenv("GESTALT_ROUTES_SEEN");
    if (file == nullptr || lines.empty()) return true;
    const int out = ::open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const bool is_written =
        out >= 0 && ::write(out, lines.data(), lines.size()) == static_cast<ssize_t>(lines.size());
    if (out >= 0) ::close(out);
    return is_written;
  }

 private:
  std::mutex mutex_;  // of all below
  std::map<std::string, int> seen_;
  std::set<std::string> tried_;
  std::vector<std::string> complaints_;
};

Ledger& ledger() {
  static Ledger the_one;
  return the_one;
}

// Tells at the end of each test, when its hosts are gone.
class AtTheEnd final : public TestPlugin {
 public:
  AtTheEnd() : TestPlugin("replies") { TestRegistry::getCurrentRegistry()->installPlugin(this); }
  void postTestAction(UtestShell& test, TestResult& result) override {
    const auto fail = [&](const std::string& why) {
      result.addFailure(FailFailure(&test, test.getFile().asCharString(),
                                    static_cast<std::size_t>(test.getLineNumber()), why.c_str()));
    };
    for (const std::string& complaint : ledger().take_complaints()) fail(complaint);
    if (!ledger().write_seen()) fail("the file that GESTALT_ROUTES_SEEN names cannot be written");
  }
};
AtTheEnd at_the_end;

bool is_tried_out(const ActionRow& row, const rest::Request& request) {
  const auto asked = request.query_flag("dryrun");
  return row.is_mutation() && asked && *asked;
}

const char* kind_of(const ActionRow& row, const rest::Request& request,
                    const rest::Response& reply) {
  if (reply.stream) return "stream";
  if (reply.status >= 400) return "error";
  if (is_tried_out(row, request)) return "dryrun";
  const auto explained = request.query_flag("explain");
  if (explained && *explained) return "explained";
  if (reply.status == 202) return "task";
  if (reply.body.empty()) return "empty";
  const auto type = reply.headers.find("Content-Type");
  const bool is_json =
      type != reply.headers.end() && type->second.find("json") != std::string::npos;
  return is_json ? "reply" : "other";
}

void look_at(const RunningHost& host, const ActionRow& row, const rest::Request& request,
             const rest::Response& reply) {
  const base::Result<void> fits = host.check_reply(row, request, reply);
  if (fits) return ledger().note(row, reply.status, kind_of(row, request, reply));
  ledger().complain(row, request, reply, fits.error().pointer + " " + fits.error().detail);
}

// What a dry run left that it should not have.
std::string left_behind(const WatchedStore::Watch& watch) {
  std::string all;
  for (const WatchedStore::Changed& transaction : watch.transactions()) {
    const bool is_count =
        std::any_of(transaction.begin(), transaction.end(),
                    [](const std::string& record) { return record.starts_with(kCounted); });
    for (const std::string& record : transaction) {
      // The count's own audit record stands beside it.
      const bool belongs = is_count && (record.starts_with(kCounted) ||
                                        record.starts_with(std::string(kOutbox) + " "));
      if (!belongs) all += (all.empty() ? "" : ", ") + record;
    }
  }
  return all;
}

std::optional<int> promised_status(const rest::Response& reply) {
  const Json body = Json::parse(reply.body, nullptr, false);
  if (!body.is_object() || !body.contains("would") || !body["would"].is_object()) return {};
  const auto status = body["would"].find("status");  // what lies beside the store may not say it
  if (status == body["would"].end()) return {};
  return status->get<int>();
}

// Whether nobody counts how often it is sent: logins by password are forms.
bool may_try(const rest::Request& request) {
  return request.body.find("password=") == std::string::npos;
}

}  // namespace

ReplyCheck::ReplyCheck(RunningHost& host) : host_(host) {
  host.watch_replies([&host](const ActionRow& row, const rest::Request& request,
                             const rest::Response& reply) { look_at(host, row, request, reply); });
}

rest::Response ReplyCheck::try_out(const ActionRow& row, const rest::Request& request) {
  const std::function<void()> put_back = keep_ ? keep_() : nullptr;
  WatchedStore::Watch watch;
  rest::Response reply = host_.handle(request);
  const std::string left = left_behind(watch);
  if (put_back) put_back();
  if (!left.empty()) {
    ledger().complain(row, request, reply, "a dry run changed " + left);
  } else if (reply.status == 200 && promised_status(reply).value_or(reply.status) < 400) {
    ledger().set_tried(row);
    ledger().note(row, reply.status, "tried");
  }
  return reply;
}

rest::Response ReplyCheck::really(const ActionRow* row, const rest::Request& request) {
  rest::Response reply = host_.handle(request);
  if (row != nullptr && reply.status < 400) answered_.insert(row);
  return reply;
}

rest::Response ReplyCheck::send(const rest::Request& request) {
  const ActionRow* const row = host_.find_action(request.method, request.path);
  if (row == nullptr || !row->is_mutation()) return really(row, request);
  if (is_tried_out(*row, request)) return try_out(*row, request);
  if (!tries_ || ledger().is_tried(*row) || !may_try(request)) return really(row, request);
  rest::Request attempt = request;
  attempt.query.emplace_back("dryrun", "true");
  const rest::Response tried = try_out(*row, attempt);
  rest::Response reply = really(row, request);
  const int promised =
      tried.status == 200 ? promised_status(tried).value_or(reply.status) : tried.status;
  const bool may_differ = request.find_header("prefer").has_value();
  if (promised != reply.status && !may_differ) {
    ledger().complain(*row, request, reply,
                      "its dry run before said " + std::to_string(promised) + ": " + tried.body);
  }
  return reply;
}

std::string ReplyCheck::unanswered(std::string_view service,
                                   const std::function<bool(const ActionRow&)>& is_excused) const {
  std::string lines;
  for (const ActionRow& row : host_.actions()) {
    if (row.service != service || answered_.contains(&row) || (is_excused && is_excused(row))) {
      continue;
    }
    lines += "\n  " + std::string(rest::method_name(row.method)) + " " + row.path;
  }
  return lines;
}

std::vector<std::string> take_complaints() { return ledger().take_complaints(); }
void forget_tried() { ledger().forget_tried(); }

}  // namespace services::test
