// SPDX-License-Identifier: Apache-2.0
#include "common/rest/server.h"

#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/unit/common/rest/rig.h"

using namespace rest_test;

TEST_GROUP(Server){};

TEST(Server, a_request_reaches_its_handler_decoded_once) {
  Rig rig;
  RawClient client(rig.server->port());
  const Reply reply = client.ask(get("/echo/a%20b%252F?q=%2Fx%2520&flag=True"));
  LONGS_EQUAL(200, reply.status);
  STRCMP_EQUAL("/echo/a b%2F|token:all|q=/x%20|flag=True", reply.body.c_str());
}

TEST(Server, connections_are_kept_for_more_requests) {
  Rig rig;
  RawClient client(rig.server->port());
  for (int i = 0; i < 50; ++i) {
    const std::string body(static_cast<std::size_t>(i) * 20, 'x');
    STRCMP_EQUAL(body.c_str(), client.ask(post("/echo", body)).body.c_str());
    LONGS_EQUAL(200, client.ask(get("/echo/1")).status);
    LONGS_EQUAL(404, client.ask(get("/nothing")).status);
    LONGS_EQUAL(401, client.ask(get("/nothing", "")).status);
  }
}

TEST(Server, pipelined_requests_are_answered_in_order) {
  Rig rig;
  RawClient client(rig.server->port());
  std::string all;
  for (int i = 0; i < 20; ++i) all += get("/echo/" + std::to_string(i)) + post("/echo", "p");
  client.send(all);
  for (int i = 0; i < 20; ++i) {
    STRCMP_EQUAL(("/echo/" + std::to_string(i) + "|token:all").c_str(),
                 client.reply().body.c_str());
    STRCMP_EQUAL("p", client.reply().body.c_str());
  }
}

TEST(Server, replies_carry_an_id_and_no_version_of_ours) {
  Rig rig;
  RawClient client(rig.server->port());
  const Reply reply = client.ask(get("/nothing"));
  CHECK_TRUE(reply.has("x-request-id: "));
  CHECK_TRUE(reply.has("content-type: application/problem+json"));
  CHECK_FALSE(reply.has("server:"));
  CHECK_FALSE(reply.has("microhttpd"));
  CHECK_TRUE(reply.body.find("/problems/route_unknown") != std::string::npos);
  const Reply named = client.ask("GET /nothing HTTP/1.1\r\nHost: x\r\nX-Request-Id: abc-1\r\n\r\n");
  CHECK_TRUE(named.has("x-request-id: abc-1\r\n"));
  const Reply forged = client.ask("GET /x HTTP/1.1\r\nHost: x\r\nX-Request-Id: a b\"\r\n\r\n");
  CHECK_FALSE(forged.has("a b"));
}

TEST(Server, head_is_get_without_the_body) {
  Rig rig;
  RawClient client(rig.server->port());
  client.send("HEAD /echo/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer all\r\n\r\n" +
              get("/echo/2"));
  const Reply head = client.reply(true);
  LONGS_EQUAL(200, head.status);
  CHECK_TRUE(head.has("content-length: 17\r\n"));
  STRCMP_EQUAL("/echo/2|token:all", client.reply().body.c_str());
}

TEST(Server, head_of_a_stream_opens_none) {
  Rig rig;
  RawClient client(rig.server->port());
  client.send("HEAD /stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer all\r\n\r\n" +
              get("/echo/2"));
  LONGS_EQUAL(200, client.reply(true).status);
  STRCMP_EQUAL("/echo/2|token:all", client.reply().body.c_str());
  LONGS_EQUAL(1, rig.streams_closed.load());
}

TEST(Server, other_methods_are_refused_with_allow) {
  Rig rig;
  RawClient client(rig.server->port());
  for (const char* method : {"OPTIONS", "PUT", "TRACE", "FOO", "POST"}) {
    const Reply reply = client.ask(std::string(method) +
                                   " /echo/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer all\r\n"
                                   "Content-Length: 0\r\n\r\n");
    LONGS_EQUAL(405, reply.status);
    CHECK_TRUE(reply.has("allow: GET, HEAD\r\n"));
  }
}

TEST(Server, who_has_no_credentials_gets_401_whatever_it_asks_for) {
  Rig rig;
  RawClient client(rig.server->port());
  for (const char* path :
       {"/", "/nothing", "/echo/1", "/echo/%00", "/echo/..", "/x%2Fy", "/slow"}) {
    const Reply reply = client.ask(get(path, ""));
    LONGS_EQUAL(401, reply.status);
    CHECK_TRUE(reply.has("www-authenticate: Bearer realm="));
    CHECK_TRUE(reply.has("www-authenticate: Basic realm="));
    LONGS_EQUAL(401, client.ask(get(path, "wrong")).status);
  }
}

TEST(Server, every_route_refuses_callers_without_credentials) {
  Rig rig;
  RawClient client(rig.server->port());
  for (const base::Json& row : rest::dump_routes(rig.table)) {
    std::string path = row["path"].get<std::string>();
    for (std::size_t at = 0; (at = path.find_first_of("{}.", at)) != std::string::npos;) {
      path.erase(at, 1);
    }
    const Reply reply = client.ask(row["method"].get<std::string>() + " " + path +
                                   " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
    LONGS_EQUAL(row["scope"] == "public" ? 200 : 401, reply.status);
  }
}

TEST(Server, a_public_route_takes_callers_without_credentials_and_with_wrong_ones) {
  Rig rig;
  RawClient client(rig.server->port());
  STRCMP_EQUAL("/open/1|anonymous", client.ask(get("/open/1", "")).body.c_str());
  STRCMP_EQUAL("/open/1|anonymous", client.ask(get("/open/1", "wrong")).body.c_str());
  STRCMP_EQUAL("/open/1|token:reader", client.ask(get("/open/1", "reader")).body.c_str());
  STRCMP_EQUAL("abc", client.ask(post("/open", "abc", "")).body.c_str());
}

TEST(Server, around_a_public_route_nothing_else_is_open) {
  Rig rig;
  RawClient client(rig.server->port());
  for (const char* path : {"/open", "/open/1/2", "/open/..", "/open/%2e%2e/echo/1", "/open/%00"}) {
    LONGS_EQUAL(401, client.ask(get(path, "")).status);
  }
  LONGS_EQUAL(401, client.ask(post("/open/1", "abc", "")).status);
  LONGS_EQUAL(200, client.ask(get("/open/%2e%2e%2e", "")).status);
}

TEST(Server, a_scope_that_was_not_granted_is_403) {
  Rig rig;
  RawClient client(rig.server->port());
  const Reply reply = client.ask(post("/echo", "x", "reader"));
  LONGS_EQUAL(403, reply.status);
  CHECK_TRUE(reply.body.find("app:write") != std::string::npos);
  LONGS_EQUAL(200, client.ask(get("/echo/1", "reader")).status);
}

TEST(Server, bugs_show_no_detail) {
  Rig rig;
  RawClient client(rig.server->port());
  const Reply reply = client.ask(get("/bug"));
  LONGS_EQUAL(500, reply.status);
  CHECK_TRUE(reply.body.find("secret") == std::string::npos);
}

TEST(Server, a_worker_may_take_its_time_while_others_are_served) {
  Rig rig;
  RawClient slow(rig.server->port());
  slow.send(post("/slow", "body"));
  rig.gate.wait_for_one();
  RawClient other(rig.server->port());
  LONGS_EQUAL(200, other.ask(get("/echo/1")).status);
  rig.gate.open();
  STRCMP_EQUAL("slow body", slow.reply().body.c_str());
  LONGS_EQUAL(200, slow.ask(get("/echo/1")).status);
}

TEST(Server, a_client_that_goes_while_a_worker_is_busy_does_no_harm) {
  Rig rig;
  {
    RawClient gone(rig.server->port());
    gone.send(get("/slow"));
    rig.gate.wait_for_one();
  }
  rig.gate.open();
  rig.wait_until([&] { return rig.slow_done == 1; });
  RawClient other(rig.server->port());
  LONGS_EQUAL(200, other.ask(get("/echo/1")).status);
}

TEST(Server, a_handler_that_takes_too_long_is_504_and_its_result_is_dropped) {
  Rig rig;
  RawClient client(rig.server->port());
  const Reply reply = client.ask(get("/slow/limited"));
  LONGS_EQUAL(504, reply.status);
  CHECK_TRUE(reply.body.find("handler_timed_out") != std::string::npos);
  rig.gate.open();
  rig.wait_until([&] { return rig.slow_done == 1; });
  LONGS_EQUAL(200, client.ask(get("/echo/1")).status);
}

TEST(Server, a_full_worker_queue_is_told_at_once) {
  Rig rig({}, {{}}, 1);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 5; ++i) {  // one with the worker, four in the queue
    clients.push_back(std::make_unique<RawClient>(rig.server->port()));
    clients.back()->send(get("/slow"));
    if (i == 0) rig.gate.wait_for_one();
  }
  rig.wait_until([&] { return rig.workers.queued() == 4; });
  RawClient refused(rig.server->port());
  const Reply reply = refused.ask(get("/slow"));
  LONGS_EQUAL(429, reply.status);
  CHECK_TRUE(reply.has("retry-after: 1\r\n"));
  rig.gate.open();
  for (const auto& client : clients) LONGS_EQUAL(200, client->reply().status);
}

TEST(Server, a_stream_sends_as_it_is_written_and_ends_when_finished) {
  Rig rig;
  RawClient client(rig.server->port());
  client.send(get("/stream"));
  client.wait_for("\r\n\r\n");
  const auto stream = rig.stream();
  rig.on_loop([&] { CHECK_TRUE(stream->write(rest::format_event("a", "one"))); });
  client.wait_for("data: one\r\n");
  rig.on_loop([&] { CHECK_TRUE(stream->write(rest::format_event("a", "two"))); });
  client.wait_for("data: two\r\n");
  rig.on_loop([&] { stream->finish(); });
  const Reply reply = client.reply();
  CHECK_TRUE(reply.has("content-type: text/event-stream\r\n"));
  STRCMP_EQUAL("event: a\r\ndata: one\r\n\r\nevent: a\r\ndata: two\r\n\r\n", reply.body.c_str());
  LONGS_EQUAL(200, client.ask(get("/echo/1")).status);
  LONGS_EQUAL(1, rig.streams_closed.load());
}

TEST(Server, the_producer_learns_that_a_silent_client_has_gone) {
  Rig rig;
  {
    RawClient client(rig.server->port());
    client.send(get("/stream"));
    client.wait_for("\r\n\r\n");
  }
  rig.wait_until([&] { return rig.streams_closed == 1; });
  const auto stream = rig.stream();
  CHECK_FALSE(stream->is_open());
}

TEST(Server, streams_are_bounded_in_number) {
  Rig rig({.streams_max = 1});
  RawClient first(rig.server->port());
  first.send(get("/stream"));
  first.wait_for("\r\n\r\n");
  RawClient second(rig.server->port());
  LONGS_EQUAL(429, second.ask(get("/stream")).status);
  first.close();
  rig.wait_until([&] { return rig.streams_closed == 2; });
  second.send(get("/stream"));
  second.wait_for("200 OK");
}

TEST(Server, a_unix_socket_has_its_mode_and_knows_its_peer) {
  char folder[] = "/tmp/rest-test-XXXXXX";
  CHECK_TRUE(::mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/x.sock";
  {
    Rig rig({}, {{.unix_path = path, .unix_mode = 0660}});
    struct stat status {};
    LONGS_EQUAL(0, ::stat(path.c_str(), &status));
    LONGS_EQUAL(0660, status.st_mode & 07777);
    RawClient client(path);
    STRCMP_EQUAL("/echo/1|peer", client.ask(get("/echo/1", "")).body.c_str());
    // A daemon that died leaves its socket behind; the next one replaces it.
    Rig next({}, {{.unix_path = path}});
    RawClient again(path);
    LONGS_EQUAL(200, again.ask(get("/echo/1", "")).status);
  }
  CHECK_FALSE(std::filesystem::exists(path));
  std::filesystem::remove_all(folder);
}

TEST(Server, a_port_in_use_is_an_error_of_the_system) {
  Rig rig;
  rest::ListenerOptions taken;
  taken.port = rig.server->port();
  rest::Metrics metrics;
  const auto again =
      rest::Server::make({*rig.loop, rig.workers, rig.authenticator, metrics}, rig.table, {taken});
  CHECK_FALSE(again.has_value());
  LONGS_EQUAL(EADDRINUSE, again.error().os_errno);
  rest::ListenerOptions wrong;
  wrong.address = "localhost";
  CHECK_ERROR(
      base::Code::invalid_argument, "listener_invalid",
      rest::Server::make({*rig.loop, rig.workers, rig.authenticator, metrics}, rig.table, {wrong}));
}

TEST(Server, shutdown_ends_streams_and_waits_for_workers) {
  Rig rig;
  RawClient stream(rig.server->port());
  stream.send(get("/stream"));
  stream.wait_for("\r\n\r\n");
  RawClient slow(rig.server->port());
  slow.send(get("/slow"));
  rig.gate.wait_for_one();
  RawClient idle(rig.server->port());
  LONGS_EQUAL(200, idle.ask(get("/echo/1")).status);
  const std::uint16_t port = rig.server->port();
  std::atomic<bool> done{false};
  rig.on_loop([&] { rig.server->shutdown(kPatience, [&] { done = true; }); });
  CHECK_TRUE(idle.is_closed_by_server());
  CHECK_TRUE(stream.is_closed_by_server());
  CHECK_FALSE(done);
  const int refused = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  LONGS_EQUAL(-1, ::connect(refused, reinterpret_cast<sockaddr*>(&address), sizeof address));
  ::close(refused);
  rig.gate.open();
  const Reply last = slow.reply();
  STRCMP_EQUAL("slow ", last.body.c_str());
  CHECK_TRUE(last.has("connection: close"));
  rig.wait_until([&] { return done.load(); });
}

TEST(Server, shutdown_does_not_wait_longer_than_the_grace) {
  Rig rig;
  RawClient slow(rig.server->port());
  slow.send(get("/slow"));
  rig.gate.wait_for_one();
  std::atomic<bool> done{false};
  rig.on_loop([&] {
    rig.server->shutdown(std::chrono::milliseconds(50), [&] {
      done = true;
      rig.server.reset();
    });
  });
  rig.wait_until([&] { return done.load(); });
  CHECK_TRUE(slow.is_closed_by_server());
}

TEST(Server, the_standard_routes_are_there_and_requests_are_counted) {
  Rig rig;
  RawClient client(rig.server->port());
  LONGS_EQUAL(200, client.ask(get("/health")).status);
  LONGS_EQUAL(200, client.ask(get("/openapi.json")).status);
  LONGS_EQUAL(401, client.ask(get("/health", "")).status);
  client.ask(get("/nothing"));
  const Reply reply = client.ask(get("/metrics"));
  LONGS_EQUAL(200, reply.status);
  for (const char* line :
       {"http_requests_total{code=\"200\",method=\"GET\",route=\"/health\"} 1\n",
        "http_requests_total{code=\"404\",method=\"\",route=\"\"} 1\n", "http_connections 1\n",
        "http_streams 0\n", "http_request_seconds_count{method=\"GET\",route=\"/health\"} 1\n"}) {
    CHECK_TEXT(reply.body.find(line) != std::string::npos, line);
  }
}
