// SPDX-License-Identifier: Apache-2.0
// The Authorization header. Property: a token that was read has no spaces or control characters,
// and is read again the same from a Bearer header.
#include <cstdint>
#include <cstdlib>

#include "common/rest/auth.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto presented = rest::parse_authorization({reinterpret_cast<const char*>(data), size});
  if (!presented) return 0;
  const std::string_view token = presented->token.reveal();
  for (const char c : token) {
    if (c <= 0x20 || c >= 0x7f) std::abort();
  }
  const auto again = rest::parse_authorization("Bearer " + std::string(token));
  if (!again || again->token.reveal() != token) std::abort();
  return 0;
}
