// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/daemon/config.h"

#include <nlohmann/json.hpp>

#include "common/rest/daemon.h"

namespace dfs::storage {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::int64_t kPortMax = 65535;
constexpr std::int64_t kMiB = 1 << 20;

template <class Number>
void read_number(base::Fields& fields, std::string_view name, Number& out, std::int64_t min,
                 std::int64_t max) {
  auto value = static_cast<std::int64_t>(out);
  fields.optional(name, value, {.min = min, .max = max});
  out = static_cast<Number>(value);
}

void read_path(base::Fields& fields, std::string_view name, std::filesystem::path& out) {
  std::string text = out.string();
  fields.optional(name, text, {.length_max = 200});
  if (!text.empty() && text.front() != '/') fields.reject(name, "expected an absolute path");
  out = text;
}

}  // namespace

Result<base::Endpoint> parse_endpoint(const std::string& text) {
  const Error refused{Code::invalid_argument, "'" + text + "' is not ADDRESS:PORT",
                      "endpoint_invalid"};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return refused;
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  const std::string digits = text.substr(colon + 1);
  if (digits.empty() || digits.size() > 5 ||
      digits.find_first_not_of("0123456789") != std::string::npos)
    return refused;
  const unsigned long port = std::stoul(digits);
  if (port == 0 || port > kPortMax) return refused;
  return base::Endpoint{host, static_cast<std::uint16_t>(port)};
}

Result<DaemonConfig> read_daemon_config(const base::Json& json) {
  base::Fields fields(json);
  DaemonConfig out;
  read_path(fields, "tokens_file", out.tokens_file);
  read_path(fields, "folder", out.folder);
  read_path(fields, "device", out.device);
  fields.optional("cluster", out.cluster, {.length_min = 1, .length_max = 64});
  fields.optional("address", out.address, {.length_min = 2, .length_max = 45});
  read_number(fields, "device_bytes_min", out.device_bytes_min, 64 * kMiB, INT64_MAX);
  read_number(fields, "port", out.port, 1, kPortMax);
  read_number(fields, "min_in_sync", out.min_in_sync, 1, 8);
  read_number(fields, "reserve_bytes", out.reserve_bytes, 16 * kMiB, INT64_MAX);
  read_number(fields, "journal_segment_bytes", out.journal_segment_bytes, 16 * kMiB, 1024 * kMiB);
  read_number(fields, "journal_segments_max", out.journal_segments_max, 4, 1024);
  read_number(fields, "scrub_bytes_per_second", out.scrub_bytes_per_second, kMiB / 16,
              10'000 * kMiB);
  read_number(fields, "scrub_days", out.scrub_days, 1, 365);
  std::vector<std::string> metadata = {"127.0.0.1:7861"};
  fields.optional("metadata", metadata, 16, {.length_max = 64});
  if (metadata.empty()) fields.reject("metadata", "at least one metadata server is needed");
  for (const std::string& text : metadata) {
    const Result<base::Endpoint> endpoint = parse_endpoint(text);
    if (!endpoint) {
      fields.reject("metadata", endpoint.error().detail);
      break;
    }
    out.metadata.push_back(*endpoint);
  }
  fields.find("listen");
  TRY(fields.finish(base::UnknownFields::refuse));
  out.listen = TRY(rest::read_listeners(
      json, "listen",
      {{.unix_path = "/run/gestalt/dfs-storage.sock"}, {.address = "127.0.0.1", .port = 9095}}));
  return out;
}

}  // namespace dfs::storage
