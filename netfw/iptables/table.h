// SPDX-License-Identifier: GPL-2.0-only
// The filter table of one family through libiptc, with own and foreign rules told apart.
//
// Part of the helper gestalt-netfw-iptc.
// 1. Own is what stands in chains whose name starts with kOwnPrefix, and jumps to them from the
// built-in chains. All else is foreign and never changed.
// 2. libiptc replaces the whole table: the caller holds the xtables lock from open to commit.
// Source: libiptc/libiptc.h, libip6tc.h of iptables 1.8.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

struct xtc_handle;

namespace netfw::iptc {

inline constexpr char kOwnPrefix[] = "GESTALT-";

struct OwnChain {
  const char* name;     // "GESTALT-IN"
  const char* builtin;  // "INPUT"
  std::vector<std::vector<char>> entries;
};

class Table {
 public:
  // 0, or an errno (ENOENT: the kernel has no such table).
  static int open(int family, std::unique_ptr<Table>& out);
  virtual ~Table() = default;
  // Rules of all chains that are not ours, as text that is equal when they are.
  virtual std::string foreign() const = 0;
  virtual unsigned foreign_rules() const = 0;
  // Whether the chain has exactly these entries and is the first rule of its built-in chain, once.
  virtual bool matches(const OwnChain& chain) const = 0;
  virtual bool has_own() const = 0;
  // Change the copy in memory. 0, or an errno.
  virtual int replace(const OwnChain& chain) = 0;
  virtual int remove_own() = 0;
  virtual int commit() = 0;
};

}  // namespace netfw::iptc
