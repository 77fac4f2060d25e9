// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>

#include "common/sys/http_client.h"
#include "common/sys/tls.h"
#include "tests/unit/common/rest/rig.h"

using namespace rest_test;

TEST_GROUP(ServerTls) {
  std::filesystem::path folder;

  void setup() override {
    char name[] = "/tmp/rest-tls-XXXXXX";
    CHECK_TRUE(::mkdtemp(name) != nullptr);
    folder = name;
  }
  void teardown() override { std::filesystem::remove_all(folder); }

  // NAME.crt and NAME.key; a certificate is its own authority.
  void make(const std::string& name) {
    const sys::KeyPair pair =
        UNWRAP(sys::make_self_signed(name, {"127.0.0.1"}, std::chrono::hours(1)));
    std::ofstream(folder / (name + ".crt"), std::ios::trunc) << pair.certificate_pem;
    std::ofstream(folder / (name + ".key"), std::ios::trunc) << pair.key_pem.reveal();
  }
  rest::ListenerOptions listener(const std::string& client_ca = "") {
    rest::ListenerOptions options;
    options.certificate_file = folder / "server.crt";
    options.key_file = folder / "server.key";
    if (!client_ca.empty()) options.client_ca_file = folder / (client_ca + ".crt");
    return options;
  }
  sys::HttpCall call(const Rig& rig, const std::string& client = "") {
    sys::HttpCall call;
    call.url = "https://127.0.0.1:" + std::to_string(rig.server->port()) + "/echo/1";
    call.bearer = base::Secret("all");
    call.ca_file = folder / "server.crt";
    if (!client.empty()) {
      call.client_cert_file = folder / (client + ".crt");
      call.client_key_file = folder / (client + ".key");
    }
    return call;
  }
  static int ask(const sys::HttpCall& call) {
    sys::HttpClient client;
    const auto reply = client.send(call);
    return reply ? reply->status : 0;
  }
};

TEST(ServerTls, requests_pass_through_tls_and_through_nothing_else) {
  make("server");
  make("other");
  Rig rig({}, {listener()});
  sys::HttpClient client;
  const sys::HttpReply reply = UNWRAP(client.send(call(rig)));
  STRCMP_EQUAL("/echo/1|token:all", reply.body.c_str());
  STRCMP_EQUAL("/echo/1|token:all", UNWRAP(client.send(call(rig))).body.c_str());
  sys::HttpCall wrong = call(rig);
  wrong.ca_file = folder / "other.crt";
  LONGS_EQUAL(0, ask(wrong));
  RawClient plain(rig.server->port());
  plain.send(get("/echo/1"));
  CHECK_TRUE(plain.receive_all().find("HTTP/1.1 200") == std::string::npos);
}

TEST(ServerTls, large_replies_and_workers_work_over_tls) {
  make("server");
  Rig rig({}, {listener()});
  sys::HttpCall big = call(rig);
  big.url = "https://127.0.0.1:" + std::to_string(rig.server->port()) + "/big";
  sys::HttpClient client;
  LONGS_EQUAL(8 << 20, UNWRAP(client.send(big)).body.size());
  sys::HttpCall slow = call(rig);
  slow.url = "https://127.0.0.1:" + std::to_string(rig.server->port()) + "/slow";
  slow.method = "POST";
  slow.body = std::string(5000, 'x');
  rig.gate.open();
  LONGS_EQUAL(5005, UNWRAP(client.send(slow)).body.size());
}

TEST(ServerTls, a_handshake_that_never_ends_is_cut) {
  make("server");
  Rig rig({.header_deadline = std::chrono::milliseconds(200)}, {listener()});
  RawClient silent(rig.server->port());
  CHECK_TRUE(silent.is_closed_by_server());
}

TEST(ServerTls, a_client_certificate_is_demanded_where_a_ca_is_configured) {
  for (const char* name : {"server", "member", "stranger"}) make(name);
  Rig rig({}, {listener("member")});
  LONGS_EQUAL(200, ask(call(rig, "member")));
  LONGS_EQUAL(0, ask(call(rig)));
  LONGS_EQUAL(0, ask(call(rig, "stranger")));
  LONGS_EQUAL(200, ask(call(rig, "member")));
}

TEST(ServerTls, new_connections_get_a_renewed_certificate_and_old_ones_go_on) {
  make("server");
  Rig rig({}, {listener()});
  sys::HttpClient old_client;
  sys::HttpCall old_call = call(rig);
  std::filesystem::copy_file(folder / "server.crt", folder / "old.crt");
  old_call.ca_file = folder / "old.crt";
  LONGS_EQUAL(200, UNWRAP(old_client.send(old_call)).status);

  make("server");
  rig.on_loop([&] { CHECK_OK(rig.server->reload({})); });
  LONGS_EQUAL(200, ask(call(rig)));
  LONGS_EQUAL(0, ask(old_call));
  LONGS_EQUAL(200, UNWRAP(old_client.send(old_call)).status);  // on its kept connection

  std::ofstream(folder / "server.crt", std::ios::trunc) << "not a certificate";
  rig.on_loop(
      [&] { CHECK_ERROR(base::Code::invalid_argument, "tls_invalid", rig.server->reload({})); });
  sys::HttpClient still;
  sys::HttpCall any = call(rig);
  any.ca_file = folder / "old.crt";
  LONGS_EQUAL(200, UNWRAP(old_client.send(old_call)).status);
}
