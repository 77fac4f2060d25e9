// SPDX-License-Identifier: Apache-2.0
// Binary records: numbers and texts in a fixed byte order, and an envelope with a checksum.
//
// 1. Numbers are big-endian, so that unsigned ones sort like the numbers; texts are led by their
// length in four bytes.
// 2. A reader never reads beyond its input: whatever the bytes are, the answer is a value or an
// error.
// Threads: any; an object stays on one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace base {

class ByteWriter {
 public:
  ByteWriter& u8(std::uint8_t value) { return number(value, 1); }
  ByteWriter& u32(std::uint32_t value) { return number(value, 4); }
  ByteWriter& u64(std::uint64_t value) { return number(value, 8); }
  ByteWriter& i64(std::int64_t value) { return number(static_cast<std::uint64_t>(value), 8); }
  // Requires: shorter than 4 GiB.
  ByteWriter& text(std::string_view value);
  ByteWriter& raw(std::string_view value) {
    bytes_ += value;
    return *this;
  }
  // Room for this many bytes in all, so that large texts are not moved while it grows.
  void reserve(std::size_t size) { bytes_.reserve(size); }
  const std::string& bytes() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  ByteWriter& number(std::uint64_t value, int width);
  std::string bytes_;
};

// The views it returns live as long as the input. Errors of all: corrupt bytes_truncated.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : left_(bytes) {}
  Result<std::uint8_t> u8();
  Result<std::uint32_t> u32();
  Result<std::uint64_t> u64();
  Result<std::int64_t> i64();
  Result<std::string_view> text();
  // All that is left, without an end check.
  std::string_view rest() const { return left_; }
  // Errors: corrupt bytes_left_over, unless everything was read.
  Result<void> end() const;

 private:
  Result<std::uint64_t> number(std::size_t width);
  std::string_view left_;
};

// An envelope around `body`: checksum, format number, body. The checksum also covers `key`, so that
// a value that turns up under another key is refused.
std::string seal_record(std::string_view key, std::uint8_t format, std::string_view body);
// The body, a view into `sealed`. Errors: corrupt record_corrupt; unsupported record_format when it
// was written by a newer version.
Result<std::string_view> open_record(std::string_view key, std::uint8_t format,
                                     std::string_view sealed);

}  // namespace base
