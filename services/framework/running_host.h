// SPDX-License-Identifier: Apache-2.0
// The host as it runs: what services/main.cc and the tests make; services see Host only.
//
// make() reads the tables and schemas and refuses what is wrong in them; start() starts the
// services in the order given, then tasks and the outbox. stop() in the reverse order, also after a
// start that failed half way; it waits for the host's work on the workers. Threads: as Host.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/secret.h"
#include "common/rest/rate_limit.h"
#include "services/framework/host.h"
#include "services/framework/idempotency.h"
#include "services/framework/outbox.h"
#include "services/framework/renewal.h"
#include "services/framework/schema.h"
#include "services/framework/task_runner.h"

namespace services {

struct HostOptions {
  std::string external_url = {};  // "https://gestalt.example"; empty: what the client's Host says
  std::vector<std::string> cors_origins = {};  // "*" or origins that browsers may call from
  rest::Run queries = rest::Run::on_loop;      // on_worker for engines whose reads block
  rest::Rate caller_rate = {};  // calls of one account, whatever credentials it shows; 0: no limit
};

// The collections of the framework and of these services, for opening the store.
std::vector<store::Collection> collections_of(
    const std::vector<std::unique_ptr<Service>>& services);

// The routes of these services without anything behind them, for --dump-routes.
void describe_actions(const std::vector<std::unique_ptr<Service>>& services,
                      rest::RouteTable& table);

class RunningHost final : public Host {
 public:
  // Errors: invalid_argument json_schema_invalid, action_table_invalid.
  static base::Result<std::unique_ptr<RunningHost>> make(
      Parts parts, std::vector<std::unique_ptr<Service>> services, HostOptions options);
  ~RunningHost() override;

  base::Result<void> start();
  void stop();
  base::Result<void> drain() { return dispatcher_.drain(); }
  const rest::RouteTable& table() const { return table_; }
  rest::RouteTable& mutable_table() { return table_; }
  base::Json health();
  base::Json openapi(std::string_view version) const;
  // [{method, path, action, access, kind, …}] for those who walk every route.
  base::Json dump_actions() const;

  // Each answer of a row, also of calls that are performed later, just before it is sent; on the
  // thread of the call. For tests, before calls come in.
  using ReplyWatcher =
      std::function<void(const ActionRow&, const rest::Request&, const rest::Response&)>;
  void watch_replies(ReplyWatcher watcher) { reply_watcher_ = std::move(watcher); }
  // Whether an answer is one of those that /openapi.json promises for the row. What streams is not
  // looked at. Requires: the row is one of actions(). Errors: invalid_argument reply_undeclared,
  // JSON in a good reply of a row that promises none; schema_violated, with the pointer of the
  // first value that is wrong.
  base::Result<void> check_reply(const ActionRow& row, const rest::Request& request,
                                 const rest::Response& reply) const;
  // The row that answers a path as it stands on the request line, nullptr when none does.
  const ActionRow* find_action(rest::Method method, std::string_view path) const;

  store::Store& store() override { return parts_.store; }
  const base::Clock& clock() const override { return parts_.clock; }
  base::Rng& rng() override { return parts_.rng; }
  base::Timers& timers() override { return parts_.timers; }
  rest::Metrics& metrics() override { return parts_.metrics; }
  sys::HttpClient& http() override { return http_; }
  std::string state_folder(std::string_view service) override;
  base::Result<void> submit(std::function<void()> work) override;
  void post(std::function<void()> work) override { parts_.post(std::move(work)); }
  void every(base::Duration period, std::function<void()> work) override;

  void provide(Identity& stage) override { identity_ = &stage; }
  void provide(Renewal& stage) { renewal_ = &stage; }
  void provide(Orgs& stage) override { orgs_ = &stage; }
  void provide(Access::Kind kind, Authorizer& stage) override;
  void provide(Policy& stage) override { policy_ = &stage; }
  void provide(Gate& stage) override { gate_ = &stage; }
  void provide(EventSink& stage) override { event_sink_ = &stage; }
  void provide(AuditSink& stage) override { audit_sink_ = &stage; }
  Orgs& orgs() override { return *orgs_; }
  Authorizer& authorizer(Access::Kind kind) override;
  bool hosts(std::string_view service) const override;
  Service* find(std::string_view service) override;

  void subscribe(std::string subscriber, std::string name_prefix, Subscriber callback) override;
  void add_runner(std::string name, Runner runner) override;
  void watch_tasks(TaskWatcher watcher) override { task_watcher_ = std::move(watcher); }
  void note_tasks(std::vector<std::string> ids) override;
  base::Result<void> transact(std::string_view action, CallerPtr caller,
                              const std::function<base::Result<void>(Call&)>& work) override;
  base::Result<rest::Response> perform(const base::Json& captured) override;
  rest::Response handle(const rest::Request& request) override;
  const std::vector<ActionRow>& actions() const override { return rows_; }

 private:
  friend class Pipeline;
  struct Period;
  struct Told;  // of a subscriber
  RunningHost(Parts parts, HostOptions options);
  base::Result<void> read_tables();
  base::Result<void> add_row(ActionRow row);
  void add_route(std::size_t index, std::string path);
  void connect_consumers();
  // Errors: throttled rate_exceeded, with how long to wait in `wait`.
  base::Result<void> count_call(const Caller& caller, base::Duration& wait);
  base::Result<void> begin_services();
  void wait_for_workers();
  // A refusal for the audit log. Of strangers, whose credentials serve for nothing, a few a second
  // are kept, so that guessing does not fill the disk; the others are counted.
  enum class Refused { known, stranger };
  void note_denied(std::string audit, Refused who);
  void write_denied();
  void run_period(const std::shared_ptr<Period>& period);
  Dialect dialect_of(std::string_view path) const;
  const base::Json* reply_schema_of(const ActionRow& row) const;  // nullptr: it promises no JSON
  // Parts of check_reply (reply_forms.cc).
  base::Result<void> check_good(const ActionRow& row, const rest::Request& request,
                                const rest::Response& reply) const;
  base::Result<void> check_plain(const ActionRow& row, const rest::Response& reply,
                                 const base::Json& body) const;
  base::Result<void> check_tried(const ActionRow& row, const base::Json& body) const;
  base::Result<void> check_error(const ActionRow& row, std::string_view type,
                                 const base::Json& body) const;
  rest::Response render_unrouted(const base::Error& error, const rest::Request& request);
  rest::Response answer_options(const rest::Request& request) const;
  void add_cors(const rest::Request& request, rest::Response& reply) const;

  Parts parts_;
  const HostOptions options_;
  std::vector<std::unique_ptr<Service>> services_;
  std::map<std::string, Dialect, std::less<>> dialects_;  // by mount
  std::vector<ActionRow> rows_;
  struct RowSchemas {
    std::unique_ptr<base::Json> body;
    std::unique_ptr<base::Json> reply;
  };
  std::vector<RowSchemas> row_schemas_;  // of rows_
  Schemas schemas_;
  rest::RouteTable table_;
  std::map<std::pair<int, std::string>, std::size_t> row_of_path_;  // by method and route path
  sys::HttpClient http_;
  Dispatcher dispatcher_;
  TaskRunner tasks_;
  TaskWatcher task_watcher_;
  ReplyWatcher reply_watcher_;

  std::unique_ptr<Orgs> no_orgs_;
  std::unique_ptr<Authorizer> nobody_;
  Identity* identity_ = nullptr;
  Renewal* renewal_ = nullptr;
  Orgs* orgs_ = nullptr;
  Authorizer* rights_ = nullptr;
  Authorizer* entitlements_ = nullptr;
  Policy* policy_ = nullptr;
  Gate* gate_ = nullptr;
  EventSink* event_sink_ = nullptr;
  AuditSink* audit_sink_ = nullptr;

  std::vector<std::shared_ptr<Told>> subscribers_;  // shared with the dispatcher's closures
  std::vector<std::shared_ptr<Period>> periods_;    // shared with timers under way
  base::Secret reply_key_;                          // for what idempotency keeps
  std::mutex callers_mutex_;
  rest::RateLimiter callers_;
  rest::Counter* throttled_ = nullptr;
  std::mutex denied_mutex_;
  std::deque<std::string> denied_;
  bool writing_denied_ = false;
  rest::RateLimiter strangers_;  // under denied_mutex_
  rest::Counter* denied_lost_ = nullptr;
  std::atomic<bool> started_{false};
  std::size_t begun_ = 0;  // services that have begun, the first ones
  // What the host has on the workers: it must not outlive the host.
  std::mutex work_mutex_;
  std::condition_variable work_done_;
  std::size_t working_ = 0;
  bool takes_work_ = true;
};

}  // namespace services
