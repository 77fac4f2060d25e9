// SPDX-License-Identifier: Apache-2.0
// Configuration, what meta tells, routes. What is done about it: follow.cc.
#include "services/launcher/service.h"

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "services/launcher/adapters/marathon.h"

namespace services::launcher {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::string_view kName = "launcher";
constexpr const char* kDefault = "default";
constexpr const char* kMasterd = R"({"url":"unix:/run/gestalt/masterd.sock"})";
constexpr base::Duration kSweepEvery = std::chrono::milliseconds(500);
constexpr std::size_t kListedAtOnce = 1000;
constexpr std::size_t kAdoptedAtOnce = 200;
constexpr std::size_t kTasksMax = 32;  // that wait for one container

Result<Provider> read_provider(const Json& json, const std::string& pointer) {
  Provider provider;
  base::Fields fields(json, pointer);
  fields.optional("kind", provider.kind, {.length_min = 1, .length_max = 40});
  fields.optional("processes", provider.terms.processes);
  TRY(fields.finish(base::UnknownFields::ignore));
  if (provider.kind != "marathon") {
    return Error{Code::unsupported, "the launcher has no adapter '" + provider.kind + "'",
                 "adapter_unknown", 0, base::child_pointer(pointer, "kind")};
  }
  Json settings = json;
  settings.erase("kind");
  settings.erase("processes");
  if (auto fine = check_marathon(settings); !fine) {
    Error error = fine.error();
    error.pointer = pointer + error.pointer;
    return error;
  }
  provider.settings = base::dump_json(settings);
  return provider;
}

}  // namespace

Result<Config> read_config(const Json& json) {
  Config config;
  std::int64_t minutes = config.settle.count();
  const Json all = json.is_null() ? Json::object() : json;
  base::Fields fields(all);
  fields.optional("settle_minutes", minutes, {.min = 1, .max = 1440});
  const Json* providers = fields.find_object("providers");
  TRY(fields.finish(base::UnknownFields::refuse));
  config.settle = std::chrono::minutes(minutes);
  if (providers != nullptr) {
    for (const auto& [name, provider] : providers->items())
      config.providers[name] =
          TRY(read_provider(provider, base::child_pointer("/providers", name)));
  }
  if (!config.providers.contains(kDefault)) config.providers[kDefault].settings = kMasterd;
  return config;
}

Launcher::Launcher(Config config) : config_(std::move(config)) { add_marathon(adapters_); }
Launcher::~Launcher() = default;

Result<std::unique_ptr<Service>> Launcher::make(const Json& config) {
  return std::unique_ptr<Service>(std::make_unique<Launcher>(TRY(read_config(config))));
}

std::vector<store::Collection> Launcher::collections() const {
  return {{.name = std::string(kContainers), .indexes = {}}};
}

Result<void> Launcher::start(Host& host) {
  host_ = &host;
  containers_ = dynamic_cast<meta::Containers*>(host.find("meta"));
  if (containers_ == nullptr) {
    return Error{Code::failed_precondition, "the launcher needs the service 'meta' beside it",
                 "service_missing"};
  }
  const auto loaded = host.store().read([this](store::Reader& reader) -> Result<void> {
    store::Range range{.limit = kListedAtOnce};
    for (;;) {
      const auto records = TRY(reader.list(kContainers, range));
      for (const store::Record& record : records) schedule(record.key, base::Duration(0));
      if (records.size() < range.limit) return {};
      range.after = records.back().key;
    }
  });
  if (!loaded) return loaded.error();
  containers_->set_runner(this);
  host.subscribe("launcher", "meta.container.",
                 [this](const Event& event) { return take_event(event); });
  host.every(kSweepEvery, [this] { sweep(); });
  return {};
}

void Launcher::stop() {
  if (containers_ != nullptr) containers_->set_runner(nullptr);
}

Json Launcher::health() {
  const std::lock_guard lock(mutex_);
  Json said = {{"status", away_.empty() ? "ok" : "degraded"}, {"containers", due_.size()}};
  for (const auto& [provider, why] : away_) said["providers"][provider] = why;
  return said;
}

// ---- what meta tells

Result<std::string> Launcher::take_change(Call& call, std::string_view verb,
                                          const Json& container) {
  const std::string id = container.value("id", "");
  const auto known = TRY(find_record(call.read(), id));
  if (!known && verb == "delete") return std::string();  // it never ran
  Record record = known.value_or(Record{.app = app_id_of(container)});
  const std::string link = "/meta/" + container.value("fqon", "") + "/containers/" + id;
  record.tasks.push_back(TRY(call.task({.verb = std::string(verb),
                                        .resource = "container",
                                        .message = "waits for the launcher",
                                        .deadline = call.now() + config_.settle + kBackstop},
                                       Json{{"container", id},
                                            {"name", container.value("name", "")},
                                            {"href", link},
                                            {"application", record.app}})));
  if (record.tasks.size() > kTasksMax) {
    const auto done = call.finish_task(record.tasks.front(),
                                       {.succeeded = false,
                                        .message = "many later changes wait for the same container",
                                        .code = "task_superseded"});
    if (!done && done.error().reason != "task_ended" && done.error().code != Code::not_found)
      return done.error();
    record.tasks.erase(record.tasks.begin());
  }
  TRY(put_record(call.write(), id, record));
  return record.tasks.back();
}

Result<void> Launcher::take_event(const Event& event) {
  // What we have reported ourselves changes nothing about what is wanted.
  if (event.name == "meta.container.status") return {};
  const auto payload = base::parse_json(event.payload, {.bytes_max = 4 << 20});
  // Not one of ours: nothing that coming again would mend.
  if (!payload || !payload->is_object()) return {};
  const std::string id = payload->value("id", "");
  if (!id.empty()) schedule(id, base::Duration(0));
  return {};
}

Result<void> Launcher::adopt() {
  std::vector<std::string> unknown;
  const auto looked = host_->store().read([&](store::Reader& reader) -> Result<void> {
    for (std::string& id : TRY(containers_->container_ids(reader)))
      if (!TRY(find_record(reader, id))) unknown.push_back(std::move(id));
    return {};
  });
  if (!looked) return looked.error();
  for (std::size_t at = 0; at < unknown.size(); at += kAdoptedAtOnce) {
    const std::size_t last = std::min(unknown.size(), at + kAdoptedAtOnce);
    const auto adopt_some = [&](Call& call) -> Result<void> {
      for (std::size_t i = at; i < last; ++i) {
        const auto wanted = TRY(containers_->wanted_container(call.read(), unknown[i]));
        const auto known = TRY(find_record(call.read(), unknown[i]));
        if (!wanted || known) continue;
        TRY(put_record(call.write(), unknown[i], {.app = app_id_of(*wanted)}));
      }
      return {};
    };
    TRY(host_->transact("launcher.adopt", internal_caller(kName), adopt_some));
  }
  for (const std::string& id : unknown) schedule(id, base::Duration(0));
  return {};
}

// ---- when to look

void Launcher::schedule(const std::string& id, base::Duration delay) {
  const std::lock_guard lock(mutex_);
  const base::Instant at = host_->clock().now() + delay;
  const auto [found, is_new] = due_.emplace(id, at);
  // A change that came while it was looked at is not put off.
  if (!is_new) found->second = std::min(found->second, at);
}

std::vector<std::string> Launcher::take_due() {
  const std::lock_guard lock(mutex_);
  const base::Instant now = host_->clock().now();
  std::vector<std::string> ids;
  for (auto at = due_.begin(); at != due_.end();) {
    const bool is_due = at->second <= now;
    if (is_due) ids.push_back(at->first);
    at = is_due ? due_.erase(at) : std::next(at);
  }
  return ids;
}

void Launcher::sweep() {
  if (sweeping_.exchange(true)) return;
  if (!adopted_) {
    const auto done = adopt();
    adopted_ = done.has_value();
    if (!done) {
      base::log::warning("LAUNCHER_STORE_FAILED", "containers are looked for again", {},
                         done.error());
    }
  }
  skipped_.clear();
  for (const std::string& id : take_due()) {
    const auto next = bring_along(id);
    if (next) schedule(id, *next);
  }
  sweeping_ = false;
}

// ---- providers

Result<std::unique_ptr<Adapter>> Launcher::adapter_of(const std::string& provider) {
  const auto found = config_.providers.find(provider);
  if (found == config_.providers.end()) {
    return Error{Code::unsupported,
                 "no provider '" + provider +
                     "' is configured: settings.launcher.providers of services.json names them",
                 "adapter_unknown"};
  }
  const Json settings = TRY(base::parse_json(found->second.settings));
  return adapters_.make("launcher", found->second.kind, settings,
                        {host_->clock(), host_->rng(), host_->http()});
}

Result<Json> Launcher::probe_provider(const std::string& provider) {
  return TRY(adapter_of(provider))->probe();
}

Result<std::map<std::string, Json>> Launcher::observe_containers(
    const std::string& provider, const std::vector<std::string>& ids) {
  std::map<std::string, std::string> apps;
  const auto read = host_->store().read([&](store::Reader& reader) -> Result<void> {
    for (const std::string& id : ids) {
      const auto record = TRY(find_record(reader, id));
      // Where it still has to end it does not stand for the container any more.
      if (record && record->provider == provider) apps[id] = record->app;
    }
    return {};
  });
  if (!read) return read.error();
  const auto adapter = TRY(adapter_of(provider));
  std::map<std::string, Json> found;
  for (const auto& [id, app] : apps) {
    auto observed = TRY(adapter->observe(app));
    if (observed) found.emplace(id, *std::move(observed));
  }
  return found;
}

Json Launcher::probe_providers() {
  Json all = Json::object();
  for (const auto& [name, provider] : config_.providers) {
    Json& its = all[name];
    its["kind"] = provider.kind;
    auto adapter = adapter_of(name);
    const auto probe = adapter ? (*adapter)->probe() : Result<Json>(adapter.error());
    if (probe) its["probe"] = *probe;
    if (!probe) its["error"] = probe.error().detail;
  }
  return all;
}

// ---- routes

namespace {

Result<void> prepare_providers(Launcher& launcher, Call& call) {
  call.keep(launcher.probe_providers());
  return {};
}

Result<Reply> show_providers(Launcher&, Call& call) { return Reply::json(*call.kept<Json>()); }

Result<Reply> list_containers(Launcher&, Call& call) {
  Json list = Json::array();
  store::Range range{.limit = kListedAtOnce};
  range.after = call.query("cursor").value_or("");
  for (const store::Record& found : TRY(call.read().list(kContainers, range))) {
    const Record record = TRY(parse_record(found.value));
    list.push_back({{"container", found.key},
                    {"application", record.app},
                    {"provider", record.provider},
                    {"leaving", record.previous},
                    {"tasks", record.tasks}});
  }
  return Reply::json(list);
}

Result<Target> resolve_root(Launcher&, Call& call) {
  const auto org = TRY(call.host().orgs().find_fqon(call.read(), "root"));
  if (!org) return Error{Code::not_found, "there is no root organisation", "org_unknown"};
  return Target{*org, "", ""};
}

// By the name of the provider: what it said of itself, or why it did not.
constexpr std::string_view kProvidersReply = R"({"type":"object","additionalProperties":{
  "type":"object","required":["kind"],"additionalProperties":false,"properties":{
  "kind":{"type":"string"},"probe":{"type":"object"},"error":{"type":"string"}}}})";
constexpr std::string_view kContainersReply = R"({"type":"array","items":{"type":"object",
  "required":["container","application","provider","leaving","tasks"],
  "additionalProperties":false,"properties":{"container":{"type":"string","format":"uuid"},
  "application":{"type":"string"},"provider":{"type":"string"},"leaving":{"type":"array",
  "items":{"type":"string"}},"tasks":{"type":"array","items":{"type":"string"}}}}})";

constexpr Action<Launcher> kActions[] = {
    {rest::Method::get,
     "/providers",
     "launcher.providers",
     right("launcher:view"),
     Kind::query,
     show_providers,
     "The configured clusters, and whether they answer",
     {.flags = kOnWorker,
      .reply = kProvidersReply,
      .prepare = prepare_providers,
      .resolve = resolve_root}},
    {rest::Method::get,
     "/containers",
     "launcher.containers",
     right("launcher:view"),
     Kind::query,
     list_containers,
     "Which application stands for which container; ?cursor= is the last id of the page before",
     {.reply = kContainersReply, .resolve = resolve_root}},
};

}  // namespace

void Launcher::actions(ActionTable& table) { table.add(kActions, *this); }

}  // namespace services::launcher
