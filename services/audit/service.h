// SPDX-License-Identifier: Apache-2.0
// The audit service: keeps the records of every decision and mutation, and shows them.
//
// Configuration: {"file_bytes_max", "files_max"}. State: the files of log.h, the signing key
// `signing-key.pem` (0600, made at the first start) and `public-key.txt`.
// Threads: as Service.
#pragma once

#include <memory>

#include "services/audit/log.h"
#include "services/framework/service.h"

namespace services::audit {

class AuditService final : public Service {
 public:
  explicit AuditService(LogLimits limits) : limits_(limits) {}
  std::string_view name() const override { return "audit"; }
  std::string_view mount() const override { return "/audit"; }
  std::vector<store::Collection> collections() const override { return {}; }
  std::vector<Schema> schemas() const override;
  void actions(ActionTable& table) override;
  base::Result<void> start(Host& host) override;
  base::Json health() override;

  Log& log() { return *log_; }
  const std::string& public_key() const { return public_key_; }

 private:
  base::Result<sys::Ed25519Key> load_key(const std::string& folder);
  const LogLimits limits_;
  std::unique_ptr<Log> log_;
  std::string public_key_;  // base64url
};

base::Result<std::unique_ptr<Service>> make_audit(const base::Json& config);

}  // namespace services::audit
