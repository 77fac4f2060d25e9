// SPDX-License-Identifier: Apache-2.0
#include "cli/places.h"

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/views.h"
#include "common/base/config.h"
#include "common/base/text.h"
#include "common/sys/files.h"

namespace cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kContextMax = 1024;

std::filesystem::path context_file() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && *config != '\0') {
    return std::filesystem::path(config) / "gestalt" / "context";
  }
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "/root" : home) / ".config" / "gestalt" /
         "context";
}

Result<void> check_place(std::string_view place) {
  const auto steps = base::split(place, '/');
  bool good = steps.size() >= 2 && steps.size() <= 4 && steps[0].empty();
  for (std::size_t i = 1; good && i < steps.size(); ++i) good = !steps[i].empty();
  if (good && place.size() <= kContextMax) return {};
  return Error{
      Code::invalid_argument,
      "a place is written /fqon[/workspace[/environment]], not '" + std::string(place) + "'",
      "context_invalid"};
}

}  // namespace

Result<std::string> kept_context() {
  std::error_code failed;
  if (!std::filesystem::exists(context_file(), failed)) return std::string();
  const std::string text = TRY(base::read_file(context_file().string(), kContextMax));
  return std::string(base::trim(text));
}

Result<std::string> choose_context(const std::string& option) {
  std::string place = option;
  if (place.empty()) place = TRY(kept_context());
  if (place.empty()) {
    return Error{Code::invalid_argument,
                 "no place is named: give --context /fqon[/workspace[/environment]]",
                 "context_missing"};
  }
  TRY(check_place(place));
  return place;
}

Result<void> keep_context(const std::string& place) {
  std::error_code failed;
  if (place.empty()) {
    std::filesystem::remove(context_file(), failed);
    return {};
  }
  TRY(check_place(place));
  std::filesystem::create_directories(context_file().parent_path(), failed);
  if (failed) return base::os_error(failed.value(), context_file().parent_path().string());
  return sys::write_file_durably(context_file(), place + "\n", 0600);
}

Result<Place> find_place(Api& api, const std::string& place) {
  TRY(check_place(place));
  Place found;
  found.resource = TRY(api.get("/meta/path/" + encode_id(place)));
  found.fqon = text_at(found.resource, "org/properties/fqon");
  const std::string type = text_at(found.resource, "resource_type");
  const std::string id = text_at(found.resource, "id");
  found.address = "/meta/" + base::percent_encode(found.fqon);
  if (type.ends_with("::Workspace")) found.address += "/workspaces/" + id;
  if (type.ends_with("::Environment")) found.address += "/environments/" + id;
  return found;
}

Result<Split> split_place(std::string_view place) {
  TRY(check_place(place));
  const std::size_t slash = place.rfind('/');
  if (slash > 0)
    return Split{std::string(place.substr(0, slash)), std::string(place.substr(slash + 1))};
  const std::string_view fqon = place.substr(1);
  const std::size_t dot = fqon.rfind('.');
  if (dot == std::string_view::npos) return Split{"/root", std::string(fqon)};
  return Split{"/" + std::string(fqon.substr(0, dot)), std::string(fqon.substr(dot + 1))};
}

Result<Json> find_named(Api& api, const std::string& address, const std::string& kind,
                        const std::string& name) {
  const Json list = TRY(api.get(address + "/" + base::percent_encode(kind) +
                                "?expand=true&name=" + base::percent_encode(name)));
  if (!list.is_array()) return Json();
  for (const Json& resource : list) {
    if (text_at(resource, "name") == name) return resource;
  }
  return Json();
}

std::string address_of(const Json& resource, const std::string& kind) {
  const std::string fqon = base::percent_encode(text_at(resource, "org/properties/fqon"));
  if (kind == "orgs") return "/meta/" + fqon;
  return "/meta/" + fqon + "/" + base::percent_encode(kind) + "/" + text_at(resource, "id");
}

Status with_services(const Session& session, const std::function<Result<Status>(Api& api)>& run) {
  const auto all = [&]() -> Result<Status> {
    Api api = TRY(Api::make(session, Daemon::services));
    return run(api);
  };
  const Result<Status> outcome = all();
  session.end_progress();
  return outcome ? *outcome : report(session, Daemon::services, outcome.error());
}

}  // namespace cli
