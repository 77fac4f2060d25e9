// SPDX-License-Identifier: Apache-2.0
#include "cli/audit_commands.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/base/config.h"
#include "common/base/text.h"
#include "services/audit/api/chain.h"

namespace cli {

namespace {

using base::Code;
using base::Error;
using base::Result;
using services::audit::Verifier;

constexpr std::size_t kKeyFileMax = 4096;

Result<std::vector<std::filesystem::path>> audit_files(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
  }
  if (failed) return base::os_error(failed.value(), "read " + folder);
  std::sort(files.begin(), files.end());
  return files;
}

Result<std::string> read_key(const AuditVerifyOptions& options) {
  std::string text = options.key;
  if (text.empty()) text = TRY(base::read_file(options.folder + "/public-key.txt", kKeyFileMax));
  return base::from_base64(base::trim(text));
}

Result<Verifier> verify_files(const AuditVerifyOptions& options) {
  Verifier verifier(TRY(read_key(options)));
  bool met = options.expected.empty();
  for (const std::filesystem::path& file : TRY(audit_files(options.folder))) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      const Result<void> good = verifier.take(line);
      if (!good) return base::prepend(file.filename().string(), good.error());
      const auto& head = verifier.head();
      met = met || options.expected == std::to_string(head.n) + ":" + head.hash;
    }
    if (in.bad()) return base::os_error(errno, "read " + file.string());
  }
  if (!met) {
    return Error{Code::corrupt, "the log has no record " + options.expected, "audit_chain_broken"};
  }
  return verifier;
}

}  // namespace

Status audit_verify(const Session& session, const AuditVerifyOptions& options) {
  const Result<Verifier> verified = verify_files(options);
  if (!verified) {
    session.err << "gestalt: " << verified.error().detail << "\n";
    return Status::failed;
  }
  if (session.json) {
    session.print_json({{"records", verified->records()},
                        {"first", verified->first()},
                        {"last", verified->head().n},
                        {"hash", verified->head().hash},
                        {"checkpoints", verified->checkpoints()},
                        {"signed_through", verified->signed_through()}});
    return Status::ok;
  }
  session.out << verified->records() << " records are whole, " << verified->first() << " to "
              << verified->head().n << ", signed through " << verified->signed_through()
              << "\nnote " << verified->head().n << ":" << verified->head().hash
              << " elsewhere to see later that nothing was cut off\n";
  return Status::ok;
}

}  // namespace cli
