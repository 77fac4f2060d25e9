// SPDX-License-Identifier: Apache-2.0
// POSIX access control lists as the kernel stores them in xattrs, and what they do to modes.
//
// Source: linux/posix_acl_xattr.h, fs/posix_acl.c, acl(5).
// Threads: stateless.
#pragma once

#include <optional>

#include "dfs/api/types.h"

namespace dfs::client {

inline constexpr std::string_view kAccessAcl = "system.posix_acl_access";
inline constexpr std::string_view kDefaultAcl = "system.posix_acl_default";

struct AclEntry {
  std::uint16_t tag = 0;
  std::uint16_t permissions = 0;
  std::uint32_t id = 0;
};
using Acl = std::vector<AclEntry>;

// nullopt: not an ACL.
std::optional<Acl> parse_acl(std::string_view value);
std::string format_acl(const Acl& acl);

// The permission bits of the mode that an access ACL stands for, and whether that is all it says.
std::uint32_t mode_of(const Acl& acl, std::uint32_t mode, bool& says_more);
// The ACL after a chmod.
void chmod_acl(Acl& acl, std::uint32_t mode);
// What a new inode gets from its folder's default ACL: `mode` is changed by it, `xattrs` take what
// is stored with the inode. False: the folder has none, and the umask applies.
bool inherit_acl(const std::vector<Xattr>& folder, FileKind kind, std::uint32_t& mode,
                 std::vector<Xattr>& xattrs);

}  // namespace dfs::client
