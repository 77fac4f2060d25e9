// SPDX-License-Identifier: Apache-2.0
#include "common/sys/http_client.h"

#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "common/sys/files.h"
#include "common/sys/process.h"
#include "common/sys/tls.h"
#include "tests/support/check_result.h"
#include "tests/unit/common/sys/http_peer.h"
#include "tests/unit/common/sys/scratch.h"

using namespace std::chrono_literals;
using base::Code;

namespace {

HttpPeer::Answer echo_ok(const std::string&) { return HttpPeer::reply("200 OK", "hello"); }

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

}  // namespace

TEST_GROUP(HttpClient) { sys::HttpClient client; };

TEST(HttpClient, gives_status_headers_in_lower_case_and_body) {
  HttpPeer peer([](const std::string&) {
    return HttpPeer::reply("404 Not Found", "{}", "X-One: a\r\nx-one:  b \r\nEmpty:\r\n");
  });
  const auto reply = UNWRAP(client.send({.url = peer.url("/x")}));
  LONGS_EQUAL(404, reply.status);
  STRCMP_EQUAL("{}", reply.body.c_str());
  STRCMP_EQUAL("b", reply.headers.at("x-one").c_str());
  STRCMP_EQUAL("", reply.headers.at("empty").c_str());
}

TEST(HttpClient, sends_what_it_is_given_and_nothing_of_its_own) {
  HttpPeer peer(echo_ok);
  CHECK_OK(client.send({.method = "PUT",
                        .url = peer.url("/a/../b?x=%20"),
                        .headers = {{"If-Match", "\"3\""}, {"X-Empty", ""}},
                        .body = std::string("a\0b", 3),
                        .bearer = base::Secret("t0ken")}));
  const std::string request = peer.requests().at(0);
  CHECK_TRUE(request.starts_with("PUT /a/../b?x=%20 HTTP/1.1\r\n"));
  CHECK_TRUE(holds(request, "If-Match: \"3\"\r\n"));
  CHECK_TRUE(holds(request, "X-Empty:\r\n"));
  CHECK_TRUE(holds(request, "Authorization: Bearer t0ken\r\n"));
  CHECK_TRUE(holds(request, "Content-Length: 3\r\n"));
  CHECK_TRUE(request.ends_with(std::string("\r\n\r\na\0b", 7)));
  CHECK_FALSE(holds(request, "Content-Type"));
  CHECK_FALSE(holds(request, "Expect"));
}

TEST(HttpClient, every_method_arrives_as_it_is) {
  HttpPeer peer([](const std::string& request) {
    if (request.starts_with("HEAD")) return HttpPeer::Answer{{"HTTP/1.1 204 x\r\n\r\n"}};
    return HttpPeer::reply("200 OK", "");
  });
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    CHECK_OK(client.send({.method = method, .url = peer.url("/m")}));
    CHECK_TRUE(peer.requests().back().starts_with(std::string(method) + " /m HTTP/1.1\r\n"));
  }
}

TEST(HttpClient, a_connection_serves_call_after_call) {
  HttpPeer peer(echo_ok);
  for (int i = 0; i < 20; ++i) {
    CHECK_OK(client.send({.method = i % 2 == 0 ? "GET" : "POST",
                          .url = peer.url("/"),
                          .body = i % 2 == 0 ? "" : "x"}));
  }
  LONGS_EQUAL(1, peer.connections());
}

TEST(HttpClient, serves_several_threads_at_once) {
  HttpPeer peer(echo_ok);
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 25; ++j) {
        const auto reply = client.send({.url = peer.url("/")});
        if (reply && reply->body == "hello") ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  LONGS_EQUAL(100, good.load());
  CHECK_TRUE(peer.connections() <= 4);
}

TEST(HttpClient, a_call_that_may_have_been_carried_out_is_not_sent_twice) {
  // The peer takes a first call, then closes the kept connection upon the second, unanswered.
  for (const char* body : {"x", ""}) {
    HttpPeer peer([](const std::string& request) {
      if (holds(request, "/first")) return HttpPeer::reply("200 OK", "");
      return HttpPeer::Answer{{}, HttpPeer::After::close};
    });
    CHECK_OK(client.send({.method = "POST", .url = peer.url("/first"), .body = "x"}));
    CHECK_ERROR(Code::unavailable, "connection_lost",
                client.send({.method = "POST", .url = peer.url("/second"), .body = body}));
    LONGS_EQUAL(2, peer.requests().size());
  }
}

TEST(HttpClient, works_over_a_unix_socket) {
  const Scratch scratch;
  const std::string path = (scratch / "s").string();
  HttpPeer peer(echo_ok, path);
  const auto reply = UNWRAP(client.send({.url = "http://master/v1", .unix_socket = path}));
  STRCMP_EQUAL("hello", reply.body.c_str());
  CHECK_TRUE(holds(peer.requests().at(0), "Host: master\r\n"));
  CHECK_ERROR(Code::unavailable, "connect_failed",
              client.send({.url = "http://x/", .unix_socket = path + "-none"}));
}

TEST(HttpClient, follows_no_redirect_and_no_proxy_variable) {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  HttpPeer peer([](const std::string&) {
    return HttpPeer::reply("302 Found", "", "Location: /elsewhere\r\n");
  });
  const auto reply = client.send({.url = peer.url("/")});
  ::unsetenv("http_proxy");
  LONGS_EQUAL(302, UNWRAP(reply).status);
  LONGS_EQUAL(1, peer.requests().size());
}

TEST(HttpClient, a_reply_has_a_greatest_size) {
  HttpPeer peer([](const std::string& request) {
    return HttpPeer::reply("200 OK", std::string(holds(request, "/fits") ? 1000 : 1001, 'x'));
  });
  CHECK_OK(client.send({.url = peer.url("/fits"), .response_max = 1000}));
  CHECK_ERROR(Code::too_large, "response_too_large",
              client.send({.url = peer.url("/no"), .response_max = 1000}));
}

TEST(HttpClient, endless_headers_are_refused) {
  HttpPeer peer([](const std::string&) {
    HttpPeer::Answer answer{{"HTTP/1.1 200 OK\r\n"}, HttpPeer::After::close};
    for (int i = 0; i < 300; ++i) answer.pieces.push_back("A: " + std::string(1000, 'a') + "\r\n");
    return answer;
  });
  CHECK_ERROR(Code::too_large, "response_too_large", client.send({.url = peer.url("/")}));
}

TEST(HttpClient, says_whether_the_request_was_sent) {
  HttpPeer silent([](const std::string&) { return HttpPeer::Answer{{}, HttpPeer::After::hang}; });
  CHECK_ERROR(Code::timed_out, "http_timed_out",
              client.send({.url = silent.url("/"), .timeout = 100ms}));
  HttpPeer rude([](const std::string&) {
    return HttpPeer::Answer{{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"},
                            HttpPeer::After::close};
  });
  CHECK_ERROR(Code::unavailable, "connection_lost", client.send({.url = rude.url("/")}));
  CHECK_ERROR(Code::unavailable, "connect_failed", client.send({.url = "http://127.0.0.1:1/"}));
  CHECK_ERROR(Code::unavailable, "connect_failed", client.send({.url = "http://name.invalid/"}));
}

TEST(HttpClient, malformed_calls_are_refused_before_anything_is_sent) {
  HttpPeer peer(echo_ok);
  const std::vector<sys::HttpCall> bad = {
      {.method = "GE T", .url = peer.url("/")},
      {.method = "", .url = peer.url("/")},
      {.url = peer.url("/\r\nX: y")},
      {.url = peer.url("/ x")},
      {.url = "file:///etc/passwd"},
      {.url = "ftp://127.0.0.1/"},
      {.url = ""},
      {.url = peer.url("/") + std::string(70000, 'a')},
      {.url = peer.url("/"), .headers = {{"A", "b\r\nC: d"}}},
      {.url = peer.url("/"), .headers = {{"A b", "c"}}},
      {.url = peer.url("/"), .bearer = base::Secret("a\nb")},
  };
  for (const auto& call : bad) {
    CHECK_ERROR(Code::invalid_argument, "http_call_invalid", client.send(call));
  }
  LONGS_EQUAL(0, peer.requests().size());
}

TEST(HttpClient, a_stream_comes_in_pieces_and_ends_when_the_reader_says_so) {
  HttpPeer peer([](const std::string& request) {
    if (holds(request, "/bad")) return HttpPeer::reply("503 x", "why");
    return HttpPeer::Answer{
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\none\r\n", "3\r\ntwo\r\n"},
        HttpPeer::After::hang};
  });
  std::string seen;
  const auto reply = UNWRAP(client.stream({.url = peer.url("/"), .timeout = 0ms, .response_max = 1},
                                          [&](std::string_view piece) {
                                            seen += piece;
                                            return seen != "onetwo";
                                          }));
  LONGS_EQUAL(200, reply.status);
  STRCMP_EQUAL("onetwo", seen.c_str());
  STRCMP_EQUAL("", reply.body.c_str());
  const auto refused = UNWRAP(client.stream({.url = peer.url("/bad")}, [](std::string_view) {
    FAIL("an error's body is kept, not handed over");
    return true;
  }));
  STRCMP_EQUAL("why", refused.body.c_str());
}

TEST(HttpClient, calls_leave_from_the_address_asked_for) {
  HttpPeer peer(echo_ok);
  CHECK_OK(client.send({.url = peer.url("/"), .bind_address = "127.0.0.9"}));
  CHECK_ERROR(Code::unavailable, "connect_failed",
              client.send({.url = peer.url("/"), .bind_address = "192.0.2.1"}));
}

TEST(HttpClient, a_certificate_is_verified_against_the_given_file_and_the_name) {
  const Scratch scratch;
  const auto pair = UNWRAP(sys::make_self_signed("peer", {"localhost"}, 1h));
  const auto other = UNWRAP(sys::make_self_signed("peer", {"localhost"}, 1h));
  CHECK_OK(sys::write_file_durably(scratch / "key", pair.key_pem.reveal(), 0600));
  CHECK_OK(sys::write_file_durably(scratch / "cert", pair.certificate_pem));
  CHECK_OK(sys::write_file_durably(scratch / "other", other.certificate_pem));
  // s_server picks a free port and names it in its first line.
  std::atomic<int> port = 0;
  std::atomic<bool> over = false;
  std::thread server([&] {
    sys::Command command;
    command.argv = {"/usr/bin/openssl",
                    "s_server",
                    "-accept",
                    "127.0.0.1:0",
                    "-www",
                    "-cert",
                    (scratch / "cert").string(),
                    "-key",
                    (scratch / "key").string(),
                    "-naccept",
                    "4"};
    command.deadline = 20s;
    command.on_output = [&](std::string_view text) {
      const auto at = text.find("ACCEPT 127.0.0.1:");
      if (at != text.npos) port = std::stoi(std::string(text.substr(at + 17)));
    };
    if (!sys::run(command)) over = true;
    over = true;
  });
  while (port == 0 && !over) std::this_thread::yield();
  const std::string url = "https://localhost:" + std::to_string(port) + "/";
  const std::string by_address = "https://127.0.0.1:" + std::to_string(port) + "/";
  const auto good = client.send({.url = url, .ca_file = (scratch / "cert").string()});
  sys::HttpClient fresh;
  const auto wrong_ca = fresh.send({.url = url, .ca_file = (scratch / "other").string()});
  const auto system_ca = fresh.send({.url = url});
  const auto wrong_name = fresh.send({.url = by_address, .ca_file = (scratch / "cert").string()});
  server.join();
  LONGS_EQUAL(200, UNWRAP(good).status);
  CHECK_ERROR(Code::unavailable, "tls_failed", wrong_ca);
  CHECK_ERROR(Code::unavailable, "tls_failed", system_ca);
  CHECK_ERROR(Code::unavailable, "tls_failed", wrong_name);
}
