// SPDX-License-Identifier: Apache-2.0
#include "services/event/audience.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "services/event/service.h"

namespace services::event {

using base::Json;
using base::Result;

Result<Audience> Audience::of(EventService& service, Call& call, const std::string& channel) {
  Audience audience;
  if (channel != kSystemChannel) return audience;
  const std::vector<Org> orgs = TRY(service.readable_orgs(call));
  audience.sees_all_ = call.caller().is_internal();
  for (const Org& org : orgs) {
    audience.sees_all_ = audience.sees_all_ || org.fqon == "root";
    audience.fqons_.push_back(org.fqon);
  }
  return audience;
}

// What belongs to no organisation is for readers of all.
bool Audience::sees(const StoredEvent& stored) const {
  if (sees_all_) return true;
  const Json envelope = Json::parse(stored.event.data.value_or(""), nullptr, false);
  if (!envelope.is_object() || !envelope.contains("org")) return false;
  const Json& org = envelope["org"];
  const std::string fqon = org.is_object() ? org.value("fqon", "") : "";
  return std::any_of(fqons_.begin(), fqons_.end(), [&fqon](const std::string& allowed) {
    return fqon == allowed || fqon.starts_with(allowed + ".");
  });
}

}  // namespace services::event
