// SPDX-License-Identifier: Apache-2.0
#include "services/framework/running_host.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/sys/shared_file.h"
#include "services/framework/dialect.h"
#include "services/framework/key_file.h"
#include "services/framework/migrate.h"
#include "services/framework/pipeline.h"
#include "services/framework/reply_forms.h"

namespace services {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kDeniedMax = 1024;
constexpr rest::Rate kStrangersAudited{.per_second = 5, .burst = 100};
constexpr std::size_t kExpirePerRun = 2000;

struct NoOrgs final : Orgs {
  Result<std::optional<Org>> find_fqon(store::Reader&, std::string_view) override {
    return std::optional<Org>();
  }
  Result<std::optional<Org>> find_id(store::Reader&, std::string_view) override {
    return std::optional<Org>();
  }
  Result<std::vector<Org>> lineage(store::Reader&, std::string_view) override {
    return Error{Code::not_found, "no organisations are kept here", "org_unknown"};
  }
};

struct Nobody final : Authorizer {
  Result<Decision> decide(store::Reader&, const Question&, Call&) override {
    return Decision{false, "no service here grants it"};
  }
};

}  // namespace

// Work that comes again and again. Shared by the host and the timer or worker under way.
struct RunningHost::Period {
  base::Duration period{};
  std::function<void()> work;
  base::TimerHandle timer;
  std::mutex mutex;  // held while the work runs; stop() waits for it
  bool stopped = false;
};

struct RunningHost::Told {
  std::string prefix;
  Subscriber callback;
  std::uint64_t sequence = 0;  // how far it is, so that a failure repeats one event and not a batch
  std::size_t events = 0;
};

std::vector<store::Collection> collections_of(
    const std::vector<std::unique_ptr<Service>>& services) {
  std::vector<store::Collection> all = {outbox_collection(), task_collection(),
                                        idempotency_collection(), data_version_collection()};
  for (const auto& service : services) {
    for (store::Collection& each : service->collections()) all.push_back(std::move(each));
  }
  return all;
}

namespace {

constexpr std::string_view kOrgPath = "/orgs/{org}";

// Both spellings of a row's path, the second one empty when there is none.
std::pair<std::string, std::string> spellings(const std::string& mount, const std::string& path) {
  const bool by_org = path == kOrgPath || path.starts_with(std::string(kOrgPath) + "/");
  return {mount + path, by_org ? mount + "/{org}" + path.substr(kOrgPath.size()) : ""};
}

rest::Scope scope_of(const ActionRow& row) {
  return row.access.kind() == Access::Kind::anonymous ? rest::kPublic
                                                      : rest::Scope("services:call");
}

}  // namespace

void describe_actions(const std::vector<std::unique_ptr<Service>>& services,
                      rest::RouteTable& table) {
  for (const auto& service : services) {
    ActionTable actions;
    service->actions(actions);
    for (const ActionRow& row : actions.rows()) {
      const auto [path, by_name] = spellings(std::string(service->mount()), row.path);
      for (const std::string& each : {path, by_name}) {
        if (each.empty()) continue;
        table.add(
            rest::Row{row.method, each, scope_of(row), rest::Run::on_worker, {}, row.summary, {}});
      }
    }
  }
}

RunningHost::RunningHost(Parts parts, HostOptions options)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      dispatcher_(
          {parts_.store, parts_.timers, parts_.metrics,
           [this](std::function<void()> work) { return submit(std::move(work)).has_value(); },
           parts_.post}),
      tasks_(*this),
      no_orgs_(std::make_unique<NoOrgs>()),
      nobody_(std::make_unique<Nobody>()),
      orgs_(no_orgs_.get()),
      rights_(nobody_.get()),
      entitlements_(nobody_.get()),
      callers_(options_.caller_rate),
      throttled_(&parts_.metrics.counter("services_rate_exceeded_total",
                                         "Calls of accounts that called too often.")),
      strangers_(kStrangersAudited),
      denied_lost_(&parts_.metrics.counter("services_audit_lost_total",
                                           "Refusals that were too many to be audited.")) {
  tasks_.add(std::string(kPerformRunner), [this](TaskRun& run) -> Result<TaskEnd> {
    const rest::Response reply = TRY(perform(run.input()));
    const auto place = reply.headers.find("Location");
    TaskEnd end{.succeeded = reply.status < 400,
                .message = "answered " + std::to_string(reply.status),
                .link = place != reply.headers.end() ? place->second : ""};
    if (end.succeeded) return end;
    const Json body = Json::parse(reply.body, nullptr, false);
    if (body.is_object()) end.message = body.value("message", body.value("detail", end.message));
    end.code = std::to_string(reply.status);
    return end;
  });
}

RunningHost::~RunningHost() { stop(); }

Result<std::unique_ptr<RunningHost>> RunningHost::make(
    Parts parts, std::vector<std::unique_ptr<Service>> services, HostOptions options) {
  std::unique_ptr<RunningHost> host(new RunningHost(std::move(parts), std::move(options)));
  host->services_ = std::move(services);
  TRY(host->read_tables());
  return host;
}

Result<void> RunningHost::read_tables() {
  for (const Schema& each : common_schemas()) TRY(schemas_.add(each.name, each.text));
  for (const auto& service : services_) {
    dialects_[std::string(service->mount())] = service->dialect();
    for (const Schema& each : service->schemas()) TRY(schemas_.add(each.name, each.text));
    ActionTable table;
    service->actions(table);
    for (ActionRow& row : std::move(table).take()) {
      row.service = service->name();
      row.mount = service->mount();
      TRY(add_row(std::move(row)));
    }
  }
  TRY(schemas_.check_references());
  table_.allow_method_override();
  table_.render_failures([this](const Error& error, const rest::Request& request) {
    return render_unrouted(error, request);
  });
  table_.answer_options([this](const rest::Request& request) { return answer_options(request); });
  return {};
}

Result<void> RunningHost::add_row(ActionRow row) {
  const auto bad = [&row](std::string detail) {
    return Error{Code::invalid_argument, row.service + " " + row.path + ": " + detail,
                 "action_table_invalid"};
  };
  if (row.kind == Kind::query && row.method != rest::Method::get &&
      row.method != rest::Method::post) {
    return bad("a query is a GET or a POST");
  }
  if (row.has(kBeside) && (!row.is_mutation() || row.prepare || row.has(kAsync))) {
    return bad("what lies beside the store is changed by a mutation, at once");
  }
  if (row.is_mutation() && row.method == rest::Method::get) {
    return bad("a GET changes nothing");
  }
  RowSchemas schemas;
  if (!row.body_schema.empty()) {
    schemas.body = std::make_unique<Json>(TRY(Schemas::read(row.body_schema)));
  }
  if (!row.reply_schema.empty()) {
    schemas.reply = std::make_unique<Json>(TRY(Schemas::read(row.reply_schema)));
  }
  const std::size_t index = rows_.size();
  const std::string path = row.path;
  const std::string mount = row.mount;
  rows_.push_back(std::move(row));
  row_schemas_.push_back(std::move(schemas));
  const auto [plain, by_name] = spellings(mount, path);
  add_route(index, plain);
  if (!by_name.empty()) add_route(index, by_name);
  return {};
}

void RunningHost::add_route(std::size_t index, std::string path) {
  const ActionRow& row = rows_[index];
  const bool quick = row.kind == Kind::query && !row.prepare && !row.has(kOnWorker);
  row_of_path_[{static_cast<int>(row.method), path}] = index;
  table_.add(rest::Row{row.method,
                       std::move(path),
                       scope_of(row),
                       quick ? options_.queries : rest::Run::on_worker,
                       [this, index](const rest::Request& request) -> Result<rest::Response> {
                         return Pipeline(*this, index, request).run();
                       },
                       row.summary,
                       {.body_max = row.body_max, .handler_max = std::chrono::seconds(60)}});
}

// A service whose start failed may have left timers and work behind, so stop() is for it too.
Result<void> RunningHost::begin_services() {
  for (const auto& service : services_) {
    ++begun_;
    const Result<void> began = service->start(*this);
    if (!began) return base::prepend(service->name(), began.error());
  }
  return {};
}

Result<void> RunningHost::start() {
  {
    const std::lock_guard lock(work_mutex_);
    takes_work_ = true;
  }
  reply_key_ = TRY(load_or_make_key(state_folder("framework") + "/reply.key", rng()));
  TRY(migrate(store(), services_));
  TRY(begin_services());
  connect_consumers();
  dispatcher_.start();
  started_ = true;
  TRY(tasks_.start());
  every(std::chrono::minutes(1), [this] {
    const Result<void> expired = store().write([this](store::Writer& writer) -> Result<void> {
      TRY(expire_replies(writer, clock().wall(), kExpirePerRun));
      return {};
    });
    if (!expired) {
      base::log::failure("IDEMPOTENCY_EXPIRY_FAILED", "trying again in a minute", {},
                         expired.error());
    }
  });
  return {};
}

void RunningHost::connect_consumers() {
  if (audit_sink_ != nullptr) {
    dispatcher_.add("audit", [this](const std::vector<OutboxRow>& rows) -> Result<void> {
      std::vector<AuditSink::Entry> entries;
      for (const OutboxRow& row : rows) {
        if (!row.audit.empty()) entries.push_back({row.sequence, row.audit});
      }
      return entries.empty() ? Result<void>() : audit_sink_->append(entries);
    });
  }
  if (event_sink_ != nullptr) {
    dispatcher_.add("event", [this](const std::vector<OutboxRow>& rows) -> Result<void> {
      std::vector<Event> events;
      for (const OutboxRow& row : rows)
        events.insert(events.end(), row.events.begin(), row.events.end());
      return events.empty() ? Result<void>() : event_sink_->append(events);
    });
  }
  // With no consumer at all rows would stay for ever.
  dispatcher_.add("end", [](const std::vector<OutboxRow>&) { return Result<void>(); });
}

void RunningHost::subscribe(std::string subscriber, std::string name_prefix, Subscriber callback) {
  CHECK_THAT(!started_);
  auto told = std::make_shared<Told>();
  told->prefix = std::move(name_prefix);
  told->callback = std::move(callback);
  subscribers_.push_back(told);
  dispatcher_.add(std::move(subscriber),
                  [told](const std::vector<OutboxRow>& rows) -> Result<void> {
                    for (const OutboxRow& row : rows) {
                      if (row.sequence < told->sequence) continue;
                      if (row.sequence > told->sequence) told->events = 0;
                      told->sequence = row.sequence;
                      for (std::size_t i = told->events; i < row.events.size(); ++i) {
                        if (row.events[i].name.starts_with(told->prefix))
                          TRY(told->callback(row.events[i]));
                        told->events = i + 1;
                      }
                    }
                    return {};
                  });
}

void RunningHost::stop() {
  started_ = false;
  for (const auto& period : periods_) {
    period->timer.reset();
    const std::lock_guard lock(period->mutex);  // waits for the work under way
    period->stopped = true;
  }
  tasks_.stop();
  dispatcher_.stop();
  for (; begun_ > 0; --begun_) services_[begun_ - 1]->stop();
  wait_for_workers();
}

void RunningHost::wait_for_workers() {
  std::unique_lock lock(work_mutex_);
  takes_work_ = false;
  work_done_.wait(lock, [this] { return working_ == 0; });
}

void RunningHost::provide(Access::Kind kind, Authorizer& stage) {
  CHECK_THAT(kind == Access::Kind::right || kind == Access::Kind::entitlement);
  (kind == Access::Kind::right ? rights_ : entitlements_) = &stage;
}

Authorizer& RunningHost::authorizer(Access::Kind kind) {
  return kind == Access::Kind::right ? *rights_ : *entitlements_;
}

bool RunningHost::hosts(std::string_view service) const {
  return std::any_of(services_.begin(), services_.end(),
                     [service](const auto& each) { return each->name() == service; });
}

Service* RunningHost::find(std::string_view service) {
  for (const auto& each : services_) {
    if (each->name() == service) return each.get();
  }
  return nullptr;
}

std::string RunningHost::state_folder(std::string_view service) {
  const std::string folder = parts_.state_folder + "/" + std::string(service);
  const Result<void> made = sys::make_synced_folder(folder, 0700);
  if (!made) {
    base::log::failure("STATE_FOLDER_FAILED", "the service will not start", {{"folder", folder}},
                       made.error());
  }
  return folder;
}

Result<void> RunningHost::submit(std::function<void()> work) {
  {
    const std::lock_guard lock(work_mutex_);
    if (!takes_work_) return Error{Code::unavailable, "the host is stopping", "host_stopping"};
    ++working_;
  }
  const auto end = [this] {
    // Told under the lock: the host may be gone as soon as it is released.
    const std::lock_guard lock(work_mutex_);
    --working_;
    work_done_.notify_all();
  };
  Result<void> given = parts_.workers.submit([work = std::move(work), end]() mutable {
    work();
    work = nullptr;
    end();
  });
  if (!given) end();
  return given;
}

Result<void> RunningHost::count_call(const Caller& caller, base::Duration& wait) {
  if (options_.caller_rate.per_second <= 0 || caller.is_internal() ||
      caller.credential == CredentialKind::peer) {
    return {};
  }
  rest::RateLimiter::Verdict verdict;
  {
    const std::lock_guard lock(callers_mutex_);
    verdict = callers_.take(caller.account_id, parts_.clock.now());
  }
  if (verdict.is_allowed) return {};
  throttled_->add();
  if (verdict.is_first_refusal) {
    base::log::write(base::log::Level::notice, "SERVICES_RATE_EXCEEDED",
                     "an account calls more often than it may, answered 429",
                     {{"account", caller.account_id}, {"name", caller.name}});
  }
  wait = verdict.wait;
  return Error{Code::throttled, "more calls than this account may send, ask again a little later",
               "rate_exceeded"};
}

void RunningHost::every(base::Duration period, std::function<void()> work) {
  auto made = std::make_shared<Period>();
  made->period = period;
  made->work = std::move(work);
  periods_.push_back(made);
  run_period(made);
}

// Sets the timer; on the loop. What is captured ends with the host: stop() waits for it.
void RunningHost::run_period(const std::shared_ptr<Period>& period) {
  period->timer = parts_.timers.after(period->period, [this, period] {
    const Result<void> given = submit([this, period] {
      const std::lock_guard lock(period->mutex);
      if (period->stopped) return;
      period->work();
      post([this, weak = std::weak_ptr(period)] {
        const auto again = weak.lock();
        if (again && !again->stopped) run_period(again);
      });
    });
    if (!given) run_period(period);  // no room among the workers: the next time
  });
}

void RunningHost::add_runner(std::string name, Runner runner) {
  tasks_.add(std::move(name), std::move(runner));
}

void RunningHost::note_tasks(std::vector<std::string> ids) {
  if (task_watcher_) task_watcher_(ids);
  tasks_.note(std::move(ids));
}

Result<void> RunningHost::transact(std::string_view action, CallerPtr caller,
                                   const std::function<Result<void>(Call&)>& work) {
  Call call(*this);
  rest::Request request;
  request.id = parts_.rng.uuid();
  ActionRow row{.method = rest::Method::post,
                .path = {},
                .name = std::string(action),
                .access = authenticated(),
                .kind = Kind::mutation,
                .flags = 0,
                .summary = {},
                .body_schema = {},
                .reply_schema = {},
                .body_max = 0,
                .handle = {},
                .prepare = {},
                .resolve = {},
                .service = caller->name,
                .mount = {}};
  Call::State& state = call.state();
  state.request = &request;
  state.row = &row;
  state.caller = std::move(caller);
  state.now = parts_.clock.wall();
  // The books that the framework keeps of tasks are no decisions.
  const bool audited = !action.starts_with("task.");
  if (Result<void> outcome = parts_.store.write([&](store::Writer& writer) -> Result<void> {
        state.forget_effects();
        state.reader = state.writer = &writer;
        TRY(work(call));
        OutboxRow out;
        const std::string time = base::format_time(state.now);
        for (PendingEvent& event : state.events) {
          out.events.push_back({0, event.id, event.name, time, call.org().id, call.org().fqon,
                                call.caller().account_id, request.id, event.payload});
        }
        if (audited) {
          out.audit = base::dump_json(Json{{"time", time},
                                           {"request", request.id},
                                           {"action", row.name},
                                           {"outcome", "done"},
                                           {"account", call.caller().account_id},
                                           {"name", call.caller().name},
                                           {"more", *state.audit}});
        }
        if (out.audit.empty() && out.events.empty()) return {};
        return put_outbox(writer, std::move(out));
      });
      !outcome) {
    return std::move(outcome).error();
  }
  dispatcher_.wake();
  std::vector<std::string> tasks = std::move(state.started_tasks);
  tasks.insert(tasks.end(), state.changed_tasks.begin(), state.changed_tasks.end());
  if (!tasks.empty()) note_tasks(std::move(tasks));
  return {};
}

rest::Response RunningHost::handle(const rest::Request& request) {
  auto match = table_.match(request.method, request.path);
  if (!match) return render_unrouted(match.error(), request);
  rest::Request routed = request;
  routed.path = std::move(match->path);
  routed.path_parameters = std::move(match->parameters);
  if (routed.id.empty()) routed.id = parts_.rng.uuid();
  Result<rest::Response> reply = match->row->handler(routed);
  return reply ? *std::move(reply) : render_unrouted(reply.error(), routed);
}

// Refusals are written behind the caller's back, several at a time, so that a flood of them costs
// little; what does not fit is counted.
void RunningHost::note_denied(std::string audit, Refused who) {
  {
    const std::lock_guard lock(denied_mutex_);
    const bool is_too_often =
        who == Refused::stranger && !strangers_.take("strangers", parts_.clock.now()).is_allowed;
    if (is_too_often || denied_.size() >= kDeniedMax) return denied_lost_->add();
    denied_.push_back(std::move(audit));
    if (writing_denied_) return;
    writing_denied_ = true;
  }
  if (submit([this] { write_denied(); })) return;
  const std::lock_guard lock(denied_mutex_);
  writing_denied_ = false;  // the next refusal tries again
}

void RunningHost::write_denied() {
  for (;;) {
    std::deque<std::string> batch;
    {
      const std::lock_guard lock(denied_mutex_);
      batch.swap(denied_);
      if (batch.empty()) {
        writing_denied_ = false;
        break;
      }
    }
    const Result<void> written = store().write([&](store::Writer& writer) -> Result<void> {
      for (const std::string& audit : batch) {
        TRY(put_outbox(writer, {.sequence = 0, .audit = audit, .events = {}}));
      }
      return {};
    });
    if (!written) denied_lost_->add(static_cast<double>(batch.size()));
  }
  dispatcher_.wake();
}

Json RunningHost::health() {
  Json parts = Json::object();
  bool ok = true;
  for (const auto& service : services_) {
    Json each = service->health();
    ok = ok && each.value("status", "ok") == "ok";
    parts[std::string(service->name())] = std::move(each);
  }
  return Json{{"status", ok ? "ok" : "degraded"}, {"services", std::move(parts)}};
}

}  // namespace services
