// SPDX-License-Identifier: Apache-2.0
// Errors as problem+json, and the catalogue of reasons that docs/reference/problems.md is.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/rest/http.h"

namespace rest {

using base::Code;

namespace {

struct Entry {
  std::string_view reason;
  std::string_view meaning;
};

constexpr Entry kCatalogue[] = {
    {"", ""},  // an array may not be empty
#include "problem_catalogue.inc"
};

const Entry* find_entry(std::string_view reason) {
  const auto* at =
      std::lower_bound(std::begin(kCatalogue), std::end(kCatalogue), reason,
                       [](const Entry& a, std::string_view b) { return a.reason < b; });
  return at != std::end(kCatalogue) && at->reason == reason ? at : nullptr;
}

std::string title_of(std::string_view reason) {
  const Entry* entry = find_entry(reason);
  std::string title(entry != nullptr ? entry->meaning : reason);
  if (entry == nullptr) std::replace(title.begin(), title.end(), '_', ' ');
  if (!title.empty() && title[0] >= 'a' && title[0] <= 'z') {
    title[0] = static_cast<char>(title[0] - 'a' + 'A');
  }
  return title;
}

bool is_our_bug(Code code) { return code == Code::internal || code == Code::corrupt; }

}  // namespace

std::string_view find_reason(std::string_view text) {
  const Entry* entry = find_entry(text);
  return entry == nullptr ? std::string_view() : entry->reason;
}

int http_status(Code code) {
  switch (code) {
    case Code::invalid_argument: return 400;
    case Code::unauthenticated: return 401;
    case Code::permission_denied: return 403;
    case Code::not_found: return 404;
    case Code::already_exists: return 409;
    case Code::failed_precondition: return 409;
    case Code::conflict: return 412;
    case Code::throttled: return 429;
    case Code::no_space: return 507;
    case Code::unavailable: return 503;
    case Code::timed_out: return 504;
    case Code::unsupported: return 501;
    case Code::too_large: return 413;
    case Code::corrupt: return 500;
    case Code::internal: return 500;
  }
  return 500;
}

int http_status(const base::Error& error) {
  if (error.reason == "method_not_allowed") return 405;
  if (error.reason == "request_timed_out") return 408;
  return http_status(error.code);
}

Response problem(const base::Error& error, std::string_view request_id) {
  const std::string detail =
      is_our_bug(error.code) ? "see the log, request " + std::string(request_id) : error.detail;
  base::Json body = {{"type", "/problems/" + std::string(error.reason)},
                     {"title", title_of(error.reason)},
                     {"status", http_status(error)},
                     {"detail", detail},
                     {"instance", std::string(request_id)}};
  if (!error.pointer.empty() && !is_our_bug(error.code)) {
    body["errors"] = {{{"pointer", error.pointer}, {"detail", detail}}};
  }
  Response response = Response::json(body, http_status(error));
  response.headers["Content-Type"] = "application/problem+json";
  return response;
}

}  // namespace rest
