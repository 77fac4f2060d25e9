// SPDX-License-Identifier: Apache-2.0
// Names of resources and records of the tree: what is accepted is safe to put into an address, and
// a damaged record is an error.
#include <cstdint>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "services/meta/resource.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (services::meta::check_name(services::meta::kOrgType, text)) {
    CHECK_THAT(text.find_first_of("./%?#& ") == std::string_view::npos);
  }
  if (services::meta::check_name(services::meta::kWorkspaceType, text)) {
    CHECK_THAT(text.find('/') == std::string_view::npos && text.size() <= 255);
  }
  const auto resource = services::meta::read_stored("id", text);
  if (!resource) return 0;
  static const auto types = *services::meta::Catalogue::make({});
  const services::meta::ResourceType* type = types->find(resource->type);
  if (type == nullptr) return 0;
  const std::string stored = services::meta::store_form(*resource, *type);
  CHECK_THAT(services::meta::read_header(stored).has_value());
  return 0;
}
