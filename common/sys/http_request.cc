// SPDX-License-Identifier: Apache-2.0
#include "common/sys/http_request.h"

#include <string.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "common/base/check.h"
#include "common/base/text.h"

namespace sys::http {

namespace {

constexpr std::size_t kHeaderBytesMax = 256 << 10;
constexpr std::size_t kUrlBytesMax = 64 << 10;
constexpr long kKeepAliveSeconds = 20;
constexpr std::chrono::milliseconds kTimeoutMax = std::chrono::hours(24 * 20);  // libcurl: INT_MAX

base::Error invalid(std::string detail) {
  return {base::Code::invalid_argument, std::move(detail), "http_call_invalid"};
}

// An option can fail only for lack of memory or for one that this libcurl was built without.
template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(easy, option, value);
  CHECK_THAT(code == CURLE_OK);
}

bool is_token(std::string_view text) {
  // RFC 9110 section 5.6.2.
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f &&
           std::string_view("\"(),/:;<=>?@[\\]{}").find(c) == std::string_view::npos;
  });
}

bool is_header_value(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos;
}

long to_timeout(std::chrono::milliseconds timeout, std::chrono::milliseconds least) {
  return static_cast<long>(std::clamp(timeout, least, kTimeoutMax).count());
}

bool is_unsafe_to_repeat(const std::string& method) {
  return method == "POST" || method == "PATCH";
}

base::Error describe(CURL* easy, CURLcode code, const HttpCall& call) {
  const std::string what = call.method + " " + call.url + ": " + curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: {
      curl_off_t ready_us = 0;
      curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
      // Before this point nothing of the request was sent, and that is what callers need to know.
      if (ready_us == 0) return {base::Code::unavailable, what, "connect_failed"};
      return {base::Code::timed_out, what, "http_timed_out"};
    }
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_INTERFACE_FAILED: return {base::Code::unavailable, what, "connect_failed"};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM: return {base::Code::unavailable, what, "tls_failed"};
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE: return {base::Code::unavailable, what, "connection_lost"};
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return invalid(what);
    default: return {base::Code::internal, what, "http_failed"};
  }
}

}  // namespace

void wipe_and_free(curl_slist* list) noexcept {
  for (curl_slist* item = list; item != nullptr; item = item->next) {
    explicit_bzero(item->data, std::strlen(item->data));
  }
  curl_slist_free_all(list);
}

void start_libcurl() {
  // libcurl's initialisation is for the whole process and not safe with threads before 7.84.
  static std::once_flag once;
  std::call_once(once, [] { CHECK_THAT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

Transfer::Transfer(HttpCall call, OnData on_data)
    : call_(std::move(call)), on_data_(std::move(on_data)) {}

base::Result<void> Transfer::add_headers() {
  const auto append = [this](const std::string& line) {
    curl_slist* longer = curl_slist_append(headers_.get(), line.c_str());
    CHECK_THAT(longer != nullptr);
    [[maybe_unused]] curl_slist* same = headers_.release();
    headers_.reset(longer);
  };
  bool has_content_type = false;
  for (const auto& [name, value] : call_.headers) {
    if (!is_token(name) || !is_header_value(value)) {
      return invalid("the header '" + name + "' is malformed");
    }
    has_content_type = has_content_type || base::lower(name) == "content-type";
    // A ';' is libcurl's way to send a header without a value.
    append(value.empty() ? name + ";" : name + ": " + value);
  }
  if (!call_.bearer.empty()) {
    if (!is_header_value(call_.bearer.reveal())) return invalid("the token is malformed");
    std::string line = "Authorization: Bearer " + std::string(call_.bearer.reveal());
    append(line);
    explicit_bzero(line.data(), line.size());
  }
  append("Expect:");  // no waiting for 100-continue
  if (!has_content_type) append("Content-Type:");
  return {};
}

void Transfer::set_method(CURL* easy) {
  const bool takes_body = call_.method == "POST" || call_.method == "PUT" ||
                          call_.method == "PATCH" || !call_.body.empty();
  if (!takes_body) {
    set(easy, call_.method == "HEAD" ? CURLOPT_NOBODY : CURLOPT_HTTPGET, 1L);
  } else {
    set(easy, CURLOPT_POST, 1L);
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call_.body.size()));
    if (is_unsafe_to_repeat(call_.method)) {
      // When a kept connection turns out to be closed, libcurl sends again if it can rewind the
      // body. The first copy may have been carried out, so here it must not be able to; without a
      // body to rewind only a new connection prevents it.
      set(easy, CURLOPT_READFUNCTION, on_upload);
      set(easy, CURLOPT_READDATA, this);
      if (call_.body.empty()) set(easy, CURLOPT_FRESH_CONNECT, 1L);
    } else {
      set(easy, CURLOPT_POSTFIELDS, call_.body.data());
    }
  }
  set(easy, CURLOPT_CUSTOMREQUEST, call_.method.c_str());
}

void Transfer::set_security(CURL* easy) {
#if LIBCURL_VERSION_NUM >= 0x075500
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  set(easy, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  set(easy, CURLOPT_PROXY, "");  // not even what the environment says
  set(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  const bool verified = call_.tls_peer == TlsPeer::verified;
  set(easy, CURLOPT_SSL_VERIFYPEER, verified ? 1L : 0L);
  set(easy, CURLOPT_SSL_VERIFYHOST, verified ? 2L : 0L);
  if (!call_.ca_file.empty()) {
    set(easy, CURLOPT_CAINFO, call_.ca_file.c_str());
    set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // only this file's are trusted
  }
  if (!call_.client_cert_file.empty()) {
    set(easy, CURLOPT_SSLCERT, call_.client_cert_file.c_str());
    set(easy, CURLOPT_SSLKEY, call_.client_key_file.c_str());
  }
}

base::Result<void> Transfer::prepare(CURL* easy) {
  if (!is_token(call_.method)) return invalid("the method is malformed");
  if (call_.url.size() > kUrlBytesMax ||
      call_.url.find_first_of(std::string_view(" \r\n\0", 4)) != call_.url.npos) {
    return invalid("the URL is malformed");
  }
  TRY(add_headers());
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_URL, call_.url.c_str());
  set(easy, CURLOPT_PATH_AS_IS, 1L);
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_HTTPHEADER, headers_.get());
  if (!call_.unix_socket.empty()) set(easy, CURLOPT_UNIX_SOCKET_PATH, call_.unix_socket.c_str());
  const std::string source = "host!" + call_.bind_address;
  if (!call_.bind_address.empty()) set(easy, CURLOPT_INTERFACE, source.c_str());
  set(easy, CURLOPT_CONNECTTIMEOUT_MS,
      to_timeout(call_.connect_timeout, std::chrono::milliseconds(1)));
  set(easy, CURLOPT_TIMEOUT_MS, to_timeout(call_.timeout, std::chrono::milliseconds(0)));
  set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  set(easy, CURLOPT_TCP_KEEPIDLE, kKeepAliveSeconds);
  set(easy, CURLOPT_TCP_KEEPINTVL, kKeepAliveSeconds);
  set(easy, CURLOPT_WRITEFUNCTION, on_body);
  set(easy, CURLOPT_WRITEDATA, this);
  set(easy, CURLOPT_HEADERFUNCTION, on_header);
  set(easy, CURLOPT_HEADERDATA, this);
  set_method(easy);
  set_security(easy);
  return {};
}

std::size_t Transfer::on_body(char* data, std::size_t size, std::size_t count,
                              void* self) noexcept {
  const std::size_t bytes = size * count;
  return static_cast<Transfer*>(self)->take_body({data, bytes}) ? bytes : 0;
}

std::size_t Transfer::on_header(char* data, std::size_t size, std::size_t count,
                                void* self) noexcept {
  const std::size_t bytes = size * count;
  return static_cast<Transfer*>(self)->take_header({data, bytes}) ? bytes : 0;
}

std::size_t Transfer::on_upload(char* buffer, std::size_t size, std::size_t count,
                                void* self) noexcept {
  auto* transfer = static_cast<Transfer*>(self);
  const std::size_t bytes = std::min(size * count, transfer->call_.body.size() - transfer->sent_);
  std::memcpy(buffer, transfer->call_.body.data() + transfer->sent_, bytes);
  transfer->sent_ += bytes;
  return bytes;
}

bool Transfer::take_body(std::string_view piece) {
  if (on_data_ && reply_.status >= 200 && reply_.status < 300) {
    ended_by_reader_ = !on_data_(piece);
    return !ended_by_reader_;
  }
  too_large_ = piece.size() > call_.response_max - reply_.body.size();
  if (too_large_) return false;
  reply_.body.append(piece);
  return true;
}

bool Transfer::take_header(std::string_view line) {
  header_bytes_ += line.size();
  too_large_ = header_bytes_ > kHeaderBytesMax;
  if (too_large_) return false;
  if (line.starts_with("HTTP/")) {
    // A new head, after an interim answer for instance: what came before does not count.
    reply_.headers.clear();
    const auto pieces = base::split(base::trim(line), ' ');
    const auto status = pieces.size() > 1 ? base::parse_int(pieces[1], 100, 999) : 0;
    reply_.status = static_cast<int>(status ? *status : 0);
    return true;
  }
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return true;  // the empty line at the end
  reply_.headers[base::lower(base::trim(line.substr(0, colon)))] =
      std::string(base::trim(line.substr(colon + 1)));
  return true;
}

base::Result<HttpReply> Transfer::finish(CURL* easy, CURLcode code) {
  if (too_large_) {
    return base::Error{base::Code::too_large,
                       call_.method + " " + call_.url + ": the reply is larger than " +
                           std::to_string(call_.response_max) + " bytes",
                       "response_too_large"};
  }
  if (code != CURLE_OK && !ended_by_reader_) return describe(easy, code, call_);
  return std::move(reply_);
}

}  // namespace sys::http
