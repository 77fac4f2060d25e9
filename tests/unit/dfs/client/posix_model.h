// SPDX-License-Identifier: Apache-2.0
// A file system in a few maps: what the answers must be.
//
// Threads: one.
#pragma once

#include <cerrno>
#include <map>
#include <memory>
#include <string>

#include "dfs/api/locks.h"

namespace dfs::client::testing {

struct ModelNode {
  bool is_folder = false;
  std::uint32_t mode = 0;
  std::uint32_t links = 1;
  std::string content;
  std::map<std::string, std::string> xattrs;
  std::map<std::string, std::shared_ptr<ModelNode>> names;
  LockList locks = {};  // the session is the number of the actor
};
using Node = std::shared_ptr<ModelNode>;

struct Model {
  Node root = std::make_shared<ModelNode>(ModelNode{true, 0755, 2, {}, {}, {}});

  static int create(const Node& folder, const std::string& name, bool is_folder) {
    if (folder->names.contains(name)) return EEXIST;
    auto node = std::make_shared<ModelNode>();
    node->is_folder = is_folder;
    node->links = is_folder ? 2 : 1;
    folder->names[name] = node;
    if (is_folder) ++folder->links;
    return 0;
  }
  static int remove(const Node& folder, const std::string& name, bool is_folder) {
    const auto found = folder->names.find(name);
    if (found == folder->names.end()) return ENOENT;
    const Node node = found->second;
    if (is_folder && !node->is_folder) return ENOTDIR;
    if (!is_folder && node->is_folder) return EISDIR;
    if (is_folder && !node->names.empty()) return ENOTEMPTY;
    folder->names.erase(found);
    node->links = is_folder ? 0 : node->links - 1;
    if (is_folder) --folder->links;
    return 0;
  }
  static int rename(const Node& from, const std::string& name, const Node& to,
                    const std::string& new_name) {
    const auto found = from->names.find(name);
    if (found == from->names.end()) return ENOENT;
    const Node node = found->second;
    const auto target = to->names.find(new_name);
    if (target != to->names.end()) {
      if (target->second == node) return 0;
      if (target->second->is_folder && !node->is_folder) return EISDIR;
      if (!target->second->is_folder && node->is_folder) return ENOTDIR;
      if (target->second->is_folder && !target->second->names.empty()) return ENOTEMPTY;
      if (target->second->is_folder) --to->links;
      target->second->links -= target->second->is_folder ? target->second->links : 1;
    }
    from->names.erase(name);
    to->names[new_name] = node;
    if (node->is_folder && from != to) {
      --from->links;
      ++to->links;
    }
    return 0;
  }
  static int link(const Node& node, const Node& folder, const std::string& name) {
    if (node->is_folder) return EPERM;
    if (folder->names.contains(name)) return EEXIST;
    folder->names[name] = node;
    ++node->links;
    return 0;
  }
};

}  // namespace dfs::client::testing
