// SPDX-License-Identifier: Apache-2.0
// The routes of the original of 2016, and what its successor of 2019 added: each is served by a row
// of its own, or is in the list of those that are not, with the reason.
#include <CppUTest/TestHarness.h>

#include <iterator>

#include "common/base/text.h"
#include "tests/unit/services/meta/service_rig.h"

namespace {

using services::ActionRow;

// O is the organisation; X stands for any id. Several methods are apart by commas.
struct Route {
  std::string_view methods;
  std::string_view path;
};
constexpr Route k2016[] = {
    {"GET", "/health"},
    {"GET", "/about"},
    {"GET", "/rules"},
    {"GET,DELETE", "/rules/X"},
    {"POST", "/bootstrap"},
    {"POST", "/sync"},
    {"GET", "/path/root/ws/env/web"},
    {"GET,POST", "/orgs"},
    {"GET,DELETE", "/orgs/X"},
    {"GET", "/users"},
    {"GET,DELETE", "/users/X"},
    {"GET", "/users/self"},
    {"GET", "/users/search"},
    {"GET", "/groups/search"},
    {"GET", "/lambdas/X/env"},
    {"GET,POST,PATCH,DELETE", "O"},
    {"GET,POST", "O/orgs"},
    {"GET,DELETE", "O/orgs/X"},
    {"GET,POST", "O/users"},
    {"GET,DELETE", "O/users/X"},
    {"GET", "O/users/search"},
    {"GET", "O/users/X/groups"},
    {"GET,POST", "O/groups"},
    {"GET,DELETE", "O/groups/X"},
    {"GET", "O/groups/search"},
    {"GET,PATCH,DELETE", "O/groups/X/users"},
    {"GET", "O/tasks"},
    {"GET,DELETE", "O/tasks/X"},
    {"GET", "O/env"},
    {"GET", "O/health"},
    {"GET,POST", "O/resources"},
    {"GET,PATCH,DELETE", "O/resources/X"},
    {"GET,POST", "O/resourcetypes"},
    {"GET,DELETE", "O/resourcetypes/X"},
    {"GET", "O/resourcetypes/X/resources"},
    {"GET", "O/resourcetypes/X/resources/search"},
    {"GET", "O/resourcetypes/X/schema"},
    {"GET", "O/resourcetypes/X/actions"},
    {"GET", "O/resourcetypes/X/typeproperties"},
    {"GET", "O/resourcetypes/X/typeproperties/X"},
    {"GET", "O/typeproperties"},
    {"GET,POST", "O/workspaces"},
    {"GET,PATCH,DELETE", "O/workspaces/X"},
    {"GET,POST", "O/workspaces/X/environments"},
    {"GET,DELETE", "O/workspaces/X/environments/X"},
    {"GET,POST", "O/workspaces/X/lambdas"},
    {"GET,DELETE", "O/workspaces/X/lambdas/X"},
    {"GET,POST", "O/workspaces/X/apiendpoints"},
    {"GET,DELETE", "O/workspaces/X/apiendpoints/X"},
    {"GET,POST", "O/workspaces/X/providers"},
    {"GET,DELETE", "O/workspaces/X/providers/X"},
    {"GET,POST", "O/workspaces/X/policies"},
    {"GET,DELETE", "O/workspaces/X/policies/X"},
    {"GET,POST", "O/workspaces/X/entitlements"},
    {"GET,PUT,DELETE", "O/workspaces/X/entitlements/X"},
    {"GET,POST", "O/workspaces/X/domains"},
    {"GET,DELETE", "O/workspaces/X/domains/X"},
    {"GET", "O/workspaces/X/env"},
    {"GET", "O/environments"},
    {"GET,PATCH,DELETE", "O/environments/X"},
    {"GET,POST", "O/environments/X/containers"},
    {"GET,DELETE", "O/environments/X/containers/X"},
    {"POST", "O/environments/X/containers/X/scale"},
    {"POST", "O/environments/X/containers/X/migrate"},
    {"GET,POST", "O/environments/X/lambdas"},
    {"GET,DELETE", "O/environments/X/lambdas/X"},
    {"GET,POST", "O/environments/X/apis"},
    {"GET,DELETE", "O/environments/X/apis/X"},
    {"GET,POST", "O/environments/X/apiendpoints"},
    {"GET,DELETE", "O/environments/X/apiendpoints/X"},
    {"GET,POST", "O/environments/X/providers"},
    {"GET,DELETE", "O/environments/X/providers/X"},
    {"GET", "O/environments/X/providers/X/v2/apps"},
    {"GET", "O/environments/X/providers/X/v2/apps/gestalt/root/web"},
    {"GET", "O/environments/X/providers/X/v2/info"},
    {"GET", "O/environments/X/providers/X/v2/deployments"},
    {"GET,POST", "O/environments/X/policies"},
    {"GET,DELETE", "O/environments/X/policies/X"},
    {"GET,POST", "O/environments/X/entitlements"},
    {"GET,PUT,DELETE", "O/environments/X/entitlements/X"},
    {"GET", "O/environments/X/env"},
    {"GET,POST", "O/lambdas/X/apiendpoints"},
    {"GET,DELETE", "O/lambdas/X/apiendpoints/X"},
    {"GET,POST", "O/lambdas/X/entitlements"},
    {"GET,PUT,DELETE", "O/lambdas/X/entitlements/X"},
    {"GET", "O/lambdas/X/env"},
    {"DELETE", "O/apiendpoints/X"},
    {"GET,POST", "O/providers"},
    {"GET,DELETE", "O/providers/X"},
    {"GET,POST", "O/policies"},
    {"GET,DELETE", "O/policies/X"},
    {"GET,POST", "O/policies/X/rules"},
    {"GET,DELETE", "O/policies/X/rules/X"},
    {"GET,POST", "O/entitlements"},
    {"GET,PUT,DELETE", "O/entitlements/X"},
};
constexpr Route k2019[] = {
    {"GET", "O/context"},
    {"GET", "O/actions"},
    {"GET", "O/workspaces/X/context"},
    {"GET", "O/workspaces/X/actions"},
    {"PATCH,POST,DELETE", "O/containers/X"},
    {"PUT", "O/environments/X/containers/X"},
    {"POST", "O/environments/X/containers/X/promote"},
    {"GET", "O/providers/X/containers"},
    {"GET,POST", "O/environments/X/secrets"},
    {"GET,POST", "O/environments/X/volumes"},
    {"GET,POST", "O/environments/X/jobs"},
    {"GET,POST", "O/environments/X/datacontainers"},
    {"GET,POST", "O/users/X/userprofiles"},
    {"GET,POST", "O/licenses"},
    {"GET", "O/datatypes"},
    {"GET", "O/environmenttypes"},
    {"GET", "O/visibilitytypes"},
    {"GET", "O/requirementtypes"},
    {"GET", "O/resourcestates"},
};
struct Unserved {
  std::string_view method;
  std::string_view path;
  std::string_view why;
};
constexpr Unserved kUnserved[] = {
    {"POST", "/laser/reset", "there is no Laser whose caches could be reset"},
    {"POST", "/migrate", "the store has no schema that a client would move on"},
    {"POST", "/upgrade", "a node is upgraded by its packages (node/update), not by a service"},
    {"GET", "/tracking/credits", "a page of the original's own web interface"},
    {"POST", "/root/providers/initialize", "providers have nothing that would be made first"},
    {"POST", "O/providers/X/redeploy", "a verb: POST O/providers/X?action=redeploy"},
    {"POST", "O/lambdas/X/migrate", "a verb: POST O/lambdas/X?action=migrate"},
    {"GET", "O/environments/X/providers/X/kube/pods", "no provider is a Kubernetes"},
    {"POST", "O/users/X/userprofiles/X/favorites", "resource_favorites of a user profile"},
};

struct InventoryRig : MetaRig {
  const ActionRow* row_of(std::string_view method, std::string_view path) {
    std::string whole(path);
    const std::string id = "00000000-0000-4000-8000-000000000001";
    if (whole.starts_with("O")) whole = "/root" + whole.substr(1);
    for (auto at = whole.find("/X"); at != std::string::npos; at = whole.find("/X"))
      whole.replace(at + 1, 1, id);
    for (const rest::Method each : {rest::Method::get, rest::Method::post, rest::Method::put,
                                    rest::Method::patch, rest::Method::del}) {
      if (rest::method_name(each) == method) return host->find_action(each, "/meta" + whole);
    }
    return nullptr;
  }
  // A row for the types that somebody has added is none of its own.
  static bool is_own(const ActionRow* row, std::string_view path) {
    if (row == nullptr) return false;
    // Nor is an organisation of that name.
    if (row->path == "/orgs/{org}") return path == "O" || path == "/orgs/X";
    for (const char* end : {"{kind}", "{child}", "{kind}/{id}", "{child}/{id}"})
      if (row->path.ends_with(end)) return false;
    return true;
  }
  template <std::size_t N>
  std::string missing(const Route (&routes)[N]) {
    std::string found;
    for (const Route& route : routes) {
      for (const std::string_view method : base::split(route.methods, ',')) {
        if (is_own(row_of(method, route.path), route.path)) continue;
        found += std::string(method) + " " + std::string(route.path) + "\n";
      }
    }
    return found;
  }
};

TEST_GROUP_BASE(MetaInventory, InventoryRig){};

TEST(MetaInventory, the_routes_of_2016_are_served) { STRCMP_EQUAL("", missing(k2016).c_str()); }

TEST(MetaInventory, the_routes_of_2019_are_served) { STRCMP_EQUAL("", missing(k2019).c_str()); }

TEST(MetaInventory, what_is_not_served_has_a_reason_and_no_row) {
  for (const Unserved& each : kUnserved) {
    CHECK_TEXT(!each.why.empty(), std::string(each.path).c_str());
    const ActionRow* const row = row_of(each.method, each.path);
    const std::string_view last = base::split(each.path, '/').back();
    // POST of an item is there for its verbs, whatever the item is called.
    const bool is_served = row != nullptr && base::split(row->path, '/').back() == last;
    CHECK_TEXT(!is_served, std::string(each.path).c_str());
  }
}

}  // namespace
