// SPDX-License-Identifier: Apache-2.0
// Operations on attributes and xattrs.
#include <sys/xattr.h>

#include <algorithm>

#include "dfs/api/limits.h"
#include "dfs/client/acl.h"
#include "dfs/client/client_run.h"

namespace dfs::client {

using base::Result;

namespace {

constexpr std::size_t kXattrBytesMax = std::size_t{128} << 10;  // of one inode

std::vector<Xattr>::iterator find_xattr(std::vector<Xattr>& xattrs, std::string_view name) {
  return std::find_if(xattrs.begin(), xattrs.end(),
                      [name](const Xattr& xattr) { return xattr.name == name; });
}

// errno of a name that is in none of Linux's name spaces, or 0.
int check_namespace(std::string_view name) {
  if (name == kAccessAcl || name == kDefaultAcl) return 0;
  for (const std::string_view space : {"user.", "trusted.", "security."})
    if (name.starts_with(space)) return name.size() == space.size() ? EINVAL : 0;
  return name.empty() ? ERANGE : EOPNOTSUPP;
}

// errno of setxattr(2), or 0.
int check_xattr(std::vector<Xattr>& xattrs, std::string_view name, std::string_view value,
                int flags) {
  if (name.size() > kXattrNameMax) return ERANGE;
  if (const int wrong = check_namespace(name); wrong != 0) return wrong;
  if (value.size() > kXattrValueMax) return E2BIG;
  const bool is_there = find_xattr(xattrs, name) != xattrs.end();
  if ((flags & XATTR_CREATE) != 0 && is_there) return EEXIST;
  if ((flags & XATTR_REPLACE) != 0 && !is_there) return ENODATA;
  std::size_t bytes = name.size() + value.size();
  for (const Xattr& xattr : xattrs)
    if (xattr.name != name) bytes += xattr.name.size() + xattr.value.size();
  return bytes > kXattrBytesMax || (!is_there && xattrs.size() >= kXattrsMax) ? ENOSPC : 0;
}

void put_xattr(std::vector<Xattr>& xattrs, std::string_view name, std::string_view value) {
  const auto found = find_xattr(xattrs, name);
  if (found == xattrs.end()) {
    xattrs.push_back({std::string(name), std::string(value)});
  } else {
    found->value = value;
  }
}

}  // namespace

void Client::get(InodeNumber number, Done<Found> done) {
  run<Found>(std::move(done), [this, number]() -> Attempt<Found> {
    Inode* inode = nullptr;
    NEED(want_inode(number, Lease::read, inode));
    return Result<Found>(found_of(*inode, nullptr));
  });
}

std::optional<Need> Client::want_cut(Inode& inode, std::uint64_t size) {
  if (size >= inode.record.attributes.size || !FileData::needs_settling(inode)) return std::nullopt;
  Need need{Need::What::other, inode.number};
  need.begin = [this, position = inode.last_position](Done<Nothing> done) {
    log_.flush(position, std::move(done));
  };
  return need;
}

void Client::resize(Inode& inode, std::uint64_t size, TimeNs time) {
  SetAttributesOp op;
  op.inode = inode.number;
  op.size = size;
  op.modified = op.changed = time;
  // Sealed by this with the size it had until now.
  const Position position = log_.append(op, {&inode});
  data_.cut(inode, size, time);
  data_.cut_logged(inode, position);
}

Attempt<Found> Client::change_step(InodeNumber number, const Change& change) {
  if (is_read_only()) return Result<Found>(posix_error(EROFS));
  if (change.size && *change.size > kObjectMax) return Result<Found>(posix_error(EFBIG));
  Inode* inode = nullptr;
  NEED(want_inode(number, Lease::write, inode, Rest::include));
  Attributes& attributes = inode->record.attributes;
  if (change.size) {
    if (inode->is_folder()) return Result<Found>(posix_error(EISDIR));
    NEED(want_place(*inode, *change.size));
    NEED(want_own(*inode, *change.size));
    NEED(want_cut(*inode, *change.size));
  }
  NEED(want_log_room());
  const TimeNs time = now();
  if (change.size && *change.size > attributes.size) {
    const Result<void> grown = data_.grow(*inode, *change.size, time);
    if (!grown) return Result<Found>(grown.error());
  } else if (change.size && *change.size < attributes.size) {
    resize(*inode, *change.size, time);
  }
  SetAttributesOp op;
  op.inode = number;
  op.mode = change.mode;
  op.uid = change.uid;
  op.gid = change.gid;
  op.accessed = change.accessed_now ? time : change.accessed;
  op.modified = change.modified_now ? time : change.modified;
  op.changed = time;
  if (change.size && !op.modified) op.modified = time;
  if (op.mode) *op.mode &= 07777;
  if (op.mode && inode->record.xattrs.size() > 0) {
    const auto found = find_xattr(inode->record.xattrs, kAccessAcl);
    std::optional<Acl> acl;
    if (found != inode->record.xattrs.end()) acl = parse_acl(found->value);
    if (acl) {
      chmod_acl(*acl, *op.mode);
      found->value = format_acl(*acl);
      log_.append(SetXattrOp{number, found->name, found->value, 0, time}, {inode});
    }
  }
  log_.append(op, {inode});
  if (op.mode) attributes.mode = *op.mode;
  if (op.uid) attributes.uid = *op.uid;
  if (op.gid) attributes.gid = *op.gid;
  if (op.accessed) attributes.accessed = *op.accessed;
  if (op.modified) attributes.modified = *op.modified;
  attributes.changed = time;
  ++attributes.version;
  return Result<Found>(found_of(*inode, nullptr));
}

void Client::change(InodeNumber inode, Change wanted, Done<Found> done) {
  run_change<Found>(std::move(done), [this, inode, wanted] { return change_step(inode, wanted); });
}

void Client::get_xattr(InodeNumber number, std::string name, Done<std::string> done) {
  if (const int wrong = check_namespace(name); wrong != 0) return done(posix_error(wrong));
  run<std::string>(std::move(done),
                   [this, number, name = std::move(name)]() -> Attempt<std::string> {
                     Inode* inode = nullptr;
                     NEED(want_inode(number, Lease::read, inode, Rest::include));
                     const auto found = find_xattr(inode->record.xattrs, name);
                     if (found == inode->record.xattrs.end())
                       return Result<std::string>(posix_error(ENODATA));
                     return Result<std::string>(found->value);
                   });
}

void Client::list_xattrs(InodeNumber number, Done<std::vector<std::string>> done) {
  using List = std::vector<std::string>;
  run<List>(std::move(done), [this, number]() -> Attempt<List> {
    Inode* inode = nullptr;
    NEED(want_inode(number, Lease::read, inode, Rest::include));
    List names;
    for (const Xattr& xattr : inode->record.xattrs) names.push_back(xattr.name);
    return Result<List>(std::move(names));
  });
}

void Client::set_xattr(InodeNumber number, std::string name, std::string value, int flags,
                       Done<Nothing> done) {
  if (name == kAccessAcl || name == kDefaultAcl) {
    if (value.empty()) {
      return remove_xattr(number, std::move(name),
                          [done = std::move(done)](const Result<Nothing>& removed) {
                            const bool was_none = !removed && removed.error().os_errno == ENODATA;
                            done(was_none ? Result<Nothing>(Nothing{}) : removed);
                          });
    }
    if (!parse_acl(value)) return done(posix_error(EINVAL));
  }
  run_change<Nothing>(
      std::move(done),
      [=, this, name = std::move(name), value = std::move(value)]() -> Attempt<Nothing> {
        if (is_read_only()) return Result<Nothing>(posix_error(EROFS));
        Inode* inode = nullptr;
        NEED(want_inode(number, Lease::write, inode, Rest::include));
        if (name == kDefaultAcl && !inode->is_folder()) return Result<Nothing>(posix_error(EACCES));
        std::vector<Xattr>& xattrs = inode->record.xattrs;
        if (const int number_of_error = check_xattr(xattrs, name, value, flags);
            number_of_error != 0)
          return Result<Nothing>(posix_error(number_of_error));
        NEED(want_log_room());
        const TimeNs time = now();
        Attributes& attributes = inode->record.attributes;
        bool is_stored = true;
        if (name == kAccessAcl) {
          const std::uint32_t mode = mode_of(*parse_acl(value), attributes.mode, is_stored);
          SetAttributesOp op;
          op.inode = number;
          op.mode = mode;
          op.changed = time;
          log_.append(op, {inode});
          attributes.mode = mode;
          // What the mode says alone is not kept.
          if (!is_stored) {
            const auto found = find_xattr(xattrs, name);
            if (found != xattrs.end()) {
              xattrs.erase(found);
              log_.append(RemoveXattrOp{number, name, time}, {inode});
            }
          }
        }
        if (is_stored) {
          put_xattr(xattrs, name, value);
          log_.append(SetXattrOp{number, name, value, 0, time}, {inode});
        }
        attributes.changed = time;
        ++attributes.version;
        return Result<Nothing>(Nothing{});
      });
}

void Client::remove_xattr(InodeNumber number, std::string name, Done<Nothing> done) {
  if (const int wrong = check_namespace(name); wrong != 0) return done(posix_error(wrong));
  run_change<Nothing>(std::move(done),
                      [this, number, name = std::move(name)]() -> Attempt<Nothing> {
                        if (is_read_only()) return Result<Nothing>(posix_error(EROFS));
                        Inode* inode = nullptr;
                        NEED(want_inode(number, Lease::write, inode, Rest::include));
                        std::vector<Xattr>& xattrs = inode->record.xattrs;
                        const auto found = find_xattr(xattrs, name);
                        if (found == xattrs.end()) return Result<Nothing>(posix_error(ENODATA));
                        NEED(want_log_room());
                        const TimeNs time = now();
                        xattrs.erase(found);
                        log_.append(RemoveXattrOp{number, name, time}, {inode});
                        inode->record.attributes.changed = time;
                        ++inode->record.attributes.version;
                        return Result<Nothing>(Nothing{});
                      });
}

}  // namespace dfs::client
