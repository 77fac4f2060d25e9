// SPDX-License-Identifier: Apache-2.0
// Calls from the command line to one daemon. As rest::Client, and it also understands the errors of
// the Marathon API: {"message", "details": [{"path", "errors"}], "deployments": [{"id"}]}.
#pragma once

#include <functional>
#include <string>

#include "cli/session.h"
#include "common/base/json.h"
#include "common/base/result.h"
#include "common/sys/http_client.h"

namespace cli {

// The body of a 2xx reply (null when empty), or the error that the reply tells.
base::Result<base::Json> read_reply(const sys::HttpReply& reply);

class Api {
 public:
  // Errors: those of Session::endpoint.
  static base::Result<Api> make(const Session& session, Daemon daemon);
  // As Session::own_endpoint.
  static base::Result<Api> make_own(const Session& session, Daemon daemon);

  // From now on changes answer with the task that makes them so, where there is one.
  void prefer_tasks() { prefers_tasks_ = true; }
  base::Result<base::Json> get(const std::string& path);
  base::Result<base::Json> post(const std::string& path, const base::Json& body);
  base::Result<base::Json> put(const std::string& path, const base::Json& body);
  base::Result<base::Json> patch(const std::string& path, const base::Json& body);
  base::Result<base::Json> del(const std::string& path);
  // Hands the body of a 2xx reply over as it comes until `on_data` returns false, the stream ends
  // or `timeout` (0: none) has passed: timed_out then.
  // `accept` is the wanted media type.
  base::Result<void> stream(const std::string& path, const std::string& accept,
                            std::chrono::milliseconds timeout,
                            const std::function<bool(std::string_view)>& on_data);

 private:
  explicit Api(rest::Endpoint endpoint) : endpoint_(std::move(endpoint)) {}
  base::Result<base::Json> call(rest::Method method, const std::string& path,
                                const base::Json* body);
  rest::Endpoint endpoint_;
  sys::HttpClient http_;
  bool prefers_tasks_ = false;
};

// "/demo/web" as the rest of a path: each segment percent-encoded, no leading slash.
std::string encode_id(std::string_view id);

}  // namespace cli
