// SPDX-License-Identifier: Apache-2.0
// As much HTTP/1.1 as the guestbook needs; used by its server and its tests.
//
// 1. A request that is too large or unclear is refused; nothing is guessed (two lengths, a length
//    beside a transfer encoding, a line without CRLF).
// 2. read_request takes whole requests off the front of `buffer` and leaves the rest there.
// Threads: free functions without state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace guestbook {

inline constexpr std::size_t kHeadMax = 8 << 10;
inline constexpr std::size_t kBodyMax = 16 << 10;

struct HttpRequest {
  std::string method;
  std::string path;  // without the query
  std::string body = {};
  bool keep_alive = true;
};

enum class Reading { incomplete, complete, bad_request, too_large };

Reading read_request(std::string& buffer, HttpRequest& request);

struct HttpResponse {
  int status = 200;
  std::string type = "text/html; charset=utf-8";
  std::string body = {};
  std::string location = {};  // for 303
};

std::string write_response(const HttpResponse& response, bool keep_alive, bool head_only);

// The value of `name` in an application/x-www-form-urlencoded body, decoded; empty when absent.
std::string form_value(std::string_view body, std::string_view name);
std::string escape_html(std::string_view text);

}  // namespace guestbook
