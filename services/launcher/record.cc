// SPDX-License-Identifier: Apache-2.0
#include "services/launcher/record.h"

#include <nlohmann/json.hpp>

#include "common/base/json.h"

namespace services::launcher {

using base::Json;
using base::Result;

std::string format_record(const Record& record) {
  return base::dump_json(Json{{"app", record.app},
                              {"provider", record.provider},
                              {"previous", record.previous},
                              {"tasks", record.tasks}});
}

Result<Record> parse_record(std::string_view text) {
  const Json json = TRY(base::parse_json(text));
  Record record;
  base::Fields fields(json);
  fields.required("app", record.app);
  fields.optional("provider", record.provider);
  fields.optional("previous", record.previous);
  fields.optional("tasks", record.tasks);
  TRY(fields.finish(base::UnknownFields::ignore));
  return record;
}

Result<std::optional<Record>> find_record(store::Reader& reader, std::string_view id) {
  const auto found = TRY(reader.find(kContainers, id));
  if (!found) return std::optional<Record>();
  return std::optional<Record>(TRY(parse_record(found->value)));
}

Result<void> put_record(store::Writer& writer, std::string_view id, const Record& record) {
  TRY(writer.put(kContainers, id, format_record(record)));
  return {};
}

}  // namespace services::launcher
