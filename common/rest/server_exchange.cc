// SPDX-License-Identifier: Apache-2.0
// One request on its way in: framing, credentials, route, scope, body, handler.
#include <microhttpd.h>

#include <algorithm>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/rest/server_parts.h"

namespace rest {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kRequestIdMax = 64;
// A refusal costs as much as an answer: who floods gets no more than ten a second on a connection.
constexpr base::Duration kHoldBack = std::chrono::milliseconds(100);

struct HeaderReader {
  std::map<std::string, std::string, std::less<>> headers;
  bool repeats_framing = false;
  bool has_zero_byte = false;
};

MHD_Result read_header(void* closure, MHD_ValueKind /*kind*/, const char* name,
                       std::size_t name_size, const char* value, std::size_t value_size) noexcept {
  auto& reader = *static_cast<HeaderReader*>(closure);
  const std::string key = base::lower({name, name_size});
  const std::string text = value == nullptr ? "" : std::string(value, value_size);
  // The library itself reads header lines as C strings and would see another name or value.
  if ((key + text).find('\0') != std::string::npos) reader.has_zero_byte = true;
  const auto [at, added] = reader.headers.emplace(key, text);
  if (!added) {
    if (key == "content-length" || key == "transfer-encoding" || key == "host" ||
        key == "authorization") {
      reader.repeats_framing = true;
    }
    at->second += ", " + text;
  }
  return MHD_YES;
}

Error framing_error(std::string detail) {
  return Error{Code::invalid_argument, std::move(detail), "framing_invalid"};
}

// An id that a caller gave is kept, so that one request can be followed through several services.
bool is_request_id(std::string_view id) {
  return !id.empty() && id.size() <= kRequestIdMax && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

std::optional<Method> parse_method(std::string_view name) {
  if (name == "HEAD") return Method::get;
  for (const Method method : {Method::get, Method::post, Method::put, Method::patch, Method::del}) {
    if (method_name(method) == name) return method;
  }
  return std::nullopt;
}

}  // namespace

Exchange::Exchange(Connection& owner, std::string_view uri)
    : connection(owner), uri_end_(uri.data() + uri.size()), started_(base::system_clock().now()) {
  const std::size_t question = uri.find('?');
  raw_path = uri.substr(0, question);
  if (question != std::string_view::npos) raw_query = uri.substr(question + 1);
}

Exchange::~Exchange() {
  if (ticket_) ticket_->exchange = nullptr;
  if (stream_) {
    --connection.listener.server.open_streams;
    stream_->close();
  }
}

bool Exchange::on_call(const char* method, const char* version, const char* data,
                       std::size_t* size) {
  switch (state_) {
    case State::fresh: state_ = State::reading; return on_headers(method, version);
    case State::reading:
      if (*size > 0) {
        const bool go_on = on_body({data, *size});
        *size = 0;
        return go_on;
      }
      return on_complete();
    case State::handling:
      // The library asks again after a resume, and only then may a reply be queued.
      return result_ ? send(*std::exchange(result_, std::nullopt)) : true;
    case State::answered: *size = 0; return true;
  }
  return false;
}

Result<void> Exchange::read_framing(std::string_view version) {
  const std::optional<std::string_view> length = request.find_header("content-length");
  const std::optional<std::string_view> encoding = request.find_header("transfer-encoding");
  if (length && encoding) {
    return framing_error("a request has a Content-Length or a Transfer-Encoding, not both");
  }
  if (encoding) {
    chunked_ = true;
    if (version != "HTTP/1.1" || base::lower(*encoding) != "chunked") {
      return framing_error("the only Transfer-Encoding is chunked, in HTTP/1.1");
    }
  }
  if (length) {
    const auto value = base::parse_int(*length, 0, INT64_MAX);
    if (!value || length->starts_with('-')) return framing_error("Content-Length is not a number");
    content_length_ = static_cast<std::uint64_t>(*value);
  }
  return {};
}

namespace {

// The method that `?_method=` asks for, or the one on the request line.
std::string_view overridden(std::string_view method, std::string_view raw_query) {
  if (method != "POST") return method;
  for (const std::string_view pair : base::split(raw_query, '&')) {
    if (pair.starts_with("_method=")) return pair.substr(8);
  }
  return method;
}

}  // namespace

Result<RouteTable::Match> Exchange::route(std::string_view method) {
  const RouteTable& table = connection.listener.server.table;
  if (method == "OPTIONS" && table.options_row() != nullptr) {
    RouteTable::Match match;
    match.row = table.options_row();
    match.index = table.rows().size();
    match.path = raw_path;
    return match;
  }
  if (table.allows_method_override()) method = overridden(method, raw_query);
  const std::optional<Method> known = parse_method(method);
  if (known) {
    request.method = *known;
    is_head_ = method == "HEAD";
    return connection.listener.server.table.match(*known, raw_path);
  }
  auto match = connection.listener.server.table.match(Method::get, raw_path);
  if (match || match.error().reason == "method_not_allowed") {
    return Error{Code::unsupported, "this path does not take this method", "method_not_allowed"};
  }
  return match;
}

Result<void> Exchange::limit(RateLimiter& limiter, const std::string& key, std::string_view what) {
  const RateLimiter::Verdict verdict = limiter.take(key, started_);
  if (verdict.is_allowed) return {};
  retry_after_s_ = std::chrono::ceil<std::chrono::seconds>(verdict.wait).count();
  if (verdict.is_first_refusal) {
    base::log::write(base::log::Level::notice, "REST_RATE_EXCEEDED",
                     "a caller asks more often than it may, answered 429",
                     {{"request", request.id},
                      {"path", raw_path},
                      {"peer", request.peer},
                      {std::string(what), key}});
  }
  connection.listener.server.parts.metrics
      .counter("http_rate_exceeded_total", "Requests that came too often.",
               {{"by", std::string(what)}})
      .add();
  return Error{Code::throttled,
               "more requests than this " + std::string(what) + " may send, ask again in " +
                   std::to_string(retry_after_s_) + " s",
               "rate_exceeded"};
}

Result<void> Exchange::admit() {
  HttpServer& server = connection.listener.server;
  if (connection.is_spare) {
    must_close_ = true;
    if (!is_health()) {
      return Error{Code::unavailable, "as many connections as are allowed are busy",
                   "connections_exhausted"};
    }
  }
  if (connection.address.empty()) return {};
  return limit(is_health() ? server.health : server.addresses, connection.address, "address");
}

Result<void> Exchange::authorize(std::string_view method) {
  TRY(admit());
  Credentials credentials{connection.credentials, ""};
  if (const auto header = request.find_header("authorization")) credentials.authorization = *header;
  // Looked up first but told last: who has no credentials learns nothing about the paths.
  Result<RouteTable::Match> match = route(method);
  if (match) credentials.scope = match->row->scope.name();
  Result<Principal> principal =
      connection.listener.server.parts.authenticator.authenticate(credentials);
  const bool is_public = match && match->row->scope.is_public();
  if (!principal && !is_public) return std::move(principal).error();
  const bool is_counted = principal && !is_health() && !credentials.authorization.empty();
  request.principal = principal ? *std::move(principal) : Principal{"anonymous", {}};
  if (is_counted) {
    TRY(limit(connection.listener.server.principals, request.principal.name, "principal"));
  }
  if (!match) return std::move(match).error();
  row_ = match->row;
  row_index_ = match->index;
  body_max_ = row_->limits.body_max;
  request.path = std::move(match->path);
  request.path_parameters = std::move(match->parameters);
  if (!is_public && !request.principal.has(row_->scope.name())) {
    return Error{Code::permission_denied,
                 "this needs the scope '" + std::string(row_->scope.name()) + "'", "scope_missing"};
  }
  request.query = TRY(parse_query(raw_query));
  if (content_length_ > body_max_) {
    return Error{Code::too_large,
                 "the body may have at most " + std::to_string(body_max_) + " bytes",
                 "request_too_large"};
  }
  return {};
}

bool Exchange::on_headers(std::string_view method, std::string_view version) {
  HttpServer& server = connection.listener.server;
  HeaderReader reader;
  MHD_get_connection_values_n(connection.handle, MHD_HEADER_KIND, read_header, &reader);
  request.headers = std::move(reader.headers);
  request.peer = connection.peer;
  const auto given_id = request.find_header("x-request-id");
  request.id =
      given_id && is_request_id(*given_id) ? std::string(*given_id) : server.next_request_id();
  connection.enter(Phase::body, server.limits.body_deadline);

  Result<void> framing = read_framing(version);
  if (reader.repeats_framing) {
    framing = framing_error("a header that may come once came more than once");
  }
  // The library cuts the request line at a zero byte; then something stands between the two.
  if (reader.has_zero_byte || version.data() != uri_end_ + 1) {
    framing = framing_error("the request line or a header has a zero byte or stray spaces");
  }
  if (!framing) {
    must_close_ = true;
    return send(std::move(framing).error());
  }
  if (Result<void> allowed = authorize(method); !allowed) {
    refusal_ = std::move(allowed).error();
    const bool waits = request.find_header("expect").has_value();
    if (chunked_ || content_length_ > kDrainBytesMax || (waits && content_length_ > 0)) {
      must_close_ = true;
      return send(*refusal_);
    }
    return true;
  }
  request.body.reserve(std::min<std::size_t>(content_length_, body_max_));
  return true;
}

bool Exchange::on_body(std::string_view data) {
  if (!refusal_ && request.body.size() + data.size() > body_max_) {
    refusal_ =
        Error{Code::too_large, "the body may have at most " + std::to_string(body_max_) + " bytes",
              "request_too_large"};
    request.body.clear();
  }
  if (!refusal_) {
    request.body += data;
    return true;
  }
  // A reply can be queued only before or after the body, so what comes is dropped, up to a point.
  dropped_bytes_ += data.size();
  return dropped_bytes_ <= kDrainBytesMax;
}

bool Exchange::on_complete() {
  if (refusal_) return retry_after_s_ > 0 ? hold_back() : send(*refusal_);
  state_ = State::handling;
  connection.enter(Phase::handler, row_->limits.handler_max);
  if (row_->run == Run::on_loop) return send(row_->handler(request));
  return submit();
}

bool Exchange::hold_back() {
  state_ = State::handling;
  result_ = *refusal_;
  connection.enter(Phase::handler, kHoldBack * 10);
  connection.suspend();
  held_ = connection.listener.server.parts.loop.after(kHoldBack, [this] { connection.resume(); });
  return true;
}

bool Exchange::submit() {
  HttpServer& server = connection.listener.server;
  ticket_ = std::make_shared<Ticket>();
  ticket_->exchange = this;
  // The worker gets the request without a copy; what is logged and answered about it stays here.
  Request remains;
  remains.method = request.method;
  remains.path = request.path;
  remains.id = request.id;
  remains.peer = request.peer;
  remains.principal = request.principal;
  ticket_->request = std::exchange(request, std::move(remains));
  // The row outlives the workers and the loop outlives both; nothing else is reached from there.
  const Result<void> submitted =
      server.parts.workers.submit([ticket = ticket_, row = row_, &loop = server.parts.loop] {
        ticket->result = row->handler(ticket->request);
        loop.post([ticket] {
          if (ticket->exchange == nullptr) return;
          Exchange& exchange = *ticket->exchange;
          exchange.result_ = std::move(ticket->result);
          exchange.ticket_.reset();
          exchange.connection.resume();
        });
      });
  if (!submitted) {
    ticket_.reset();
    return send(submitted.error());
  }
  connection.suspend();
  return true;
}

}  // namespace rest
