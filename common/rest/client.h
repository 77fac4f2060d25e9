// SPDX-License-Identifier: Apache-2.0
// A typed client for our own REST services: JSON in and out, problems back into base::Error.
#pragma once

#include <string>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/rest/http.h"
#include "common/sys/http_client.h"

namespace rest {

struct Endpoint {
  std::string url;          // "http://127.0.0.1:8080" or "unix:/run/gestalt/agentd.sock"
  base::Secret token = {};  // empty on a unix socket
  std::string ca_file = {};
};

// The HttpCall for a path at an endpoint, with a JSON body when `body` is not null.
sys::HttpCall make_call(const Endpoint& endpoint, Method method, const std::string& path,
                        const base::Json* body = nullptr);
// 2xx: the body as JSON (null when empty). Otherwise the problem as an Error with the code that
// fits the status.
base::Result<base::Json> read_reply(const sys::HttpReply& reply);

class Client {
 public:
  explicit Client(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}
  base::Result<base::Json> get(const std::string& path);
  base::Result<base::Json> post(const std::string& path, const base::Json& body);
  base::Result<base::Json> put(const std::string& path, const base::Json& body);
  base::Result<base::Json> del(const std::string& path);

 private:
  base::Result<base::Json> call(Method method, const std::string& path, const base::Json* body);
  Endpoint endpoint_;
  sys::HttpClient http_;
};

}  // namespace rest
