// SPDX-License-Identifier: Apache-2.0
// Text as the bytes that OpenSSL takes and fills. Used by this folder. Threads: stateless.
#pragma once

#include <string>
#include <string_view>

namespace sys {

inline const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* octets(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

}  // namespace sys
