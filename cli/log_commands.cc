// SPDX-License-Identifier: Apache-2.0
#include "cli/log_commands.h"

#include <algorithm>
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

// What masterd knows of other nodes' instances. Without masterd or a token there are none, and the
// person is told.
std::vector<LogSource> find_elsewhere(const Session& session, const LogOptions& options,
                                      const std::vector<std::string>& here) {
  if (!session.url.empty()) return {};  // that agent was meant
  Result<Json> reply = Json();
  if (Result<Api> master = Api::make(session, Daemon::master); master) {
    reply = master->get("/v2/apps/" + encode_id(options.id) + "?embed=app.tasks");
  }
  if (!reply) {
    // An application that is being removed may have instances and no definition any more.
    if (reply.error().code != Code::not_found) {
      session.err << "masterd does not answer: instances of other nodes are not shown\n";
    }
    return {};
  }
  std::vector<LogSource> found = instances_elsewhere(*reply, here, options.agents);
  const bool has_token = !session.token.empty() || !session.token_file.empty();
  if (has_token || found.empty()) return found;
  session.err << found.size() << " instances on other nodes are not shown: give --token-file\n";
  return {};
}

Result<std::vector<LogSource>> find_sources(const Session& session, const LogOptions& options) {
  Api api = TRY(Api::make(session, Daemon::agent));
  const std::string app = "/" + encode_id(options.id);
  const std::vector<std::string> here = instances_of(TRY(api.get("/v1/instances")), app);
  std::vector<LogSource> found;
  for (const std::string& id : here) found.push_back({id});
  for (LogSource& source : find_elsewhere(session, options, here)) {
    found.push_back(std::move(source));
  }
  if (!options.instance.empty()) {
    std::erase_if(found, [&](const LogSource& one) { return one.instance != options.instance; });
    // One that has ended is no longer listed; its node may have its log still.
    if (found.empty()) found.push_back({options.instance});
  }
  if (found.empty()) {
    return Error{Code::not_found,
                 "no instance of " + app + " is on this node: see gestalt app show " + app,
                 "instance_unknown"};
  }
  if (found.size() > kInstancesMax) {
    return Error{
        Code::too_large,
        app + " has " + std::to_string(found.size()) + " instances: choose one with --instance",
        "too_many_instances"};
  }
  return found;
}

// The session with the agent that has the log.
Session session_of(const Session& session, const LogSource& source) {
  Session there = session;
  if (!source.url.empty()) there.url = source.url;
  return there;
}

Result<void> copy(const Session& session, const LogOptions& options, const LogSource& source,
                  LinePrinter& printer) {
  Api api = TRY(Api::make(session_of(session, source), Daemon::agent));
  const std::string path = "/v1/instances/" + base::percent_encode(source.instance) +
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

std::vector<LogSource> instances_elsewhere(const Json& reply, const std::vector<std::string>& here,
                                           const std::string& agents) {
  static constexpr std::string_view kHost = "{host}";
  std::vector<LogSource> found;
  const Json& tasks = value_at(value_at(reply, "app"), "tasks");
  if (!tasks.is_array()) return found;
  for (const Json& task : tasks) {
    const std::string id = text_at(task, "id");
    std::string host = text_at(task, "host");
    if (id.empty() || host.empty()) continue;
    if (std::find(here.begin(), here.end(), id) != here.end()) continue;
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    std::string url = agents;
    if (const std::size_t at = url.find(kHost); at != std::string::npos) {
      url.replace(at, kHost.size(), host);
    }
    found.push_back({id, std::move(url)});
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
  const auto sources = find_sources(session, options);
  if (!sources) return report(session, Daemon::agent, sources.error());
  std::mutex turn;
  std::vector<Result<void>> outcomes(sources->size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < sources->size(); ++i) {
    const auto work = [&, i] {
      const LogSource& source = (*sources)[i];
      const bool is_one = sources->size() == 1;
      LinePrinter printer(session, turn, is_one ? "" : short_instance(source.instance) + "  ");
      outcomes[i] = copy(session, options, source, printer);
    };
    // One after the other unless they are followed: then none ends before the others.
    if (options.follow && sources->size() > 1) {
      threads.emplace_back(work);
    } else {
      work();
    }
  }
  for (std::thread& thread : threads) thread.join();
  Status status = Status::ok;
  for (std::size_t i = 0; i < sources->size(); ++i) {
    if (outcomes[i]) continue;
    const Status one =
        report(session_of(session, (*sources)[i]), Daemon::agent, outcomes[i].error());
    if (status == Status::ok) status = one;
  }
  return status;
}

}  // namespace cli
