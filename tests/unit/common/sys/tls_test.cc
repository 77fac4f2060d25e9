// SPDX-License-Identifier: Apache-2.0
#include "common/sys/tls.h"

#include "common/sys/files.h"
#include "common/sys/process.h"
#include "tests/support/check_result.h"
#include "tests/unit/common/sys/scratch.h"

using namespace std::chrono_literals;
using base::Code;

TEST_GROUP(Tls) {
  Scratch scratch;

  std::string openssl(std::vector<std::string> arguments) {
    sys::Command command;
    command.argv = {"/usr/bin/openssl"};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    return UNWRAP(sys::run_checked(command));
  }
};

TEST(Tls, sha256_agrees_with_the_published_vectors) {
  // FIPS 180-4 examples.
  STRCMP_EQUAL("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
               sys::sha256_hex("").c_str());
  STRCMP_EQUAL("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
               sys::sha256_hex("abc").c_str());
  LONGS_EQUAL(32, sys::sha256("abc").size());
}

TEST(Tls, a_self_signed_certificate_verifies_for_its_names_and_for_no_other) {
  const auto pair = UNWRAP(
      sys::make_self_signed("node-1", {"node-1", "n.example", "10.0.0.1", "::1"}, 24h * 365 * 10));
  const std::string file = (scratch / "c.pem").string();
  CHECK_OK(sys::write_file_durably(file, pair.certificate_pem));
  const std::string trust = "-CAfile";
  for (const char* host : {"node-1", "n.example"}) {
    openssl({"verify", trust, file, "-purpose", "sslserver", "-verify_hostname", host, file});
  }
  for (const char* address : {"10.0.0.1", "::1"}) {
    openssl({"verify", trust, file, "-purpose", "sslserver", "-verify_ip", address, file});
  }
  sys::Command other;
  other.argv = {"/usr/bin/openssl", "verify", trust, file, "-verify_hostname", "other", file};
  CHECK_ERROR(Code::internal, "command_failed", sys::run_checked(other));
  other.argv = {"/usr/bin/openssl", "verify", trust, file, "-purpose", "sslclient", file};
  CHECK_ERROR(Code::internal, "command_failed", sys::run_checked(other));
  STRCMP_EQUAL("Certificate will not expire\n",
               openssl({"x509", "-noout", "-checkend", "315000000", "-in", file}).c_str());
}

TEST(Tls, the_key_is_pkcs8_and_belongs_to_the_certificate) {
  const auto pair = UNWRAP(sys::make_self_signed("a", {}, 1h));
  CHECK_TRUE(pair.key_pem.reveal().starts_with("-----BEGIN PRIVATE KEY-----\n"));
  CHECK_OK(sys::write_file_durably(scratch / "k.pem", pair.key_pem.reveal(), 0600));
  CHECK_OK(sys::write_file_durably(scratch / "c.pem", pair.certificate_pem));
  STRCMP_EQUAL(openssl({"pkey", "-pubout", "-in", (scratch / "k.pem").string()}).c_str(),
               openssl({"x509", "-pubkey", "-noout", "-in", (scratch / "c.pem").string()}).c_str());
}

TEST(Tls, a_servers_file_is_brought_into_order_or_refused) {
  const auto pair =
      UNWRAP(sys::make_self_signed("a", {"A.example", "*.b.example", "10.0.0.1"}, 50h));
  const std::string key(pair.key_pem.reveal());
  const auto read =
      UNWRAP(sys::read_server_certificate("x\n\n" + key + "\n\n" + pair.certificate_pem));
  STRCMP_EQUAL((pair.certificate_pem + key).c_str(), std::string(read.pem.reveal()).c_str());
  CHECK_EQUAL(2, read.names.size());
  STRCMP_EQUAL("a.example", read.names[0].c_str());
  CHECK_TRUE(read.left > 49h && read.left <= 50h);
  CHECK_OK(sys::write_file_durably(scratch / "c.pem", pair.certificate_pem));
  std::string digest =
      openssl({"x509", "-noout", "-fingerprint", "-in", (scratch / "c.pem").string()});
  std::erase(digest, ':');
  CHECK_TRUE(digest.find(read.sha1) != std::string::npos);
  const auto other = UNWRAP(sys::make_self_signed("a", {}, 1h));
  const std::string broken = pair.certificate_pem + key + pair.certificate_pem.substr(0, 200) +
                             "!\n-----END CERTIFICATE-----\n";
  for (const std::string& text : {std::string(), std::string("x"), key, pair.certificate_pem,
                                  other.certificate_pem + key, broken}) {
    CHECK_ERROR(Code::invalid_argument, "certificate_unusable", sys::read_server_certificate(text));
  }
}

TEST(Tls, names_that_no_certificate_can_carry_are_refused) {
  const std::vector<std::string> bad = {
      "", "a b", "a,DNS:evil", std::string("a\0b", 3), std::string(254, 'a'), "1.2.3.4/24"};
  for (const std::string& name : bad) {
    CHECK_ERROR(Code::invalid_argument, "certificate_name_invalid",
                sys::make_self_signed("a", {name}, 1h));
  }
  CHECK_ERROR(Code::invalid_argument, "certificate_name_invalid",
              sys::make_self_signed("", {}, 1h));
  CHECK_ERROR(Code::invalid_argument, "certificate_name_invalid",
              sys::make_self_signed(std::string(65, 'a'), {}, 1h));
}
