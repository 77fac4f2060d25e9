// SPDX-License-Identifier: Apache-2.0
#include "services/framework/migrate.h"

#include <nlohmann/json.hpp>

#include "common/base/config.h"
#include "common/base/log.h"

namespace services {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr const char* kVersions = "framework.versions";

struct DataVersion {
  std::int64_t version = 0;
  std::string place;  // within the migration that leads on from it
};

Result<std::optional<DataVersion>> find_version(store::Reader& reader, std::string_view service) {
  const auto record = TRY(reader.find(kVersions, service));
  if (!record) return std::optional<DataVersion>();
  DataVersion found;
  const Json json = TRY(base::parse_json(record->value));
  base::Fields fields(json);
  fields.required("version", found.version, {.min = 0, .max = 1'000'000});
  fields.optional("place", found.place);
  TRY(fields.finish(base::UnknownFields::ignore));
  return std::optional(std::move(found));
}

Result<void> put_version(store::Writer& writer, std::string_view service,
                         const DataVersion& version) {
  const Json json = {{"version", version.version}, {"place", version.place}};
  TRY(writer.put(kVersions, service, base::dump_json(json)));
  return {};
}

Result<bool> has_records(store::Reader& reader, const Service& service) {
  for (const store::Collection& each : service.collections()) {
    const auto some = TRY(reader.list(each.name, {.limit = 1}));
    if (!some.empty()) return true;
  }
  return false;
}

std::int64_t newest_of(const Service& service) {
  return static_cast<std::int64_t>(service.migrations().size());
}

Result<DataVersion> version_of(store::Reader& reader, const Service& service) {
  auto found = TRY(find_version(reader, service.name()));
  if (!found) {
    const bool is_old = TRY(has_records(reader, service));
    found = DataVersion{is_old ? 0 : newest_of(service), ""};
  }
  // One that is on its way to a version that is not known is newer as well.
  const bool is_under_way = !found->place.empty();
  if (found->version + (is_under_way ? 1 : 0) <= newest_of(service)) return *std::move(found);
  return Error{Code::failed_precondition,
               "the records of '" + std::string(service.name()) + "' are of version " +
                   std::to_string(found->version) + ", and this program knows them up to version " +
                   std::to_string(newest_of(service)) +
                   ": start the newer program, or load a copy of the store from before",
               "store_newer"};
}

Result<void> bring_forward(store::Store& store, const Service& service, DataVersion now) {
  while (now.version < newest_of(service)) {
    const Migration& migration = service.migrations()[static_cast<std::size_t>(now.version)];
    DataVersion next;
    const auto part = [&](store::Writer& writer) -> Result<void> {
      next = now;
      const bool done = TRY(migration.part(writer, next.place));
      if (done) next = {now.version + 1, ""};
      return put_version(writer, service.name(), next);
    };
    const Result<void> committed = store.write(part);
    if (!committed) {
      return base::prepend(
          "migration '" + std::string(migration.name) + "' of " + std::string(service.name()),
          committed.error());
    }
    if (next.version > now.version) {
      base::log::notice("DATA_MIGRATED", "records are of the next version",
                        {{"service", std::string(service.name())},
                         {"migration", std::string(migration.name)},
                         {"version", std::to_string(next.version)}});
    }
    now = std::move(next);
  }
  return {};
}

}  // namespace

store::Collection data_version_collection() { return {.name = kVersions}; }

Result<void> migrate(store::Store& store, const std::vector<std::unique_ptr<Service>>& services) {
  std::vector<DataVersion> versions;
  const auto look = [&](store::Reader& reader) -> Result<void> {
    for (const auto& service : services) versions.push_back(TRY(version_of(reader, *service)));
    return {};
  };
  TRY(store.read(look));
  const auto note = [&](store::Writer& writer) -> Result<void> {
    for (std::size_t i = 0; i < services.size(); ++i) {
      if (services[i]->migrations().empty()) continue;
      const auto known = TRY(find_version(writer, services[i]->name()));
      if (!known) TRY(put_version(writer, services[i]->name(), versions[i]));
    }
    return {};
  };
  TRY(store.write(note));
  for (std::size_t i = 0; i < services.size(); ++i) {
    TRY(bring_forward(store, *services[i], std::move(versions[i])));
  }
  return {};
}

}  // namespace services
