// SPDX-License-Identifier: Apache-2.0
// parse_json and the typed reader. Properties: a text that was read can be written and read again;
// fields are within their limits; an error carries a pointer that begins with '/'.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "common/base/json.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void read_fields(const base::Json& json) {
  std::string name = "unset";
  std::int64_t count = 5;
  double share = 0.5;
  bool flag = false;
  std::vector<std::string> list;
  base::Fields fields(json, "/root");
  fields.required("name", name, {.length_min = 1, .length_max = 8});
  fields.optional("count", count, {.min = -10, .max = 10});
  fields.optional("share", share, {.min = 0, .max = 1});
  fields.optional("flag", flag);
  fields.optional("list", list, 3, {.length_max = 4});
  if (const base::Json* inner = fields.find_object("inner")) {
    base::Fields nested(*inner, fields.pointer_of("inner"));
    nested.required("count", count, {.min = -10, .max = 10});
    if (auto done = nested.finish(base::UnknownFields::refuse); !done) fields.reject(done.error());
  }
  const auto done = fields.finish(base::UnknownFields::refuse);
  require(!name.empty() && name.size() <= 8);
  require(count >= -10 && count <= 10 && share >= 0 && share <= 1);
  require(list.size() <= 3);
  if (!done) require(done.error().pointer.starts_with("/root"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(base::parse_json(text, {}, base::JsonComments::ignore));
  const auto json = base::parse_json(text, {.bytes_max = 1 << 16, .depth_max = 32});
  if (!json) return 0;
  const std::string written = base::dump_json(*json);
  const auto again = base::parse_json(written);
  require(again.has_value() && base::dump_json(*again) == written);
  read_fields(*json);
  return 0;
}
