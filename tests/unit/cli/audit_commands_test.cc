// SPDX-License-Identifier: Apache-2.0
#include "cli/audit_commands.h"

#include <CppUTest/TestHarness.h>

#include <fstream>
#include <sstream>

#include "common/base/text.h"
#include "services/audit/api/chain.h"
#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

namespace {

using cli::AuditVerifyOptions;
using cli::Session;
using cli::Status;

TEST_GROUP(AuditVerify) {
  TempFolder folder;
  std::ostringstream out;
  std::ostringstream err;
  services::audit::Head head;

  void setup() override {
    const auto key = sys::Ed25519Key::generate();
    CHECK_OK(key);
    std::ofstream(folder / "public-key.txt") << base::to_base64url(*key->public_raw()) << "\n";
    for (const char* name : {"000000000001.jsonl", "000000000004.jsonl"}) {
      std::ofstream file(folder / name);
      for (int i = 0; i < 3; ++i) {
        file << services::audit::make_line(head, head.sequence + 1, R"({"action":"x"})");
      }
      file << *services::audit::make_checkpoint(head, *key, "k", "2026-01-31T08:00:00.000Z");
    }
  }
  Status verify(const std::string& expected = "") {
    const Session session{out, err};
    return cli::audit_verify(session, {.folder = folder.path().string(), .expected = expected});
  }
};

TEST(AuditVerify, a_whole_log_is_whole) {
  CHECK(verify() == Status::ok);
  CHECK(out.str().find("6 records are whole") != std::string::npos);
  CHECK(verify("6:" + head.hash) == Status::ok);
}

TEST(AuditVerify, a_changed_byte_a_lost_file_and_a_cut_end_are_found) {
  CHECK(verify("7:" + head.hash) == Status::failed);
  std::fstream file(folder / "000000000004.jsonl");
  file.seekp(10);
  file.put('x');
  file.close();
  CHECK(verify() == Status::failed);
  CHECK(err.str().find("000000000004.jsonl") != std::string::npos);
  std::filesystem::remove(folder / "000000000001.jsonl");
  CHECK(verify() == Status::failed);
}

}  // namespace
