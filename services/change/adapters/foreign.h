// SPDX-License-Identifier: Apache-2.0
// What the adapters of change management share: where the foreign system is, and how it is called.
//
// Used by adapters/*.cc only. The operator's configuration names address and password file; nobody
// who only has rights in an organisation can.
// Threads: as Adapter.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/secret.h"
#include "services/framework/adapter.h"

namespace services::change {

// What the foreign system must make of a change.
enum class Course { open, succeeded, failed, withdrawn };
Course course_of(const base::Json& desired);

struct Place {
  std::string url;
  std::string ca_file;
  std::string user;
  base::Secret password;
};
// {"url", "user", "password_file", "ca_file"?}. Errors: invalid_argument with a pointer; those of
// reading.
base::Result<Place> read_place(const base::Json& settings);

// The members that ChangeService::consult() sends. Errors: invalid_argument with a pointer.
base::Result<void> check_desired(const base::Json& desired);

class ForeignCaller {
 public:
  ForeignCaller(Place place, sys::HttpClient& http) : place_(std::move(place)), http_(http) {}
  // `body` null: none. Errors: those of HttpClient and check_adapter_status; corrupt
  // adapter_reply_invalid when the reply is no JSON.
  base::Result<base::Json> call(const std::string& method, const std::string& path,
                                const base::Json& body,
                                const std::map<std::string, std::string>& headers);
  base::Result<sys::HttpReply> send(const std::string& method, const std::string& path,
                                    std::string body, std::map<std::string, std::string> headers);
  const Place& place() const { return place_; }
  // The value of an Authorization header with user and password (RFC 7617).
  std::string basic() const;

 private:
  Place place_;
  sys::HttpClient& http_;
};

}  // namespace services::change
