// SPDX-License-Identifier: Apache-2.0
#include "services/change/service.h"

#include <nlohmann/json.hpp>

#include "services/change/adapters/remedy.h"
#include "services/change/adapters/servicenow.h"
#include "services/change/schemas.h"

namespace services::change {

using base::Json;
using base::Result;

namespace {

constexpr base::Duration kSweepEvery = std::chrono::seconds(1);

}  // namespace

ChangeService::ChangeService(Systems systems) : systems_(std::move(systems)) {
  add_servicenow(adapters_);
  add_remedy(adapters_);
}
ChangeService::~ChangeService() = default;

std::vector<Schema> ChangeService::schemas() const { return reply_schemas(); }

Result<void> ChangeService::start(Host& host) {
  host_ = &host;
  host.provide(static_cast<Gate&>(*this));
  host.every(kSweepEvery, [this] { sweep(); });
  // A decision is acted upon at once, not at the next second.
  host.subscribe("change", "change.", [this](const services::Event&) -> Result<void> {
    return host_->submit([this] { sweep(); });
  });
  return {};
}

Result<std::unique_ptr<Adapter>> ChangeService::make_adapter(const std::string& system) {
  const auto found = systems_.find(system);
  if (found == systems_.end())
    return base::Error{base::Code::unsupported, "no system " + system + " is configured",
                       "adapter_unknown"};
  const Json settings = TRY(base::parse_json(found->second.settings));
  return adapters_.make("change", found->second.kind, settings,
                        {host_->clock(), host_->rng(), host_->http()});
}

Result<std::shared_ptr<const ChangeService::Rules>> ChangeService::rules(store::Reader& reader) {
  const auto mark = TRY(reader.find(kRules, "rules"));
  const std::uint64_t version = mark ? mark->version : 0;
  {
    const std::lock_guard lock(mutex_);
    if (rules_ && rules_->version == version) return rules_;
  }
  auto fresh = std::make_shared<Rules>();
  fresh->version = version;
  for (const store::Record& record : TRY(reader.list(kHandlers, {.limit = kHandlersMax})))
    fresh->handlers.push_back(TRY(parse_handler(record.value)));
  for (const store::Record& record : TRY(reader.list(kFreezes, {.limit = kFreezesMax})))
    fresh->freezes.push_back(TRY(parse_freeze(record.value)));
  const std::lock_guard lock(mutex_);
  rules_ = fresh;
  return rules_;
}

Result<std::unique_ptr<Service>> make_change_service(const Json& config) {
  base::Fields fields(config);
  ChangeService::Systems systems;
  if (const Json* all = fields.find_object("systems")) {
    for (const auto& [name, system] : all->items()) {
      const std::string pointer = base::child_pointer(fields.pointer_of("systems"), name);
      ChangeService::System& made = systems[name];
      base::Fields its(system, pointer);
      its.required("kind", made.kind, {.length_min = 1, .length_max = 40});
      TRY(its.finish(base::UnknownFields::ignore));
      Json settings = system;
      settings.erase("kind");
      made.settings = base::dump_json(settings);
    }
  }
  TRY(fields.finish(base::UnknownFields::refuse));
  return std::unique_ptr<Service>(std::make_unique<ChangeService>(std::move(systems)));
}

}  // namespace services::change
