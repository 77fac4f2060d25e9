// SPDX-License-Identifier: Apache-2.0
#include "cli/log_commands.h"

#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/api.h"
#include "cli/views.h"
#include "common/base/text.h"

namespace cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::chrono::milliseconds kForever{0};
constexpr std::chrono::milliseconds kOnce = std::chrono::seconds(30);
// Each followed instance takes a thread here and one of agentd's streams there.
constexpr std::size_t kInstancesMax = 16;
constexpr std::size_t kLineMax = 1 << 20;

// Whole lines of one instance to the terminal, with its short name when there are several.
class LinePrinter {
 public:
  LinePrinter(const Session& session, std::mutex& turn, std::string prefix)
      : session_(session), turn_(turn), prefix_(std::move(prefix)) {}
  ~LinePrinter() {
    if (!line_.empty()) print();
  }

  // False when nobody reads the output any more.
  bool take(std::string_view bytes) {
    for (const char byte : bytes) {
      if (byte == '\n' || line_.size() == kLineMax) print();
      if (byte != '\n') line_.push_back(byte);
    }
    const std::lock_guard lock(turn_);
    session_.out << std::flush;
    return static_cast<bool>(session_.out);
  }

 private:
  // An application's own colours are kept out like those of a daemon; tabs stay.
  void print() {
    std::string text;
    for (const std::string_view piece : base::split(line_, '\t')) {
      text += (text.empty() ? "" : "\t") + printable(piece);
    }
    const std::lock_guard lock(turn_);
    session_.out << prefix_ << text << "\n";
    line_.clear();
  }

  const Session& session_;
  std::mutex& turn_;
  std::string prefix_;
  std::string line_;
};

Result<std::vector<std::string>> find_instances(const Session& session, const LogOptions& options) {
  if (!options.instance.empty()) return std::vector<std::string>{options.instance};
  Api api = TRY(Api::make(session, Daemon::agent));
  const Json reply = TRY(api.get("/v1/instances"));
  const std::string app = "/" + encode_id(options.id);
  std::vector<std::string> found = instances_of(reply, app);
  if (found.empty()) {
    return Error{Code::not_found,
                 "no instance of " + app + " is on this node: see gestalt app show " + app,
                 "instance_unknown"};
  }
  if (found.size() > kInstancesMax) {
    return Error{Code::too_large,
                 std::to_string(found.size()) + " instances of " + app +
                     " are on this node: choose one with --instance",
                 "too_many_instances"};
  }
  return found;
}

Result<void> copy(const Session& session, const LogOptions& options, const std::string& instance,
                  LinePrinter& printer) {
  Api api = TRY(Api::make(session, Daemon::agent));
  const std::string path = "/v1/instances/" + base::percent_encode(instance) +
                           "/logs?last=" + std::to_string(options.lines) +
                           (options.follow ? "&follow=true" : "");
  return api.stream(path, "text/plain", options.follow ? kForever : kOnce,
                    [&printer](std::string_view bytes) { return printer.take(bytes); });
}

}  // namespace

std::vector<std::string> instances_of(const Json& reply, const std::string& app) {
  std::vector<std::string> found;
  const Json& list = reply.is_array() ? reply : value_at(reply, "instances");
  if (!list.is_array()) return found;
  for (const Json& instance : list) {
    const std::string id = text_at(instance, "id");
    if (!id.empty() && text_at(instance, "app") == app) found.push_back(id);
  }
  return found;
}

std::string short_instance(const std::string& id) {
  constexpr std::string_view kMark = ".instance-";
  constexpr std::size_t kShown = 8;
  const std::size_t at = id.find(kMark);
  return at == std::string::npos ? id : id.substr(at + kMark.size(), kShown);
}

Status app_logs(const Session& session, const LogOptions& options) {
  const auto instances = find_instances(session, options);
  if (!instances) return report(session, Daemon::agent, instances.error());
  std::mutex turn;
  std::vector<Result<void>> outcomes(instances->size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < instances->size(); ++i) {
    const auto work = [&, i] {
      const std::string& id = (*instances)[i];
      LinePrinter printer(session, turn, instances->size() > 1 ? short_instance(id) + "  " : "");
      outcomes[i] = copy(session, options, id, printer);
    };
    // One after the other unless they are followed: then none ends before the others.
    if (options.follow && instances->size() > 1) {
      threads.emplace_back(work);
    } else {
      work();
    }
  }
  for (std::thread& thread : threads) thread.join();
  for (const Result<void>& outcome : outcomes) {
    if (!outcome) return report(session, Daemon::agent, outcome.error());
  }
  return Status::ok;
}

}  // namespace cli
