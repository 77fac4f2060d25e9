// SPDX-License-Identifier: Apache-2.0
#include "services/audit/log.h"

#include <CppUTest/TestHarness.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/sys/posix_disk.h"
#include "services/audit/api/chain.h"
#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

namespace {

using namespace services;
using audit::Log;
using audit::Verifier;
using base::Json;

TEST_GROUP(AuditLog) {
  TempFolder folder;
  std::string pem;
  std::string public_key;
  void setup() override {
    auto key = sys::Ed25519Key::generate();
    CHECK_OK(key);
    pem = std::string(key->private_pem()->reveal());
    public_key = *key->public_raw();
  }
  std::unique_ptr<Log> open(audit::LogLimits limits = {}) {
    auto disk = sys::open_posix_disk(folder.path());
    CHECK_OK(disk);
    auto key = sys::Ed25519Key::from_private_pem(pem);
    CHECK_OK(key);
    auto log = Log::open(*std::move(disk), *std::move(key), base::system_clock(), limits);
    CHECK_OK(log);
    return *std::move(log);
  }
  static AuditSink::Entry entry(std::uint64_t sequence) {
    return {sequence, Json{{"action", "x"}, {"sequence", sequence}}.dump()};
  }
  static void append(Log & log, std::uint64_t sequence) {
    const AuditSink::Entry one = entry(sequence);
    CHECK_OK(log.append(std::span(&one, 1)));
  }
  std::vector<std::filesystem::path> files() {
    std::vector<std::filesystem::path> found;
    for (const auto& each : std::filesystem::directory_iterator(folder.path())) {
      found.push_back(each.path());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  std::vector<std::string> lines() {
    std::vector<std::string> all;
    for (const auto& path : files()) {
      std::ifstream in(path);
      for (std::string line; std::getline(in, line);) all.push_back(line);
    }
    return all;
  }
  base::Result<void> verify(const std::vector<std::string>& all, Verifier& verifier) {
    for (const std::string& line : all) TRY(verifier.take(line));
    return {};
  }
};

TEST(AuditLog, what_was_appended_is_a_signed_chain) {
  {
    const auto log = open();
    for (std::uint64_t i = 1; i <= 10; ++i) append(*log, i * 3);
  }
  Verifier verifier(public_key);
  CHECK_OK(verify(lines(), verifier));
  CHECK_EQUAL(10U, verifier.records());
  CHECK_EQUAL(10U, verifier.signed_through());
}

TEST(AuditLog, what_it_has_already_is_skipped_also_after_a_restart) {
  {
    const auto log = open();
    append(*log, 5);
    append(*log, 5);
  }
  const auto log = open();
  append(*log, 4);
  append(*log, 6);
  CHECK_EQUAL(2U, log->head().n);
}

TEST(AuditLog, a_line_that_a_crash_cut_short_goes_and_the_chain_goes_on) {
  {
    const auto log = open();
    append(*log, 1);
  }
  std::ofstream(files().at(0), std::ios::app) << R"({"hash":"12)";
  {
    const auto log = open();
    append(*log, 2);
  }
  Verifier verifier(public_key);
  CHECK_OK(verify(lines(), verifier));
  CHECK_EQUAL(2U, verifier.records());
}

TEST(AuditLog, any_change_of_any_line_is_found) {
  {
    const auto log = open();
    for (std::uint64_t i = 1; i <= 4; ++i) append(*log, i);
  }
  const std::vector<std::string> good = lines();
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char* what : {"change", "remove", "swap"}) {
      std::vector<std::string> bad = good;
      if (std::string(what) == "change") {
        char& c = bad[i][bad[i].size() / 2];
        c = c == '1' ? '2' : '1';
      } else if (std::string(what) == "remove") {
        if (i + 2 >= good.size() || Json::parse(good[i]).contains("checkpoint")) continue;
        bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(i));
        if (i == 0) continue;  // older files may have been removed
      } else {
        if (i + 1 >= good.size()) continue;
        std::swap(bad[i], bad[i + 1]);
      }
      Verifier verifier(public_key);
      const auto outcome = verify(bad, verifier);
      if (outcome && i > 0) FAIL("a changed log was taken for good");
    }
  }
}

TEST(AuditLog, files_are_rotated_and_the_oldest_go) {
  const auto log = open({.file_bytes_max = 1000, .files_max = 3});
  for (std::uint64_t i = 1; i <= 50; ++i) append(*log, i);
  CHECK(files().size() <= 3);
  Verifier verifier(public_key);
  CHECK_OK(verify(lines(), verifier));
  CHECK(verifier.first() > 1);
  CHECK_EQUAL(50U, verifier.head().n);
  std::vector<std::uint64_t> seen;
  CHECK_OK(log->scan(1 << 20, [&](const Json& line) {
    seen.push_back(line["n"]);
    return seen.size() < 3;
  }));
  CHECK(seen == (std::vector<std::uint64_t>{50, 49, 48}));
}

}  // namespace
