// SPDX-License-Identifier: Apache-2.0
// Errors as the clients of each service expect them: the one place of the services where an error
// becomes a status and a body.
// Threads: any.
#pragma once

#include <string_view>

#include "common/base/result.h"
#include "common/rest/http.h"
#include "services/framework/service.h"

namespace services {

bool wants_problem(const rest::Request& request);
// The status in a dialect: meta says 422 to a body that breaks its schema, security 400.
int dialect_status(Dialect dialect, const base::Error& error);
// problem+json when the request asks for application/problem+json, else the dialect's own shape.
rest::Response render_error(Dialect dialect, const base::Error& error,
                            const rest::Request& request);

}  // namespace services
