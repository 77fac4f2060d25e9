// SPDX-License-Identifier: Apache-2.0
// Places of resources on the meta service, and the addresses of what stands there.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/api.h"
#include "cli/session.h"

namespace cli {

// The place a command works at: the option's, or the one that is kept. Errors: invalid_argument
// context_missing.
base::Result<std::string> choose_context(const std::string& option);
// Errors: os errors; invalid_argument context_invalid.
base::Result<void> keep_context(const std::string& place);
// Empty when none is kept.
base::Result<std::string> kept_context();

// What stands at a place: GET /meta/path/….
struct Place {
  std::string fqon;
  std::string address;  // "/meta/acme", "/meta/acme/environments/ID"
  base::Json resource;
};
base::Result<Place> find_place(Api& api, const std::string& place);

// "/acme/shop/test" gives {"/acme/shop", "test"}; "/acme.eng" gives {"/acme", "eng"}, as an
// organisation's own name stands behind the last dot, and below the root {"/root", "acme"}.
struct Split {
  std::string parent;
  std::string name;
};
base::Result<Split> split_place(std::string_view place);

// Of the collection `kind` at a place, the one with the name; null when there is none.
base::Result<base::Json> find_named(Api& api, const std::string& address, const std::string& kind,
                                    const std::string& name);
// "/meta/acme/containers/ID" of a resource that was shown.
std::string address_of(const base::Json& resource, const std::string& kind);

// Runs a command of the services and tells what went wrong.
Status with_services(const Session& session,
                     const std::function<base::Result<Status>(Api& api)>& run);

}  // namespace cli
