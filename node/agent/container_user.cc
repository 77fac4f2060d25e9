// SPDX-License-Identifier: Apache-2.0
#include "node/agent/container_user.h"

#include <optional>

#include "common/base/text.h"
#include "node/agent/beneath.h"

namespace node::agent {

namespace {

constexpr std::size_t kFileMax = 1 << 20;
constexpr std::int64_t kUidMax = 65535;  // what the user namespace maps

base::Error unknown(std::string_view kind, std::string_view text) {
  return {base::Code::not_found,
          "the image has no " + std::string(kind) + " '" + std::string(text) + "'", "user_unknown"};
}

std::optional<std::uint32_t> id_of(std::string_view text) {
  const auto number = base::parse_int(text, 0, kUidMax);
  if (!number) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

// The line whose field `column` is `text`, split at colons.
std::vector<std::string_view> find_line(std::string_view file, std::size_t column,
                                        std::string_view text, std::size_t fields_min) {
  for (const std::string_view line : base::split(file, '\n')) {
    auto fields = base::split(line, ':');
    if (fields.size() >= fields_min && fields[column] == text) return fields;
  }
  return {};
}

void add_groups(std::string_view group_file, std::string_view name, ContainerUser& out) {
  for (const std::string_view line : base::split(group_file, '\n')) {
    const auto fields = base::split(line, ':');
    if (fields.size() < 4) continue;
    const auto gid = id_of(fields[2]);
    for (const std::string_view member : base::split(fields[3], ',')) {
      if (member == name && gid && *gid != out.gid) out.groups.push_back(*gid);
    }
  }
}

}  // namespace

base::Result<ContainerUser> find_user(std::string_view text, std::string_view passwd,
                                      std::string_view group) {
  ContainerUser out;
  const std::size_t colon = text.find(':');
  const std::string_view user = text.substr(0, colon);
  const auto uid = user.empty() ? std::optional<std::uint32_t>(0) : id_of(user);
  const auto line =
      uid ? find_line(passwd, 2, std::to_string(*uid), 7) : find_line(passwd, 0, user, 7);
  if (!uid && line.empty()) return unknown("user", user);
  if (uid) out.uid = *uid;
  if (!line.empty()) {
    const auto line_uid = id_of(line[2]);
    const auto line_gid = id_of(line[3]);
    if (!line_uid || !line_gid) return unknown("user", user);
    out.uid = *line_uid;
    out.gid = *line_gid;
    if (line[5].starts_with('/')) out.home = line[5];
    add_groups(group, line[0], out);
  }
  if (colon == std::string_view::npos) return out;
  const std::string_view wanted = text.substr(colon + 1);
  out.groups.clear();
  if (const auto gid = id_of(wanted)) {
    out.gid = *gid;
    return out;
  }
  const auto group_line = find_line(group, 0, wanted, 3);
  const auto gid = group_line.empty() ? std::nullopt : id_of(group_line[2]);
  if (!gid) return unknown("group", wanted);
  out.gid = *gid;
  return out;
}

base::Result<ContainerUser> find_user_in(const std::filesystem::path& tree, std::string_view text) {
  const auto passwd = read_inside(tree, "etc/passwd", kFileMax, Inside::in_root);
  const auto group = read_inside(tree, "etc/group", kFileMax, Inside::in_root);
  return find_user(text, passwd ? *passwd : "", group ? *group : "");
}

}  // namespace node::agent
