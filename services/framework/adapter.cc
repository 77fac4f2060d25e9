// SPDX-License-Identifier: Apache-2.0
#include "services/framework/adapter.h"

#include "common/base/check.h"

namespace services {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kQuotedMax = 300;

Code code_of(int status) {
  switch (status) {
    case 401: return Code::unauthenticated;
    case 403: return Code::permission_denied;
    case 404: return Code::not_found;
    case 409: return Code::failed_precondition;
    case 412: return Code::conflict;
    case 429: return Code::throttled;
    default: return status >= 500 ? Code::unavailable : Code::invalid_argument;
  }
}

}  // namespace

void AdapterRegistry::add(std::string kind, std::string name, Maker maker) {
  const bool is_new = makers_.emplace(std::pair(std::move(kind), std::move(name)), maker).second;
  CHECK_THAT(is_new);
}

bool AdapterRegistry::has(std::string_view kind, std::string_view name) const {
  return makers_.contains({std::string(kind), std::string(name)});
}

Result<std::unique_ptr<Adapter>> AdapterRegistry::make(std::string_view kind, std::string_view name,
                                                       const base::Json& settings,
                                                       const AdapterParts& parts) const {
  const auto found = makers_.find({std::string(kind), std::string(name)});
  if (found == makers_.end())
    return Error{Code::unsupported,
                 "there is no adapter " + std::string(name) + " for " + std::string(kind),
                 "adapter_unknown"};
  return found->second(settings, parts);
}

std::vector<std::string> AdapterRegistry::names(std::string_view kind) const {
  std::vector<std::string> names;
  for (const auto& [key, maker] : makers_)
    if (key.first == kind) names.push_back(key.second);
  return names;
}

Result<std::size_t> reconcile(Adapter& adapter, const std::string& id, const base::Json& desired) {
  const auto observed = TRY(adapter.observe(id));
  const auto steps = TRY(adapter.plan(id, desired, observed));
  for (const AdapterStep& step : steps) TRY(adapter.apply(step));
  return steps.size();
}

Result<void> check_adapter_status(const sys::HttpReply& reply, std::string_view what) {
  if (reply.status >= 200 && reply.status < 300) return {};
  return Error{code_of(reply.status),
               std::string(what) + " answered " + std::to_string(reply.status) + ": " +
                   reply.body.substr(0, kQuotedMax),
               reply.status >= 500 ? "adapter_away" : "adapter_refused"};
}

}  // namespace services
