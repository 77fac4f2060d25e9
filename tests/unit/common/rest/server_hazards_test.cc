// SPDX-License-Identifier: Apache-2.0
// The HTTP library's known sharp edges, each reproduced with raw bytes: what the wrapper must
// close.
#include <sys/resource.h>

#include "tests/unit/common/rest/rig.h"

using namespace rest_test;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

constexpr rest::ServerLimits kQuick = {.header_deadline = milliseconds(200),
                                       .body_deadline = milliseconds(300),
                                       .request_deadline = milliseconds(400),
                                       .idle_deadline = milliseconds(500)};

// Sends a byte at a time, so that silence never lasts; the time until the server closes.
milliseconds dribble(RawClient& client, std::string_view bytes) {
  const auto start = Clock::now();
  while (Clock::now() - start < kPatience) {
    for (const char c : bytes) {
      if (!client.send(std::string_view(&c, 1))) {
        return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
      }
      ::poll(nullptr, 0, 10);
    }
  }
  FAIL("the server lets it go on");
  return {};
}

void check_refused_late(const Reply& reply) {
  LONGS_EQUAL(408, reply.status);
  CHECK_TRUE(reply.body.find("request_timed_out") != std::string::npos);
}

// The process's CPU time so far.
milliseconds cpu_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return milliseconds((usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                      (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000);
}

}  // namespace

TEST_GROUP(ServerHazards){};

TEST(ServerHazards, headers_that_never_end_are_cut_at_the_deadline) {
  Rig rig(kQuick);
  RawClient client(rig.server->port());
  client.send("GET /echo/1 HTTP/1.1\r\n");
  const milliseconds held = dribble(client, "X-A: aaaaaaaaaaaaaaaa\r\n");
  CHECK_TRUE(held >= milliseconds(150));
  CHECK_TRUE(held < milliseconds(2000));
  CHECK_TRUE(rig.rendered().find("http_deadlines_expired_total{phase=\"header\"} 1") !=
             std::string::npos);
  check_refused_late(client.reply());
}

TEST(ServerHazards, a_request_line_that_never_ends_is_cut_too) {
  Rig rig(kQuick);
  RawClient client(rig.server->port());
  CHECK_TRUE(dribble(client, "GETGETGETGETGET") < milliseconds(2000));
  RawClient silent(rig.server->port());
  const auto start = Clock::now();
  CHECK_TRUE(silent.is_closed_by_server());
  CHECK_TRUE(Clock::now() - start < milliseconds(2000));
}

TEST(ServerHazards, a_slow_body_is_cut_at_the_deadline) {
  Rig rig(kQuick);
  RawClient client(rig.server->port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer all\r\nContent-Length: 900\r\n\r\n");
  const milliseconds held = dribble(client, "body");
  CHECK_TRUE(held >= milliseconds(250));
  CHECK_TRUE(held < milliseconds(2000));
  check_refused_late(client.reply());
}

TEST(ServerHazards, who_falls_silent_within_a_request_hears_408_and_who_has_not_begun_nothing) {
  Rig rig(kQuick);
  RawClient begun(rig.server->port());
  begun.send("GET /echo/1 HTTP/1.1\r\nX-A: a");
  check_refused_late(begun.reply());
  CHECK_TRUE(begun.is_closed_by_server());
  RawClient silent(rig.server->port());
  CHECK_TRUE(silent.is_closed_by_server());
}

TEST(ServerHazards, headers_of_a_later_request_have_their_own_deadline) {
  Rig rig(kQuick);
  RawClient client(rig.server->port());
  LONGS_EQUAL(200, client.ask(get("/echo/1")).status);
  client.send("GET /echo/1 HTTP/1.1\r\n");
  CHECK_TRUE(dribble(client, "X-A: aaaaaaaaaaaaaaaa\r\n") < milliseconds(2000));
}

TEST(ServerHazards, idle_connections_end_after_their_time) {
  Rig rig(kQuick);
  RawClient client(rig.server->port());
  LONGS_EQUAL(200, client.ask(get("/echo/1")).status);
  const auto start = Clock::now();
  CHECK_TRUE(client.is_closed_by_server());
  CHECK_TRUE(Clock::now() - start >= milliseconds(400));
  CHECK_TRUE(Clock::now() - start < milliseconds(3000));
}

TEST(ServerHazards, who_does_not_read_the_reply_is_cut) {
  Rig rig(kQuick);
  RawClient client(rig.server->port());
  client.shrink_receive_buffer();
  client.send(get("/big"));
  rig.wait_until([&] {
    return rig.metrics.render().find("http_deadlines_expired_total{phase=\"reply\"} 1") !=
           std::string::npos;
  });
  rig.wait_until(
      [&] { return rig.metrics.render().find("http_connections 0\n") != std::string::npos; });
}

TEST(ServerHazards, who_reads_the_reply_in_time_gets_all_of_it) {
  Rig rig;
  RawClient client(rig.server->port());
  const Reply reply = client.ask(get("/big"));
  LONGS_EQUAL(8 << 20, reply.body.size());
}

TEST(ServerHazards, two_ways_to_say_where_the_body_ends_are_refused_and_closed) {
  Rig rig;
  const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer all\r\n";
  for (const std::string framing :
       {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "Content-Length: 3, 3\r\n\r\nabc",
        "Content-Length: +3\r\n\r\nabc", "Content-Length: -3\r\n\r\nabc",
        "Content-Length: 0x3\r\n\r\nabc", "Content-Length: 99999999999999999999\r\n\r\nabc",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: identity\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
    RawClient client(rig.server->port());
    client.send(head + framing + get("/echo/smuggled"));
    const std::string all = client.receive_all();
    const std::string status = all.substr(0, 12);
    CHECK_TEXT(status == "HTTP/1.1 400" || status == "HTTP/1.1 413", (framing + all).c_str());
    CHECK_TEXT(all.find("smuggled") == std::string::npos, framing.c_str());
    CHECK_TEXT(all.find("HTTP/1.1 200") == std::string::npos, framing.c_str());
  }
}

TEST(ServerHazards, a_chunked_body_arrives_whole) {
  Rig rig;
  RawClient client(rig.server->port());
  const Reply reply = client.ask(
      "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer all\r\nTransfer-Encoding: "
      "chunked\r\n\r\n"
      "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n");
  STRCMP_EQUAL("abcdefg", reply.body.c_str());
  LONGS_EQUAL(200, client.ask(get("/echo/1")).status);
}

TEST(ServerHazards, chunked_in_http_1_0_is_refused) {
  Rig rig;
  RawClient client(rig.server->port());
  const Reply reply = client.ask(
      "POST /echo HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer all\r\nTransfer-Encoding: "
      "chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\n\r\n");
  LONGS_EQUAL(400, reply.status);
}

TEST(ServerHazards, paths_that_mean_two_things_are_refused) {
  Rig rig;
  RawClient client(rig.server->port());
  for (const char* path :
       {"/echo/a%00b", "/echo/%2e%2e", "/echo/../echo/1", "/echo/./1", "/echo/a%2Fb", "/echo/a%5Cb",
        "/echo/%ff", "/echo/%", "/apps/..%2Fx", "/echo/a%0ab"}) {
    const Reply reply = client.ask(get(path));
    LONGS_EQUAL_TEXT(400, reply.status, path);
    CHECK_TRUE(reply.body.find("path_invalid") != std::string::npos);
  }
  STRCMP_EQUAL("/apps/demo/web|token:all", client.ask(get("/apps//demo/web")).body.c_str());
  STRCMP_EQUAL("/apps/demo/web|token:all", client.ask(get("/apps/%2Fdemo%2Fweb/")).body.c_str());
}

TEST(ServerHazards, a_zero_byte_on_the_request_line_reaches_no_handler) {
  Rig rig(kQuick);
  RawClient client(rig.server->port());
  std::string request = get("/echo/1Z2");
  request[request.find('Z')] = '\0';
  client.send(request);
  client.half_close();
  const std::string all = client.receive_all();
  CHECK_TEXT(all.find("HTTP/1.1 200") == std::string::npos, all.c_str());
}

TEST(ServerHazards, a_zero_byte_in_a_headers_name_makes_no_other_header) {
  Rig rig(kQuick);
  RawClient client(rig.server->port());
  std::string request = "GET /echo/1 HTTP/1.1\r\nHost: x\r\nAuthorizationZX: Bearer all\r\n\r\n";
  request[request.find('Z')] = '\0';
  client.send(request);
  const Reply reply = client.reply();
  CHECK_TRUE(reply.status == 400 || reply.status == 401 || reply.status == 0);
}

TEST(ServerHazards, headers_beyond_the_memory_of_a_connection_are_431) {
  Rig rig;
  RawClient client(rig.server->port());
  client.send("GET /echo/1 HTTP/1.1\r\nHost: x\r\nX-A: " + std::string(40000, 'a') + "\r\n\r\n");
  const Reply reply = client.reply();
  LONGS_EQUAL(431, reply.status);
  CHECK_TRUE(reply.body.find("microhttpd") == std::string::npos);
  RawClient long_line(rig.server->port());
  long_line.send("GET /" + std::string(40000, 'a') + " HTTP/1.1\r\n\r\n");
  const int status = long_line.reply().status;
  CHECK_TRUE(status == 414 || status == 431);
}

TEST(ServerHazards, a_body_beyond_the_limit_of_its_route_is_413) {
  Rig rig;
  RawClient client(rig.server->port());
  // Small enough to be read and dropped: the connection goes on.
  LONGS_EQUAL(413, client.ask(post("/echo", std::string(1001, 'x'))).status);
  LONGS_EQUAL(200, client.ask(post("/echo", std::string(1000, 'x'))).status);
  // Announced too large to be read at all.
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer all\r\nContent-Length: "
      "9999999\r\n\r\n");
  const Reply reply = client.reply();
  LONGS_EQUAL(413, reply.status);
  CHECK_TRUE(reply.has("connection: close"));
  CHECK_TRUE(client.is_closed_by_server());
}

TEST(ServerHazards, a_chunked_body_beyond_the_limit_is_413_and_an_endless_one_is_cut) {
  Rig rig;
  const std::string head =
      "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer all\r\nTransfer-Encoding: "
      "chunked\r\n\r\n";
  const std::string chunk = "400\r\n" + std::string(1024, 'x') + "\r\n";
  RawClient client(rig.server->port());
  LONGS_EQUAL(413, client.ask(head + chunk + chunk + "0\r\n\r\n").status);
  RawClient endless(rig.server->port());
  endless.send(head);
  bool open = true;
  for (int i = 0; i < 1000 && open; ++i) open = endless.send(chunk);
  CHECK_TRUE(endless.is_closed_by_server());
}

TEST(ServerHazards, who_waits_for_100_continue_learns_the_refusal_instead) {
  Rig rig;
  RawClient client(rig.server->port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\nExpect: 100-continue\r\n"
      "Content-Length: 500\r\n\r\n");
  const Reply reply = client.reply();
  LONGS_EQUAL(401, reply.status);
  RawClient welcome(rig.server->port());
  welcome.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer all\r\nExpect: 100-continue\r\n"
      "Content-Length: 3\r\n\r\n");
  welcome.wait_for("HTTP/1.1 100 Continue");
  welcome.send("abc");
  STRCMP_EQUAL("abc", welcome.reply().body.c_str());
}

TEST(ServerHazards, a_stranger_cannot_make_us_read_a_large_body) {
  Rig rig;
  RawClient client(rig.server->port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
  const Reply reply = client.reply();
  LONGS_EQUAL(401, reply.status);
  CHECK_TRUE(client.is_closed_by_server());
}

TEST(ServerHazards, a_flood_of_slow_clients_ends_at_the_deadline) {
  Rig rig(kQuick);
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 100; ++i) {
    slow.push_back(std::make_unique<RawClient>(rig.server->port()));
    slow.back()->send("GET /echo/1 HTTP/1.1\r\nX-A: a");
  }
  RawClient good(rig.server->port());
  LONGS_EQUAL(200, good.ask(get("/echo/1")).status);
  for (const auto& client : slow) CHECK_TRUE(client->is_closed_by_server());
}

TEST(ServerHazards, a_slow_reader_of_a_stream_is_dropped_at_the_buffers_end) {
  Rig rig;
  RawClient client(rig.server->port());
  client.shrink_receive_buffer();
  client.send(get("/stream"));
  client.wait_for("\r\n\r\n");
  const auto stream = rig.stream();
  const std::string event(10000, 'e');
  bool open = true;
  for (int i = 0; i < 5000 && open; ++i) {
    rig.on_loop([&] { open = stream->write(event); });
  }
  CHECK_FALSE(open);
  rig.wait_until([&] { return rig.streams_closed == 1; });
}

TEST(ServerHazards, a_finished_stream_that_nobody_reads_ends_at_the_deadline) {
  Rig rig(kQuick);
  rig.stream_buffer_max = 64 << 20;
  RawClient client(rig.server->port());
  client.shrink_receive_buffer();
  client.send(get("/stream"));
  client.wait_for("\r\n\r\n");
  const auto stream = rig.stream();
  rig.on_loop([&] {
    CHECK_TRUE(stream->write(std::string(32 << 20, 'e')));
    stream->finish();
  });
  rig.wait_until([&] { return rig.streams_closed == 1; });
}

TEST(ServerHazards, waiting_connections_cost_no_processor_time) {
  Rig rig;
  RawClient stream(rig.server->port());
  stream.send(get("/stream"));
  stream.wait_for("\r\n\r\n");
  RawClient worker(rig.server->port());
  worker.send(get("/slow"));
  rig.gate.wait_for_one();
  RawClient half(rig.server->port());
  half.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer all\r\nContent-Length: "
      "9\r\n\r\nabc");
  RawClient idle(rig.server->port());
  LONGS_EQUAL(200, idle.ask(get("/echo/1")).status);
  const milliseconds before = cpu_time();
  ::poll(nullptr, 0, 500);
  CHECK_TRUE(cpu_time() - before < milliseconds(100));
}

TEST(ServerHazards, garbage_is_answered_with_400_or_the_end) {
  Rig rig(kQuick);
  for (const std::string& bytes :
       {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
        std::string("\r\n\r\n\r\n"), std::string("GET\r\n\r\n"),
        std::string("GET / HTTP/9.9\r\nHost: x\r\n\r\n"), std::string("GET / HTTP/1.1\r\n\r\n"),
        std::string("GET /echo/1 HTTP/1.1\r\nHost: x\r\n bad\r\n\r\n"),
        std::string("GET /echo/1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        std::string("GET http://other/echo/1 HTTP/1.1\r\nHost: x\r\n\r\n"),
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}) {
    RawClient client(rig.server->port());
    client.send(bytes);
    client.half_close();
    const std::string all = client.receive_all();
    CHECK_TEXT(all.find(" 200 ") == std::string::npos, all.c_str());
    CHECK_TEXT(all.find("microhttpd") == std::string::npos, all.c_str());
  }
  RawClient good(rig.server->port());
  LONGS_EQUAL(200, good.ask(get("/echo/1")).status);
}

TEST(ServerHazards, a_header_override_of_the_method_means_nothing) {
  Rig rig;
  RawClient client(rig.server->port());
  const Reply reply = client.ask(
      "GET /echo/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer reader\r\nX-HTTP-Method-Override: "
      "DELETE\r\n\r\n");
  LONGS_EQUAL(200, reply.status);
}
