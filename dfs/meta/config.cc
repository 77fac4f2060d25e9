// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace dfs::meta {
namespace {

using base::Code;
using base::Error;
using base::Fields;
using base::Json;
using base::Result;

constexpr std::uint16_t kHttpPort = 7860;
constexpr std::uint16_t kClientPort = 7861;
constexpr std::uint16_t kPeerPort = 7862;
constexpr std::size_t kMembersMax = 7;
constexpr std::size_t kNameLengthMax = 32;

bool is_member_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameLengthMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

template <class Number>
void number(Fields& fields, std::string_view name, Number& out, std::int64_t min,
            std::int64_t max) {
  auto value = static_cast<std::int64_t>(out);
  fields.optional(name, value, {.min = min, .max = max});
  out = static_cast<Number>(value);
}

void period(Fields& fields, std::string_view name, base::Duration& out,
            std::chrono::milliseconds unit, std::int64_t min, std::int64_t max) {
  std::int64_t value = std::chrono::duration_cast<std::chrono::milliseconds>(out) / unit;
  fields.optional(name, value, {.min = min, .max = max});
  out = value * unit;
}

Result<MemberConfig> read_member(const Json& json, const std::string& pointer) {
  MemberConfig member;
  member.clients.port = kClientPort;
  member.peers.port = kPeerPort;
  Fields fields(json, pointer);
  fields.required("name", member.name);
  if (!is_member_name(member.name)) fields.reject("name", "1 to 32 of a-z, 0-9 and -");
  fields.required("address", member.clients.host, {.length_min = 1, .length_max = 64});
  member.peers.host = member.clients.host;
  number(fields, "port", member.clients.port, 1, 65535);
  number(fields, "peer_port", member.peers.port, 1, 65535);
  TRY(fields.finish(base::UnknownFields::refuse));
  return member;
}

std::vector<rest::ListenerOptions> default_listeners() {
  return {{.unix_path = "/run/gestalt/dfs-meta.sock"}, {.address = "127.0.0.1", .port = kHttpPort}};
}

}  // namespace

const MemberConfig& Config::self() const {
  return *std::find_if(members.begin(), members.end(),
                       [this](const MemberConfig& member) { return member.name == name; });
}

Result<Config> read_config(const Json& json) {
  Config config;
  Fields fields(json);
  fields.optional("name", config.name, {.length_min = 1, .length_max = kNameLengthMax});
  if (const Json* members = fields.find_array("members", kMembersMax)) {
    for (std::size_t i = 0; i < members->size(); ++i) {
      auto member = read_member((*members)[i], "/members/" + std::to_string(i));
      if (!member) {
        fields.reject(member.error());
        break;
      }
      for (const MemberConfig& other : config.members) {
        if (other.name == member->name)
          fields.reject("members", "two have the name " + member->name);
      }
      config.members.push_back(*std::move(member));
    }
  }
  if (config.members.empty())
    config.members = {{config.name, {"127.0.0.1", kClientPort}, {"127.0.0.1", kPeerPort}}};
  const auto is_self = [&](const MemberConfig& member) { return member.name == config.name; };
  if (std::none_of(config.members.begin(), config.members.end(), is_self))
    fields.reject("name", "is the name of none of the members");
  if (!is_member_name(config.name)) fields.reject("name", "1 to 32 of a-z, 0-9 and -");
  config.min_in_sync = config.members.size() / 2 + 1;
  number(fields, "min_in_sync", config.min_in_sync, 1,
         static_cast<std::int64_t>(config.members.size()));
  fields.optional("state_folder", config.state_folder, {.length_min = 1});
  fields.optional("coordination_folder", config.coordination_folder, {.length_min = 1});
  fields.optional("tokens_file", config.tokens_file, {.length_min = 1});
  number(fields, "map_bytes", config.map_bytes, 1 << 26, std::int64_t{1} << 42);
  number(fields, "journal_segment_bytes", config.journal_segment_bytes, 1 << 23,
         std::int64_t{1} << 30);
  number(fields, "journal_segments_max", config.journal_segments_max, 4, 1024);
  ServerOptions& server = config.server;
  using std::chrono::milliseconds;
  period(fields, "session_lease_ms", server.lease, milliseconds(1), 1000, 60'000);
  period(fields, "recall_seconds", server.recall_max, milliseconds(1000), 1, 600);
  number(fields, "leases_max", server.leases_max, 1000, 100'000'000);
  number(fields, "requests_max", server.requests_max, 1000, 10'000'000);
  number(fields, "storage_nodes_expected", server.storage_nodes_expected, 1, 1000);
  number(fields, "chunk_groups", server.groups, 1, 4096);
  number(fields, "copies", server.copies, 1, 5);
  period(fields, "storage_replace_after_seconds", server.storage_replace_after, milliseconds(1000),
         10, 30 * 24 * 3600);
  fields.find("listen");
  TRY(fields.finish(base::UnknownFields::refuse));
  server.endpoint = config.self().clients;
  config.listen = TRY(rest::read_listeners(json, "listen", default_listeners()));
  return config;
}

}  // namespace dfs::meta
