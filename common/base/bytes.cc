// SPDX-License-Identifier: Apache-2.0
#include "common/base/bytes.h"

#include "common/base/crc32c.h"

namespace base {
namespace {

std::uint32_t checksum(std::string_view key, std::string_view format_and_body) {
  return crc32c(format_and_body, crc32c(key));
}

}  // namespace

ByteWriter& ByteWriter::number(std::uint64_t value, int width) {
  for (int shift = (width - 1) * 8; shift >= 0; shift -= 8)
    bytes_ += static_cast<char>(value >> shift);
  return *this;
}

ByteWriter& ByteWriter::text(std::string_view value) {
  CHECK_THAT(value.size() <= UINT32_MAX);
  return u32(static_cast<std::uint32_t>(value.size())).raw(value);
}

Result<std::uint64_t> ByteReader::number(std::size_t width) {
  if (left_.size() < width)
    return Error{Code::corrupt, "the record ends within a number", "bytes_truncated"};
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) value = value << 8 | static_cast<unsigned char>(left_[i]);
  left_.remove_prefix(width);
  return value;
}

Result<std::uint8_t> ByteReader::u8() { return static_cast<std::uint8_t>(TRY(number(1))); }
Result<std::uint32_t> ByteReader::u32() { return static_cast<std::uint32_t>(TRY(number(4))); }
Result<std::uint64_t> ByteReader::u64() { return number(8); }
Result<std::int64_t> ByteReader::i64() { return static_cast<std::int64_t>(TRY(number(8))); }

Result<std::string_view> ByteReader::text() {
  const std::uint32_t size = TRY(u32());
  if (left_.size() < size)
    return Error{Code::corrupt, "the record ends within a text", "bytes_truncated"};
  const std::string_view value = left_.substr(0, size);
  left_.remove_prefix(size);
  return value;
}

Result<void> ByteReader::end() const {
  if (!left_.empty())
    return Error{Code::corrupt, "the record goes on behind its end", "bytes_left_over"};
  return {};
}

std::string seal_record(std::string_view key, std::uint8_t format, std::string_view body) {
  ByteWriter covered;
  covered.u8(format).raw(body);
  return ByteWriter().u32(checksum(key, covered.bytes())).raw(covered.bytes()).take();
}

Result<std::string_view> open_record(std::string_view key, std::uint8_t format,
                                     std::string_view sealed) {
  ByteReader reader(sealed);
  const std::uint32_t expected = TRY(reader.u32());
  if (checksum(key, reader.rest()) != expected)
    return Error{Code::corrupt, "the checksum does not match", "record_corrupt"};
  const std::uint8_t found = TRY(reader.u8());
  if (found != format)
    return Error{Code::unsupported,
                 "record format " + std::to_string(found) + " is not known to this version",
                 "record_format"};
  return reader.rest();
}

}  // namespace base
