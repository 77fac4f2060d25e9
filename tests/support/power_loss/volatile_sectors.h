// SPDX-License-Identifier: Apache-2.0
// What a disk does with what was not flushed when its power fails. Used by the power-loss disk and
// by the simulator's disk.
//
// 1. A sector of 512 bytes is written whole or not at all; anything larger can tear.
// 2. After flush() everything written before is durable.
// 3. At a cut, each sector that was written since the last flush holds what it durably held, or
// any one of the versions written since, independently of all others.
// Threads: one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <span>
#include <string_view>
#include <vector>

namespace power_loss {

inline constexpr std::size_t kSectorBytes = 512;

struct CutReport {
  std::size_t unflushed = 0;  // sectors
  std::size_t survived = 0;
};

class VolatileSectors {
 public:
  // `durable` is what survives. Requires: it is whole sectors, and outlives this object.
  explicit VolatileSectors(std::span<char> durable) : durable_(durable) {}
  // The durable part has moved or grown; its content is the same, followed by new bytes.
  void rebind(std::span<char> durable) { durable_ = durable; }

  std::size_t size() const { return durable_.size(); }
  // Requires of both: within the size. A part of a sector is read, changed and written.
  void read(std::size_t offset, std::span<char> out) const;
  void write(std::size_t offset, std::string_view bytes);
  void flush();
  // The power fails. `random` decides what survives.
  CutReport cut(std::mt19937_64& random);
  // The power fails while this write is under way: any of its sectors may have been written.
  CutReport cut_during(std::size_t offset, std::string_view bytes, std::mt19937_64& random);

 private:
  using Sector = std::array<char, kSectorBytes>;
  void read_sector(std::size_t number, Sector& out) const;
  void write_durably(std::size_t number, const Sector& content);
  template <class Action>
  void for_each_part(std::size_t offset, std::size_t size, const Action& action) const;

  std::span<char> durable_;
  std::map<std::size_t, std::vector<Sector>> unflushed_;  // versions, oldest first
};

}  // namespace power_loss
