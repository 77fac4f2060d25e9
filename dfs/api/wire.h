// SPDX-License-Identifier: Apache-2.0
// Structs to bytes and back: a struct names its fields once, in `fields`, and is both written and
// read by that.
//
//   struct Range { std::uint64_t first = 0, last = 0;
//     template <class Archive> void fields(Archive& archive) { archive(first, last); } };
//
// 1. Numbers are big-endian, texts and lists are led by their length, a variant by the number of
// its alternative; nothing is aligned.
// 2. Whatever the bytes are, decode() gives a value or an error, and never allocates more than a
// small multiple of what it was given.
// 3. A field's type and place never change within a protocol version (frame.h).
// Threads: stateless.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace dfs {

namespace wire {

class Writer {
 public:
  template <class... Fields>
  void operator()(Fields&... fields) {
    (put(fields), ...);
  }
  std::string take() { return bytes_.take(); }

 private:
  template <class T>
  void put(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      bytes_.u8(value ? 1 : 0);
    } else if constexpr (std::is_enum_v<T>) {
      static_assert(sizeof(T) == 1);
      bytes_.u8(static_cast<std::uint8_t>(value));
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
      bytes_.i64(value);
    } else if constexpr (std::is_unsigned_v<T> && sizeof(T) == 8) {
      bytes_.u64(value);
    } else if constexpr (std::is_unsigned_v<T> && sizeof(T) == 1) {
      bytes_.u8(value);
    } else if constexpr (std::is_unsigned_v<T>) {
      bytes_.u32(value);
    } else {
      value.fields(*this);
    }
  }
  void put(std::string& value) { bytes_.text(value); }
  template <class T>
  void put(std::vector<T>& values) {
    bytes_.u32(static_cast<std::uint32_t>(values.size()));
    for (T& value : values) put(value);
  }
  template <class T>
  void put(std::optional<T>& value) {
    bytes_.u8(value ? 1 : 0);
    if (value) put(*value);
  }
  template <class... T>
  void put(std::variant<T...>& value) {
    bytes_.u8(static_cast<std::uint8_t>(value.index()));
    std::visit([this](auto& alternative) { put(alternative); }, value);
  }

  base::ByteWriter bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <class... Fields>
  void operator()(Fields&... fields) {
    (get(fields), ...);
  }
  // Errors: corrupt bytes_truncated, bytes_left_over, wire_value_invalid.
  base::Result<void> finish() const {
    if (error_) return *error_;
    return bytes_.end();
  }

 private:
  void refuse(std::string detail) {
    if (!error_) error_ = base::Error{base::Code::corrupt, std::move(detail), "wire_value_invalid"};
  }
  template <class T, class From>
  void take(T& value, base::Result<From> read) {
    if (read) {
      value = static_cast<T>(*read);
    } else if (!error_) {
      error_ = read.error();
    }
  }
  template <class T>
  void get(T& value) {
    if (error_) return;
    if constexpr (std::is_same_v<T, bool>) {
      std::uint8_t byte = 0;
      take(byte, bytes_.u8());
      if (byte > 1) refuse("a truth value is neither 0 nor 1");
      value = byte == 1;
    } else if constexpr (std::is_enum_v<T>) {
      // Whoever uses it refuses unknown ones: a switch with a default, or is_known().
      static_assert(sizeof(T) == 1);
      take(value, bytes_.u8());
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
      take(value, bytes_.i64());
    } else if constexpr (std::is_unsigned_v<T> && sizeof(T) == 8) {
      take(value, bytes_.u64());
    } else if constexpr (std::is_unsigned_v<T> && sizeof(T) == 1) {
      take(value, bytes_.u8());
    } else if constexpr (std::is_unsigned_v<T>) {
      std::uint32_t number = 0;
      take(number, bytes_.u32());
      if (number > static_cast<std::uint32_t>(static_cast<T>(-1))) refuse("a number is too large");
      value = static_cast<T>(number);
    } else {
      value.fields(*this);
    }
  }
  void get(std::string& value) {
    if (!error_) take(value, bytes_.text());
  }
  template <class T>
  void get(std::vector<T>& values) {
    if (error_) return;
    std::uint32_t count = 0;
    take(count, bytes_.u32());
    // An element takes at least one byte.
    if (count > bytes_.rest().size()) refuse("a list is longer than its frame");
    for (std::uint32_t i = 0; i < count && !error_; ++i) get(values.emplace_back());
  }
  template <class T>
  void get(std::optional<T>& value) {
    bool present = false;
    get(present);
    if (present && !error_) get(value.emplace());
  }
  template <class... T>
  void get(std::variant<T...>& value) {
    if (error_) return;
    std::uint8_t index = 0;
    take(index, bytes_.u8());
    if (!emplace<0>(value, index)) refuse("an alternative is unknown");
    if (!error_) std::visit([this](auto& alternative) { get(alternative); }, value);
  }
  template <std::size_t I, class... T>
  static bool emplace(std::variant<T...>& value, std::size_t index) {
    if constexpr (I < sizeof...(T)) {
      if (index != I) return emplace<I + 1>(value, index);
      value.template emplace<I>();
      return true;
    } else {
      return false;
    }
  }

  base::ByteReader bytes_;
  std::optional<base::Error> error_;
};

}  // namespace wire

// `value` is not changed; `fields` is one function for both directions and so takes it mutable.
template <class T>
std::string encode(const T& value) {
  wire::Writer writer;
  const_cast<T&>(value).fields(writer);
  return writer.take();
}

// Errors: corrupt bytes_truncated, bytes_left_over, wire_value_invalid.
template <class T>
base::Result<T> decode(std::string_view bytes) {
  wire::Reader reader(bytes);
  T value;
  value.fields(reader);
  TRY(reader.finish());
  return value;
}

}  // namespace dfs
