// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "tests/unit/common/rest/rig.h"

namespace rest_test {

using base::Result;
using rest::Method;
using rest::Request;
using rest::Response;
using rest::Run;

namespace {

Result<Response> echo_path(const Request& request) {
  std::string text = request.path + "|" + request.principal.name;
  for (const auto& [name, value] : request.query) text += "|" + name + "=" + value;
  return Response::text(text);
}

Result<Response> echo_body(const Request& request) { return Response::text(request.body); }

}  // namespace

void Rig::add_routes() {
  rest::add_standard_routes(table, metrics, "test", [] { return base::Json(); });
  add(Method::get, "/echo/{x}", "app:read", Run::on_loop, echo_path);
  add(Method::get, "/apps/{id...}", "app:read", Run::on_loop, echo_path);
  add(Method::post, "/echo", "app:write", Run::on_loop, echo_body, {.body_max = 1000});
  add(Method::put, "/worker", "app:write", Run::on_worker, echo_body);
  const auto slow = [this](const Request& request) -> Result<Response> {
    gate.pass();
    ++slow_done;
    return Response::text("slow " + request.body);
  };
  add(Method::get, "/slow", "app:read", Run::on_worker, slow);
  add(Method::post, "/slow", "app:read", Run::on_worker, slow);
  add(Method::get, "/slow/limited", "app:read", Run::on_worker, slow,
      {.handler_max = std::chrono::seconds(1)});
  add(Method::get, "/stream", "app:read", Run::on_loop, [this](const Request&) -> Result<Response> {
    stream_ = std::make_shared<rest::ByteStream>(stream_buffer_max);
    stream_->on_close([this] { ++streams_closed; });
    return Response::event_stream(stream_);
  });
  add(Method::get, "/bug", "app:read", Run::on_loop, [](const Request&) -> Result<Response> {
    return base::Error{base::Code::internal, "secret detail", "internal"};
  });
  add(Method::get, "/big", "app:read", Run::on_loop,
      [](const Request&) -> Result<Response> { return Response::text(std::string(8 << 20, 'b')); });
  add(Method::get, "/open/{x}", "public", Run::on_loop, echo_path);
  add(Method::post, "/open", "public", Run::on_worker, echo_body);
  add(Method::get, "/created", "app:read", Run::on_loop,
      [](const Request&) -> Result<Response> { return Response::no_content(); });
}

}  // namespace rest_test
