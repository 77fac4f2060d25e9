// SPDX-License-Identifier: Apache-2.0
// Bringing one container along: what meta wants × what the provider has → steps there, a report
// and the end of tasks here.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "services/framework/task_row.h"
#include "services/launcher/service.h"

namespace services::launcher {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::string_view kName = "launcher";
constexpr base::Duration kWhileMoving = std::chrono::seconds(1);
constexpr base::Duration kWhileSettled = std::chrono::seconds(5);
// Each container adds to the time after which all of them have been looked at again.
constexpr base::Duration kPerContainer = std::chrono::milliseconds(20);
constexpr base::Duration kAfterFailure = std::chrono::seconds(5);

meta::ContainerReport report_of(const Seen& seen, const std::string& app) {
  meta::ContainerReport report = seen;
  report.external_id = app;
  return report;
}

// "tls, env/TOKEN"
std::string listed(const Json& keys) {
  std::string text;
  for (const Json& key : keys) text += (text.empty() ? "" : ", ") + key.get<std::string>();
  return text;
}

// What no repetition would mend, until the container is changed.
bool is_final(const Error& error) {
  return error.code == Code::invalid_argument || error.code == Code::unsupported ||
         error.code == Code::too_large;
}

bool is_away(const Error& error) {
  return error.code == Code::unavailable || error.code == Code::timed_out;
}

}  // namespace

std::optional<base::Duration> Launcher::bring_along(const std::string& id) {
  std::optional<Record> record;
  std::optional<Json> wanted;
  const auto read = host_->store().read([&](store::Reader& reader) -> Result<void> {
    record = TRY(find_record(reader, id));
    if (record) wanted = TRY(containers_->wanted_container(reader, id));
    return {};
  });
  if (!read) {
    note_trouble(id, read.error());
    return kAfterFailure;
  }
  if (!record) return std::nullopt;
  Record after = *record;
  const auto found = look(id, after, wanted);
  Outcome outcome;
  if (found) outcome = *found;
  if (!found) outcome.message = found.error().detail + "; trying again";
  if (const auto done = conclude(id, *record, after, outcome); !done) {
    note_trouble(id, done.error());
    return kAfterFailure;
  }
  if (!found) {
    note_trouble(id, found.error());
    return kAfterFailure;
  }
  const std::lock_guard lock(mutex_);
  troubles_.erase(id);
  switch (outcome.stage) {
    case Outcome::Stage::gone: return std::nullopt;
    case Outcome::Stage::moving: return kWhileMoving;
    case Outcome::Stage::settled:
    case Outcome::Stage::failed: break;
  }
  return kWhileSettled + kPerContainer * static_cast<int>(due_.size());
}

Result<Launcher::Outcome> Launcher::look(const std::string& id, Record& record,
                                         const std::optional<Json>& wanted) {
  if (!wanted) return end(record);
  const Json& provider = (*wanted)["provider"];
  if (!provider.is_string()) {
    return refuse(record,
                  Error{Code::invalid_argument, wanted->value("problem", ""), "provider_unusable"});
  }
  const std::string name = provider.get<std::string>();
  if (!config_.providers.contains(name)) {
    const auto none = adapter_of(name);
    return refuse(record, none.error());
  }
  if (const std::string lacks = listed((*wanted)["lacks"]); !lacks.empty()) {
    return refuse(record,
                  Error{Code::invalid_argument, "its configuration must have a value for " + lacks,
                        "config_missing"});
  }
  if (const std::string waits_for = listed((*wanted)["waits_for"]); !waits_for.empty()) {
    return leave_as_is(record, "waits for a value in its configuration: " + waits_for);
  }
  if (name != record.provider) TRY(move_to(id, record, name));
  return make_so(record, *wanted);
}

// The record says where it is before it is there.
Result<void> Launcher::move_to(const std::string& id, Record& record, const std::string& provider) {
  if (!record.provider.empty()) record.previous.push_back(record.provider);
  std::erase(record.previous, provider);
  record.provider = provider;
  return host_->transact("launcher.place", internal_caller(kName), [&](Call& call) -> Result<void> {
    const auto now = TRY(find_record(call.read(), id));
    if (!now) return {};
    Record next = *now;
    next.provider = record.provider;
    next.previous = record.previous;
    return put_record(call.write(), id, next);
  });
}

Result<Launcher::Outcome> Launcher::make_so(Record& record, const Json& wanted) {
  const auto desired = app_of(wanted, config_.providers.at(record.provider).terms);
  if (!desired) return refuse(record, desired.error());
  const auto found = work_at(record.provider, record.app, &*desired);
  if (!found && is_final(found.error())) return refuse(record, found.error());
  if (!found) return found.error();
  Outcome outcome;
  outcome.message = "the application is being made";
  if (!found->app) return outcome;
  const Seen seen = seen_of(*found->app);
  const std::int64_t instances = desired->value("instances", std::int64_t{0});
  outcome.report = report_of(seen, record.app);
  outcome.percent = instances == 0 ? 0 : static_cast<int>(seen.running * 100 / instances);
  outcome.message = std::to_string(seen.running) + " of " + std::to_string(instances) +
                    " instances run: " + seen.status;
  if (!seen.is_settled || found->steps > 0) return outcome;
  TRY(leave_previous(record));
  outcome.stage = Outcome::Stage::settled;
  return outcome;
}

// What runs already goes on as it is.
Result<Launcher::Outcome> Launcher::leave_as_is(const Record& record, std::string message) {
  Outcome outcome;
  meta::ContainerReport report;
  report.status = "WAITING";
  if (!record.provider.empty()) {
    const Found found = TRY(work_at(record.provider, record.app, nullptr));
    if (found.app) report = report_of(seen_of(*found.app), record.app);
  }
  outcome.message = report.message = std::move(message);
  outcome.report = std::move(report);
  return outcome;
}

Result<Launcher::Outcome> Launcher::refuse(const Record& record, const Error& why) {
  Outcome outcome =
      TRY(leave_as_is(record, why.pointer.empty() ? why.detail : why.pointer + ": " + why.detail));
  outcome.stage = Outcome::Stage::failed;
  outcome.code = std::string(why.reason);
  outcome.report->status = "FAILED";
  outcome.report->fate = meta::Fate::failed;
  return outcome;
}

Result<void> Launcher::leave_previous(Record& record) {
  const Json absent;
  while (!record.previous.empty()) {
    const std::string& left = record.previous.back();
    if (!config_.providers.contains(left)) {
      base::log::warning("LAUNCHER_PROVIDER_GONE",
                         "an application may be left at a provider that is configured no more, "
                         "forgetting it",
                         {{"application", record.app}, {"provider", left}});
    } else if (!is_same_place(left, record.provider)) {
      TRY(work_at(left, record.app, &absent));
    }
    record.previous.pop_back();
  }
  return {};
}

Result<Launcher::Outcome> Launcher::end(const Record& record) {
  Outcome outcome;
  outcome.message = "the application is being removed";
  const Json absent;
  Record left = record;
  TRY(leave_previous(left));
  if (!record.provider.empty() && config_.providers.contains(record.provider)) {
    const Found found = TRY(work_at(record.provider, record.app, &absent));
    if (found.steps > 0) return outcome;
  }
  outcome.stage = Outcome::Stage::gone;
  outcome.message = "removed";
  return outcome;
}

bool Launcher::is_same_place(const std::string& one, const std::string& other) const {
  const auto url_of = [this](const std::string& name) {
    const auto settings = base::parse_json(config_.providers.at(name).settings);
    return settings ? settings->value("url", "") : "";
  };
  return one == other || url_of(one) == url_of(other);
}

// ---- at the provider

Result<Launcher::Found> Launcher::work_at(const std::string& provider, const std::string& app,
                                          const Json* desired) {
  const auto skipped = skipped_.find(provider);
  if (skipped != skipped_.end()) return skipped->second;
  auto adapter = TRY(adapter_of(provider));
  auto found = work(*adapter, app, desired);
  const std::lock_guard lock(mutex_);
  if (found || !is_away(found.error())) {
    away_.erase(provider);
  } else {
    skipped_.emplace(provider, found.error());
    away_[provider] = found.error().detail;
  }
  return found;
}

Result<Launcher::Found> Launcher::work(Adapter& adapter, const std::string& app,
                                       const Json* desired) {
  Found found;
  found.app = TRY(adapter.observe(app));
  if (desired == nullptr) return found;
  const auto steps = TRY(adapter.plan(app, *desired, found.app));
  for (const AdapterStep& step : steps) TRY(adapter.apply(step));
  found.steps = steps.size();
  if (!steps.empty()) found.app = TRY(adapter.observe(app));
  return found;
}

// ---- what came of it

Result<bool> Launcher::has_news(store::Reader& reader, const std::string& id, const Record& seen,
                                const Record& after, const Outcome& outcome) {
  const bool has_ended = outcome.stage != Outcome::Stage::moving;
  if (outcome.stage == Outcome::Stage::gone || (has_ended && !seen.tasks.empty())) return true;
  const auto now = TRY(find_record(reader, id));
  if (!now || now->previous != after.previous) return true;
  if (outcome.report) {
    const bool news = TRY(containers_->is_news(reader, id, *outcome.report));
    if (news) return true;
  }
  const std::int64_t latest = to_ms(host_->clock().wall() + kBackstop);
  for (const std::string& task : seen.tasks) {
    const auto row = load_task(reader, task);
    if (!row || row->has_ended() || row->message != outcome.message) return true;
    if (row->deadline_ms != 0 && row->deadline_ms <= latest) return true;
  }
  return false;
}

Result<bool> Launcher::move_task(Call& call, const std::string& task, const Outcome& outcome) {
  const auto row = load_task(call.read(), task);
  if (!row && row.error().code != Code::not_found) return row.error();
  if (!row || row->has_ended()) return false;  // cancelled, or removed
  const Json input = TRY(base::parse_json(row->input, {.bytes_max = row->input.size()}));
  const std::string link = input.value("href", "");
  const auto finish = [&](TaskEnd end) -> Result<bool> {
    call.emit("task.launcher.container." + row->verb + (end.succeeded ? ".completed" : ".halted"),
              Json{{"uuid", task}});
    TRY(call.finish_task(task, std::move(end)));
    return false;
  };
  switch (outcome.stage) {
    case Outcome::Stage::settled:
    case Outcome::Stage::gone:
      return finish({.succeeded = true, .message = outcome.message, .link = link});
    case Outcome::Stage::failed:
      return finish(
          {.succeeded = false, .message = outcome.message, .link = link, .code = outcome.code});
    case Outcome::Stage::moving: break;
  }
  if (row->deadline_ms != 0 && row->deadline_ms <= to_ms(call.now() + kBackstop)) {
    return finish({.succeeded = false,
                   .message = "not within " + std::to_string(config_.settle.count()) +
                              " minutes; it goes on being tried. Last: " + outcome.message,
                   .link = link,
                   .code = "task_deadline_passed"});
  }
  if (row->message != outcome.message)
    TRY(call.progress_task(task, outcome.percent, outcome.message));
  return true;
}

Result<void> Launcher::conclude(const std::string& id, const Record& seen, const Record& after,
                                const Outcome& outcome) {
  bool news = false;
  const auto looked = host_->store().read([&](store::Reader& reader) -> Result<void> {
    news = TRY(has_news(reader, id, seen, after, outcome));
    return {};
  });
  if (!looked) return looked.error();
  if (!news) return {};
  const auto write = [&](Call& call) -> Result<void> {
    const auto now = TRY(find_record(call.read(), id));
    if (!now) return {};
    Record next = *now;
    next.tasks.clear();
    next.previous = after.previous;
    for (const std::string& task : now->tasks) {
      // One that has come meanwhile waits for what has not been looked at yet.
      const bool is_seen =
          std::find(seen.tasks.begin(), seen.tasks.end(), task) != seen.tasks.end();
      const bool waits = !is_seen || TRY(move_task(call, task, outcome));
      if (waits) next.tasks.push_back(task);
    }
    if (outcome.report) TRY(containers_->report_container(call, id, *outcome.report));
    const bool is_wanted = TRY(containers_->wanted_container(call.read(), id)).has_value();
    if (outcome.stage == Outcome::Stage::gone && !is_wanted)
      return call.write().remove(kContainers, id);
    if (next == *now) return {};
    return put_record(call.write(), id, next);
  };
  return host_->transact("launcher.report", internal_caller(kName), write);
}

void Launcher::note_trouble(const std::string& id, const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    std::string& last = troubles_[id];
    if (last == error.detail) return;
    last = error.detail;
  }
  base::log::warning("LAUNCHER_CONTAINER_STUCK",
                     "a container cannot be brought along, trying again", {{"container", id}},
                     error);
}

}  // namespace services::launcher
