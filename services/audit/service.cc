// SPDX-License-Identifier: Apache-2.0
#include "services/audit/service.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/sys/files.h"
#include "common/sys/posix_disk.h"
#include "services/framework/host.h"

namespace services::audit {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::uint64_t kScanBytesMax = 256 << 20;

struct Filter {
  std::string since, until;  // RFC 3339, compared as text
  std::vector<std::pair<const char*, std::string>> equal;
  std::set<std::string, std::less<>> orgs;  // empty: all
  std::uint64_t before = UINT64_MAX;        // only records with a smaller n
  std::size_t limit = 100;
};

bool passes(const Filter& filter, const Json& line) {
  const Json& record = line["record"];
  const std::string time = record.value("time", "");
  if (!filter.since.empty() && time < filter.since) return false;
  if (!filter.until.empty() && time >= filter.until) return false;
  if (line.value("n", std::uint64_t{0}) >= filter.before) return false;
  if (!filter.orgs.empty() && !filter.orgs.contains(record.value("org", ""))) return false;
  for (const auto& [name, wanted] : filter.equal) {
    if (record.value(name, "") != wanted) return false;
  }
  return true;
}

Result<Filter> read_filter(const Call& call) {
  Filter filter;
  filter.since = call.query("since").value_or("");
  filter.until = call.query("until").value_or("");
  for (const char* name : {"action", "account", "outcome", "service", "resource", "request"}) {
    if (auto wanted = call.query(name)) filter.equal.emplace_back(name, *wanted);
  }
  filter.limit = static_cast<std::size_t>(TRY(call.request().query_int("limit", 100, 1, 1000)));
  filter.before =
      static_cast<std::uint64_t>(TRY(call.request().query_int("before", INT64_MAX, 1, INT64_MAX)));
  return filter;
}

// An organisation's records; the root's are everybody's.
Result<Reply> list_records(AuditService& audit, Call& call) {
  Filter filter = TRY(read_filter(call));
  if (call.org().fqon != "root") filter.orgs.insert(call.org().id);
  Json records = Json::array();
  std::uint64_t next = 0;
  const bool complete = TRY(audit.log().scan(kScanBytesMax, [&](const Json& line) {
    if (!filter.since.empty() && line["record"].value("time", "") < filter.since) return false;
    if (!passes(filter, line)) return true;
    records.push_back(line);
    next = line["n"];
    return records.size() < filter.limit;
  }));
  Json reply = {{"records", std::move(records)}};
  if (!complete && next != 0) reply["next"] = next;
  return Reply::json(reply);
}

Result<Reply> show_head(AuditService& audit, Call&) {
  const Head head = audit.log().head();
  return Reply::json(Json{{"n", head.n}, {"hash", head.hash}, {"public_key", audit.public_key()}});
}

constexpr std::string_view kRecords = R"({"$ref":"#/components/schemas/AuditRecords"})";
constexpr std::string_view kHead = R"({"type":"object","required":["n","hash","public_key"],
  "additionalProperties":false,"properties":{"n":{"type":"integer"},"hash":{"type":"string"},"public_key":{"type":"string"}}})";

constexpr Action<AuditService> kActions[] = {
    {rest::Method::get,
     "/orgs/{org}/records",
     "audit.list",
     right("readAudit"),
     Kind::query,
     list_records,
     "Audit records of an organisation, newest first",
     {.flags = kOnWorker, .reply = kRecords}},
    {rest::Method::get,
     "/head",
     "audit.head",
     authenticated(),
     Kind::query,
     show_head,
     "The newest record's number and hash, and the key that signs checkpoints",
     {.reply = kHead}},
};

}  // namespace

std::vector<Schema> AuditService::schemas() const {
  return {{"AuditRecords", R"({"type":"object","required":["records"],
    "additionalProperties":false,"properties":{"next":{"type":"integer"},"records":{"type":"array","items":{"type":"object",
    "required":["n","prev","hash","sequence","record"],"properties":{"n":{"type":"integer"},
    "prev":{"type":"string"},"hash":{"type":"string"},"sequence":{"type":"integer"},
    "record":{"type":"object"}}}}}})"}};
}

void AuditService::actions(ActionTable& table) { table.add(kActions, *this); }

Result<sys::Ed25519Key> AuditService::load_key(const std::string& folder) {
  const std::string path = folder + "/signing-key.pem";
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) {
    std::ifstream in(path);
    const base::Secret pem(std::string(std::istreambuf_iterator<char>(in), {}));
    return sys::Ed25519Key::from_private_pem(pem.reveal());
  }
  sys::Ed25519Key key = TRY(sys::Ed25519Key::generate());
  const base::Secret pem = TRY(key.private_pem());
  TRY(sys::write_file_durably(path, pem.reveal(), 0600));
  return key;
}

Result<void> AuditService::start(Host& host) {
  const std::string folder = host.state_folder("audit");
  sys::Ed25519Key key = TRY(load_key(folder));
  public_key_ = base::to_base64url(TRY(key.public_raw()));
  TRY(sys::write_file_durably(folder + "/public-key.txt", public_key_ + "\n", 0644));
  auto disk = TRY(sys::open_posix_disk(folder));
  log_ = TRY(Log::open(std::move(disk), std::move(key), host.clock(), limits_));
  host.provide(*log_);
  return {};
}

Json AuditService::health() { return Json{{"status", "ok"}, {"records", log_->head().n}}; }

Result<std::unique_ptr<Service>> make_audit(const Json& config) {
  std::int64_t bytes = 8 << 20;
  std::int64_t files = 512;
  base::Fields fields(config);
  fields.optional("file_bytes_max", bytes, {.min = 1 << 16, .max = std::int64_t{1} << 32});
  fields.optional("files_max", files, {.min = 2, .max = 100'000});
  TRY(fields.finish(base::UnknownFields::refuse));
  return std::unique_ptr<Service>(std::make_unique<AuditService>(
      LogLimits{static_cast<std::uint64_t>(bytes), static_cast<std::size_t>(files)}));
}

}  // namespace services::audit
