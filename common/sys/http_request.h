// SPDX-License-Identifier: Apache-2.0
// One HTTP call on a libcurl easy handle: what both clients share. Private to common/sys.
//
// 1. A Transfer stays where it is while libcurl works on it: libcurl keeps pointers into it.
// Threads: one at a time for each handle. Source: curl_easy_setopt(3), libcurl >= 7.76.
#pragma once

#include <curl/curl.h>

#include <functional>
#include <string>
#include <string_view>

#include "common/sys/handle.h"
#include "common/sys/http_client.h"

namespace sys::http {

// Header lines may hold a token, so their memory is wiped.
void wipe_and_free(curl_slist* list) noexcept;

using CurlEasy = Handle<CURL, curl_easy_cleanup>;
using HeaderList = Handle<curl_slist, wipe_and_free>;

class Transfer {
 public:
  // Gets the pieces of a 2xx body; false ends the call, without an error.
  using OnData = std::function<bool(std::string_view)>;

  // `on_data` empty: the body is kept in the reply.
  Transfer(HttpCall call, OnData on_data);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Sets all options on a handle that is new or was reset.
  // Errors: invalid_argument http_call_invalid.
  base::Result<void> prepare(CURL* easy);
  // The reply, or what `code` means. Called once, after the end.
  base::Result<HttpReply> finish(CURL* easy, CURLcode code);

 private:
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept;
  static std::size_t on_header(char* data, std::size_t size, std::size_t count,
                               void* self) noexcept;
  static std::size_t on_upload(char* buffer, std::size_t size, std::size_t count,
                               void* self) noexcept;
  base::Result<void> add_headers();
  bool take_body(std::string_view piece);
  bool take_header(std::string_view line);
  void set_method(CURL* easy);
  void set_security(CURL* easy);

  HttpCall call_;
  OnData on_data_;
  HeaderList headers_;
  HttpReply reply_;
  std::size_t sent_ = 0;
  std::size_t header_bytes_ = 0;
  bool too_large_ = false;
  bool ended_by_reader_ = false;
};

// Makes libcurl ready for use from several threads; any number of times.
void start_libcurl();

}  // namespace sys::http
