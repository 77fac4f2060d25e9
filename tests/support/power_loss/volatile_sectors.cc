// SPDX-License-Identifier: Apache-2.0
#include "tests/support/power_loss/volatile_sectors.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"

namespace power_loss {

// Calls action(sector number, offset within it, offset within the whole, size) per sector touched.
template <class Action>
void VolatileSectors::for_each_part(std::size_t offset, std::size_t size,
                                    const Action& action) const {
  CHECK_THAT(offset <= durable_.size() && size <= durable_.size() - offset);
  for (std::size_t done = 0; done < size;) {
    const std::size_t within = (offset + done) % kSectorBytes;
    const std::size_t part = std::min(kSectorBytes - within, size - done);
    action((offset + done) / kSectorBytes, within, done, part);
    done += part;
  }
}

void VolatileSectors::read_sector(std::size_t number, Sector& out) const {
  const auto found = unflushed_.find(number);
  if (found != unflushed_.end()) {
    out = found->second.back();
  } else {
    std::memcpy(out.data(), durable_.data() + number * kSectorBytes, kSectorBytes);
  }
}

void VolatileSectors::write_durably(std::size_t number, const Sector& content) {
  std::memcpy(durable_.data() + number * kSectorBytes, content.data(), kSectorBytes);
}

void VolatileSectors::read(std::size_t offset, std::span<char> out) const {
  for_each_part(offset, out.size(),
                [&](std::size_t number, std::size_t within, std::size_t done, std::size_t part) {
                  Sector sector;
                  read_sector(number, sector);
                  std::memcpy(out.data() + done, sector.data() + within, part);
                });
}

void VolatileSectors::write(std::size_t offset, std::string_view bytes) {
  for_each_part(offset, bytes.size(),
                [&](std::size_t number, std::size_t within, std::size_t done, std::size_t part) {
                  Sector sector;
                  read_sector(number, sector);
                  std::memcpy(sector.data() + within, bytes.data() + done, part);
                  unflushed_[number].push_back(sector);
                });
}

void VolatileSectors::flush() {
  for (const auto& [number, versions] : unflushed_) write_durably(number, versions.back());
  unflushed_.clear();
}

CutReport VolatileSectors::cut(std::mt19937_64& random) {
  CutReport report{unflushed_.size(), 0};
  // How much survives differs from cut to cut: a disk may have written nearly all or nearly none.
  const std::uint64_t percent = random() % 101;
  for (const auto& [number, versions] : unflushed_) {
    if (random() % 100 >= percent) continue;
    write_durably(number, versions[random() % versions.size()]);
    ++report.survived;
  }
  unflushed_.clear();
  return report;
}

CutReport VolatileSectors::cut_during(std::size_t offset, std::string_view bytes,
                                      std::mt19937_64& random) {
  write(offset, bytes);
  return cut(random);
}

}  // namespace power_loss
