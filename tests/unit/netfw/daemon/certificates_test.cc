// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/certificates.h"

#include <CppUTest/TestHarness.h>
#include <sys/stat.h>

#include <fstream>

#include "common/base/config.h"
#include "common/sys/tls.h"
#include "tests/support/check_result.h"
#include "tests/unit/netfw/haproxy_fixture.h"

using namespace netfw;
using namespace netfw_test;

// clang-format off
TEST_GROUP(Certificates) {
  TempFolder folder;
  LbSkeleton skeleton;
  std::unique_ptr<CertificateFolder> certificates;

  void setup() override {
    skeleton.certificate_folder = folder.path() / "served";
    std::filesystem::create_directory(folder.path() / "in");
    start();
  }
  void start() {
    certificates = std::make_unique<CertificateFolder>(folder.path() / "in", skeleton);
  }
  void put(const std::string& name, const std::string& text) {
    std::ofstream(folder.path() / "part") << text;
    std::filesystem::rename(folder.path() / "part", folder.path() / "in" / name);
  }
  static std::string pem(const std::string& host, std::chrono::hours lifetime = std::chrono::hours(99)) {
    const sys::KeyPair made = UNWRAP(sys::make_self_signed("x", {host}, lifetime));
    return "note\n\n" + std::string(made.key_pem.reveal()) + "\n\n" + made.certificate_pem;
  }
  bool refresh() { return UNWRAP(certificates->refresh()); }
  std::string served(const std::string& name) {
    return base::read_file(skeleton.certificate_folder / name).value_or("");
  }
};
// clang-format on

TEST(Certificates, without_files_the_node_has_one_of_its_own_and_keeps_it) {
  CHECK_TRUE(refresh());
  CHECK_FALSE(refresh());
  CHECK_EQUAL(1, certificates->set().size());
  CHECK_TRUE(certificates->names().empty());
  const std::string first = served("default.pem");
  CHECK_TRUE(first.starts_with("-----BEGIN CERTIFICATE"));
  start();
  CHECK_TRUE(refresh());
  STRCMP_EQUAL(first.c_str(), served("default.pem").c_str());
}

TEST(Certificates, files_come_change_and_go) {
  put("web;\nx y.pem", pem("web.demo"));
  put("default.pem", pem("*.demo"));
  put("notes.txt", pem("other.demo"));
  CHECK_TRUE(refresh());
  CHECK_TRUE(certificates->names() == (std::set<std::string>{"web.demo", "*.demo"}));
  const std::string name = certificate_file("web;\nx y.pem");
  const std::string first = served(name);
  CHECK_TRUE(first.find("\n\n") == std::string::npos);
  struct stat status = {};
  CHECK_EQUAL(0, stat((skeleton.certificate_folder / name).c_str(), &status));
  CHECK_EQUAL(0600, status.st_mode & 0777);
  STRCMP_EQUAL((skeleton.certificate_folder.string() + "/" + name + "\n").c_str(),
               served("certificates.list").c_str());
  put("web;\nx y.pem", pem("web.demo"));
  CHECK_TRUE(refresh());
  CHECK_FALSE(first == served(name));
  std::filesystem::remove(folder.path() / "in" / "web;\nx y.pem");
  CHECK_TRUE(refresh());
  STRCMP_EQUAL("", served(name).c_str());
  STRCMP_EQUAL("", served("certificates.list").c_str());
  // The operator's default is not taken for our own once it has gone.
  std::filesystem::remove(folder.path() / "in" / "default.pem");
  CHECK_TRUE(refresh());
  CHECK_TRUE(certificates->names().empty());
  CHECK_TRUE(UNWRAP(sys::read_server_certificate(served("default.pem"))).names.empty());
}

TEST(Certificates, what_cannot_be_used_leaves_what_was_there) {
  put("web.pem", pem("web.demo"));
  CHECK_TRUE(refresh());
  const std::string good = served(certificate_file("web.pem"));
  const std::string other = pem("web.demo");
  const std::string bad[] = {
      "",
      "rubbish",
      good.substr(0, good.find("-----BEGIN PRIVATE")),
      good.substr(good.find("-----BEGIN PRIVATE")),
      good.substr(0, good.find("-----BEGIN PRIVATE")) +
          other.substr(0, other.find("-----BEGIN CER")),
      good.substr(0, 100),
      pem("web.demo", std::chrono::hours(-1)),
      good + std::string(2 << 20, '\n'),
  };
  for (const std::string& text : bad) {
    put("web.pem", text);
    CHECK_FALSE(refresh());
    STRCMP_EQUAL(good.c_str(), served(certificate_file("web.pem")).c_str());
  }
  CHECK_TRUE(certificates->names().contains("web.demo"));
}
