// SPDX-License-Identifier: Apache-2.0
#include "node/agent/record.h"

#include <nlohmann/json.hpp>

namespace node::agent {

namespace {

using base::Fields;
using base::Json;

base::Result<Record> read_record(const Json& json) {
  Record out;
  Fields fields(json);
  fields.required("spec_digest", out.spec_digest, {.length_max = 64});
  std::int64_t uid_first = 0;
  fields.optional("uid_first", uid_first, {.min = 0, .max = UINT32_MAX});
  out.uid_first = static_cast<std::uint32_t>(uid_first);
  fields.optional("image_digest", out.image_digest, {.length_max = 200});
  fields.optional("boot_id", out.boot_id, {.length_max = 64});
  fields.optional("stop_requested", out.stop_requested);
  fields.optional("cleaned", out.cleaned);
  const Json* status = fields.find_object("status");
  const Json* spec = fields.find_object("spec");
  TRY(fields.finish(base::UnknownFields::refuse));
  if (status == nullptr || spec == nullptr) {
    return base::Error{base::Code::invalid_argument, "status and spec are required",
                       "field_missing"};
  }
  out.status = TRY(api::read_instance_status(*status, "/status"));
  out.spec = std::make_shared<const api::RunSpec>(TRY(api::read_run_spec(*spec, "/spec")));
  return out;
}

}  // namespace

std::string encode(const Record& record) {
  return base::dump_json({{"status", to_json(record.status)},
                          {"spec_digest", record.spec_digest},
                          {"spec", to_json(*record.spec)},
                          {"uid_first", record.uid_first},
                          {"image_digest", record.image_digest},
                          {"boot_id", record.boot_id},
                          {"stop_requested", record.stop_requested},
                          {"cleaned", record.cleaned}});
}

base::Result<Record> decode_record(std::string_view text) {
  const auto json = base::parse_json(text, {.bytes_max = 4 << 20});
  auto record = json ? read_record(*json) : base::Result<Record>(json.error());
  if (record) return record;
  return base::Error{base::Code::corrupt, base::to_string(record.error()), "record_invalid"};
}

}  // namespace node::agent
