// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/acl.h"

#include <algorithm>

namespace dfs::client {

namespace {

constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kHeaderBytes = 4;
constexpr std::size_t kEntryBytes = 8;
constexpr std::uint32_t kNoId = 0xffffffff;
enum Tag : std::uint16_t {
  user_owner = 0x01,
  user = 0x02,
  group_owner = 0x04,
  group = 0x08,
  mask = 0x10,
  other = 0x20
};

// Little-endian.
std::uint32_t number(std::string_view bytes, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = width; i-- > 0;)
    value = (value << 8) | static_cast<unsigned char>(bytes[at + i]);
  return value;
}
void put(std::string& out, std::uint32_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) out += static_cast<char>((value >> (8 * i)) & 0xff);
}

AclEntry* find(Acl& acl, Tag tag) {
  const auto found = std::find_if(acl.begin(), acl.end(),
                                  [tag](const AclEntry& entry) { return entry.tag == tag; });
  return found == acl.end() ? nullptr : &*found;
}

}  // namespace

std::optional<Acl> parse_acl(std::string_view value) {
  if (value.size() < kHeaderBytes || (value.size() - kHeaderBytes) % kEntryBytes != 0 ||
      number(value, 0, 4) != kVersion)
    return std::nullopt;
  Acl acl;
  for (std::size_t at = kHeaderBytes; at < value.size(); at += kEntryBytes) {
    const auto tag = static_cast<std::uint16_t>(number(value, at, 2));
    const auto permissions = static_cast<std::uint16_t>(number(value, at + 2, 2));
    if (permissions > 7 || tag == 0 || tag > other || (tag & (tag - 1)) != 0) return std::nullopt;
    acl.push_back({tag, permissions, number(value, at + 4, 4)});
  }
  return acl;
}

std::string format_acl(const Acl& acl) {
  std::string out;
  put(out, kVersion, 4);
  for (const AclEntry& entry : acl) {
    put(out, entry.tag, 2);
    put(out, entry.permissions, 2);
    put(out, entry.tag == user || entry.tag == group ? entry.id : kNoId, 4);
  }
  return out;
}

std::uint32_t mode_of(const Acl& acl, std::uint32_t mode, bool& says_more) {
  says_more = false;
  std::uint32_t bits = mode & ~0777U;
  std::optional<std::uint32_t> group_bits;
  for (const AclEntry& entry : acl) {
    switch (entry.tag) {
      case user_owner: bits |= static_cast<std::uint32_t>(entry.permissions) << 6; break;
      case group_owner:
        if (!group_bits) group_bits = entry.permissions;
        break;
      case mask:
        group_bits = entry.permissions;
        says_more = true;
        break;
      case other: bits |= entry.permissions; break;
      default: says_more = true;
    }
  }
  return bits | group_bits.value_or(0) << 3;
}

void chmod_acl(Acl& acl, std::uint32_t mode) {
  AclEntry* group_entry = find(acl, mask);
  if (group_entry == nullptr) group_entry = find(acl, group_owner);
  if (group_entry != nullptr)
    group_entry->permissions = static_cast<std::uint16_t>((mode >> 3) & 7);
  if (AclEntry* entry = find(acl, user_owner))
    entry->permissions = static_cast<std::uint16_t>((mode >> 6) & 7);
  if (AclEntry* entry = find(acl, other)) entry->permissions = static_cast<std::uint16_t>(mode & 7);
}

bool inherit_acl(const std::vector<Xattr>& folder, FileKind kind, std::uint32_t& mode,
                 std::vector<Xattr>& xattrs) {
  const auto found = std::find_if(folder.begin(), folder.end(),
                                  [](const Xattr& xattr) { return xattr.name == kDefaultAcl; });
  if (found == folder.end() || kind == FileKind::symlink) return false;
  std::optional<Acl> acl = parse_acl(found->value);
  if (!acl) return false;
  // As posix_acl_create_masq(): each class gets what both the ACL and the caller grant.
  AclEntry* group_entry = find(*acl, mask);
  if (group_entry == nullptr) group_entry = find(*acl, group_owner);
  const auto keep = [](AclEntry* entry, std::uint32_t bits) {
    if (entry != nullptr) entry->permissions &= static_cast<std::uint16_t>(bits & 7);
  };
  keep(find(*acl, user_owner), mode >> 6);
  keep(group_entry, mode >> 3);
  keep(find(*acl, other), mode);
  bool says_more = false;
  mode = mode_of(*acl, mode, says_more);
  if (says_more) xattrs.push_back({std::string(kAccessAcl), format_acl(*acl)});
  if (kind == FileKind::folder) xattrs.push_back(*found);
  return true;
}

}  // namespace dfs::client
