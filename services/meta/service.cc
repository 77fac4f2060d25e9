// SPDX-License-Identifier: Apache-2.0
#include "services/meta/service.h"

#include <nlohmann/json.hpp>

#include "services/meta/handlers.h"
#include "services/meta/schemas.h"
#include "services/meta/sync.h"
#include "services/security/api/identities.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::string_view kTypesState = "types";

}  // namespace

Meta::Meta() {
  auto builtin = Catalogue::make({});
  CHECK_THAT(builtin.has_value());
  builtin_ = *builtin;
}

Meta::~Meta() = default;

Result<std::unique_ptr<Service>> Meta::make(const Json& config) {
  const Json settings = config.is_null() ? Json::object() : config;
  base::Fields fields(settings);
  TRY(fields.finish(base::UnknownFields::refuse));
  return std::unique_ptr<Service>(std::make_unique<Meta>());
}

std::vector<Schema> Meta::schemas() const { return reply_schemas(); }

Result<void> Meta::start(Host& host) {
  host_ = &host;
  Service* keeper = host.find("security");
  if (keeper != nullptr && dynamic_cast<Identities*>(keeper) == nullptr) {
    mirror_ = ::security::make_identities(*keeper);
  }
  host.provide(Access::Kind::entitlement, *this);
  host.provide(static_cast<Policy&>(*this));
  const auto looked = host.store().read([this](store::Reader& reader) -> Result<void> {
    rules_ = !TRY(reader.list(kRules, {.limit = 1})).empty();
    return {};
  });
  if (!looked) return looked.error();
  add_action_runner(*this, host);
  watchers_ = std::make_unique<Followers>(host);
  host.subscribe("meta.watchers", "meta.", [this](const Event& event) -> Result<void> {
    if (watchers_->size() == 0) return {};
    const Json payload = TRY(base::parse_json(event.payload, {.bytes_max = 16 << 20}));
    const auto id = payload.find("id");
    if (id != payload.end() && id->is_string()) watchers_->notify(id->get<std::string>());
    return {};
  });
  return start_sync(*this, host);
}

void Meta::stop() {
  if (watchers_) watchers_->stop();
}

Json Meta::health() { return {{"status", "ok"}}; }

Result<std::shared_ptr<const Catalogue>> Meta::types(store::Reader& reader) {
  const std::optional<store::Record> state = TRY(reader.find(kState, kTypesState));
  if (!state) return builtin_;
  {
    const std::lock_guard lock(mutex_);
    if (types_ && types_key_ == state->value) return types_;
  }
  std::vector<ResourceType> custom;
  for (const Stored& stored : TRY(list_all(reader, "resourcetypes"))) {
    const Header header = TRY(stored.header());
    const Json document = TRY(base::parse_json(header.json, {.bytes_max = 4 << 20}));
    custom.push_back(TRY(read_type(document)));
    custom.back().id = stored.id;
  }
  const auto made = TRY(Catalogue::make(std::move(custom)));
  const std::lock_guard lock(mutex_);
  types_ = made;
  types_key_ = state->value;
  return made;
}

Result<void> Meta::touch_types(Call& call) {
  // An id rather than a number: what a transaction that was rolled back has left in memory must not
  // be taken for what a later one wrote.
  TRY(call.write().put(kState, kTypesState, call.new_id()));
  return {};
}

Result<Identities*> Meta::identities() {
  auto* found = dynamic_cast<Identities*>(host_->find("security"));
  if (found != nullptr) return found;
  if (mirror_) return mirror_.get();
  return Error{Code::unavailable, "the service that keeps identities is not hosted here",
               "identities_absent"};
}

Result<ContainerRunner*> Meta::runner() const {
  if (runner_ != nullptr) return runner_;
  return Error{Code::unavailable, "the service that runs containers is not hosted here",
               "launcher_absent"};
}

std::string_view Meta::keep_name(std::string name) {
  names_.push_back(std::move(name));
  return names_.back();
}

}  // namespace services::meta
