// SPDX-License-Identifier: Apache-2.0
// One reply on its way out: a buffer or a stream, with the headers that all replies have.
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/rest/server_parts.h"

namespace rest {

using base::Code;
using base::Error;
using base::Result;

namespace {

struct ResponseReleaser {
  void operator()(MHD_Response* response) const noexcept { MHD_destroy_response(response); }
};
using ResponseHandle = std::unique_ptr<MHD_Response, ResponseReleaser>;

constexpr std::size_t kStreamBlockBytes = 16 << 10;

// Lives as long as the library's response object, which may outlive the exchange.
struct StreamReader {
  std::shared_ptr<ByteStream> stream;
  Connection* connection;
};

ssize_t read_stream(void* closure, std::uint64_t /*position*/, char* out,
                    std::size_t most) noexcept {
  auto& reader = *static_cast<StreamReader*>(closure);
  if (!reader.stream->is_open()) return MHD_CONTENT_READER_END_WITH_ERROR;
  const std::size_t count = reader.stream->take(out, most);
  if (count > 0) return static_cast<ssize_t>(count);
  if (reader.stream->at_end()) return MHD_CONTENT_READER_END_OF_STREAM;
  // Nothing to send: without the suspension the library would ask again and again.
  reader.connection->suspend();
  return 0;
}

void free_stream(void* closure) noexcept { delete static_cast<StreamReader*>(closure); }

void add_header(MHD_Response& response, const std::string& name, const std::string& value) {
  // Fails on line breaks in a value, which is then better left out than sent.
  MHD_add_response_header(&response, name.c_str(), value.c_str());
}

// A peer that vanished without a word is noticed within a minute, although nothing is sent to it.
void keep_alive(int fd) {
  const int on = 1;
  const int idle_s = 30;
  const int interval_s = 10;
  const int count = 3;
  // On a unix socket these fail, and there a peer cannot vanish.
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

}  // namespace

void Exchange::count(int status) const {
  connection.listener.server.count(row_, row_index_, method_name(request.method), status,
                                   base::system_clock().now() - started_);
}

void Exchange::note_failure(const Error& error) const {
  if (error.code == Code::internal || error.code == Code::corrupt) {
    base::log::failure("REST_REQUEST_FAILED", "a request failed, answered 500",
                       {{"request", request.id},
                        {"method", std::string(method_name(request.method))},
                        {"path", request.path},
                        {"peer", request.peer},
                        {"principal", request.principal.name}},
                       error);
  } else if (error.reason == "scope_missing") {
    base::log::write(base::log::Level::notice, "REST_SCOPE_MISSING",
                     "a caller asked for more than it was granted, answered 403",
                     {{"request", request.id},
                      {"method", std::string(method_name(request.method))},
                      {"path", request.path},
                      {"peer", request.peer},
                      {"principal", request.principal.name}});
  }
}

bool Exchange::send(Result<Response> result) {
  if (result && result->stream) {
    HttpServer& server = connection.listener.server;
    if (server.shutting_down || server.open_streams >= server.limits.streams_max) {
      result->stream->close();
      result =
          Error{Code::throttled, "as many streams as are allowed are open", "streams_exhausted"};
    }
  }
  if (result) return send_response(*std::move(result));
  note_failure(result.error());
  if (request.path.empty()) request.path = raw_path;
  Response response = connection.listener.server.table.failure(result.error(), request);
  if (response.status == 405) {
    std::string allow;
    for (const Method method : connection.listener.server.table.methods(raw_path)) {
      if (!allow.empty()) allow += ", ";
      allow += method_name(method);
      if (method == Method::get) allow += ", HEAD";
    }
    response.headers["Allow"] = allow;
  } else if (response.status == 429 || response.status == 503) {
    response.headers.emplace("Retry-After",
                             std::to_string(std::max<std::int64_t>(1, retry_after_s_)));
  }
  return send_response(std::move(response));
}

// The library takes a reply only once the headers are whole, and after a body, the whole body.
void Exchange::refuse_late() {
  const bool comes_still = connection.phase == Phase::header || connection.phase == Phase::body;
  if (!comes_still || connection.suspended || state_ == State::answered) return;
  state_ = State::answered;
  if (request.path.empty()) request.path = raw_path;
  if (request.id.empty()) request.id = connection.listener.server.next_request_id();
  const Response response = connection.listener.server.table.failure(
      Error{Code::timed_out, "the request did not come within the time it has",
            "request_timed_out"},
      request);
  count(response.status);
  std::string text =
      "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nX-Request-Id: " + request.id +
      "\r\nContent-Length: " + std::to_string(response.body.size());
  for (const auto& [name, value] : response.headers) text += "\r\n" + name + ": " + value;
  connection.write_last(text + "\r\n\r\n" + response.body);
}

void Exchange::wake_stream() {
  if (!stream_->is_open()) return connection.cut();  // it was too slow to read
  // From now on the client has a deadline to take what is left.
  if (stream_->is_finished() && connection.phase == Phase::stream) {
    connection.enter(Phase::reply, connection.listener.server.limits.request_deadline);
  }
  connection.resume();
}

bool Exchange::send_response(Response response) {
  HttpServer& server = connection.listener.server;
  state_ = State::answered;
  count(response.status);
  if (response.stream && is_head_) std::exchange(response.stream, nullptr)->close();

  ResponseHandle out;
  if (response.stream) {
    stream_ = response.stream;
    ++server.open_streams;
    out.reset(MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kStreamBlockBytes, read_stream,
                                                new StreamReader{stream_, &connection},
                                                free_stream));
  } else {
    // The exchange outlives the sending: the library ends it when it needs the body no more.
    reply_body_ = std::move(response.body);
    out.reset(MHD_create_response_from_buffer(reply_body_.size(), reply_body_.data(),
                                              MHD_RESPMEM_PERSISTENT));
  }
  CHECK_THAT(out != nullptr);
  response.headers.emplace("Cache-Control", "no-store");
  for (const auto& [name, value] : response.headers) add_header(*out, name, value);
  add_header(*out, "X-Content-Type-Options", "nosniff");
  add_header(*out, "X-Request-Id", request.id);
  if (response.status == 401) {
    add_header(*out, "WWW-Authenticate", "Bearer realm=\"gestalt\"");
    add_header(*out, "WWW-Authenticate", "Basic realm=\"gestalt\", charset=\"UTF-8\"");
  }
  if (must_close_ || server.shutting_down) add_header(*out, "Connection", "close");
  if (MHD_queue_response(connection.handle, static_cast<unsigned>(response.status), out.get()) !=
      MHD_YES) {
    return false;
  }
  if (!stream_) {
    connection.enter(Phase::reply, server.limits.request_deadline);
    return true;
  }
  connection.enter(Phase::stream);
  keep_alive(connection.fd);
  stream_->attach([this] { wake_stream(); });
  // While suspended the library does not look at the socket, so we watch for the client's end.
  auto hangup = server.parts.loop.watch_fd(connection.fd, EPOLLRDHUP, [this](std::uint32_t) {
    Connection& gone = connection;  // the captures go with the watch
    gone.exchange->stream_->close();
    gone.cut();
    gone.hangup.reset();
  });
  if (hangup) connection.hangup = *std::move(hangup);
  return true;
}

}  // namespace rest
