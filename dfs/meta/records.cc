// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/records.h"

namespace dfs::meta {
namespace {

void append(std::string& key, std::uint64_t number, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    key += static_cast<char>(number >> shift);
}

std::string key_of(char kind, std::uint64_t number) {
  std::string key(1, kind);
  append(key, number, 8);
  return key;
}

std::string key_of(char kind, std::uint64_t first, std::uint64_t second) {
  std::string key = key_of(kind, first);
  append(key, second, 8);
  return key;
}

std::string key_of(char kind, std::uint64_t number, std::string_view name) {
  std::string key;
  key.reserve(9 + name.size());
  key += kind;
  append(key, number, 8);
  key += name;
  return key;
}

}  // namespace

std::string counters_key() { return "C"; }
std::string volume_key(VolumeNumber volume) { return key_of('v', volume); }
std::string inode_key(InodeNumber inode) { return key_of('i', inode); }
std::string content_key(InodeNumber inode) { return key_of('c', inode); }
std::string xattr_key(InodeNumber inode, std::string_view name) { return key_of('x', inode, name); }
std::string dentry_key(InodeNumber folder, std::string_view name) {
  return key_of('d', folder, name);
}
std::string orphan_key(InodeNumber inode) { return key_of('z', inode); }
std::string hold_key(InodeNumber inode, SessionNumber session) {
  return key_of('h', inode, session);
}
std::string session_hold_key(SessionNumber session, InodeNumber inode) {
  return key_of('H', session, inode);
}
std::string session_key(SessionNumber session) { return key_of('s', session); }
std::string reply_key(SessionNumber session) { return key_of('r', session); }
std::string locks_key(InodeNumber inode) { return key_of('l', inode); }
std::string session_lock_key(SessionNumber session, InodeNumber inode) {
  return key_of('L', session, inode);
}
std::string group_key(GroupNumber group) { return key_of('g', group); }
std::string storage_key(std::string_view node) { return "n" + std::string(node); }
std::string garbage_key(ObjectNumber object) { return key_of('o', object); }
std::string snapshot_key(VolumeNumber snapshot) { return key_of('p', snapshot); }
std::string taken_key(SessionNumber session, InodeNumber inode) {
  return key_of('k', session, inode);
}
std::string restored_key(VolumeNumber volume) { return key_of('R', volume); }
std::string version_key(std::string_view key, VolumeNumber snapshot) {
  std::string version;
  version.reserve(key.size() + 9);
  version += 'w';
  version += key;
  append(version, snapshot, 8);
  return version;
}
std::string version_index_key(VolumeNumber snapshot, std::string_view key) {
  return key_of('W', snapshot, key);
}

std::uint64_t number_in_key(std::string_view key, std::size_t offset) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i)
    number = number << 8 | static_cast<unsigned char>(key[offset + i]);
  return number;
}

}  // namespace dfs::meta
