// SPDX-License-Identifier: Apache-2.0
// Attributes as the kernel lists them, and whether a listed rule is ours.
#include <cstdint>

#include "common/base/check.h"
#include "netfw/nftables/rules.h"

namespace {

void walk(std::string_view bytes, int depth) {
  std::string again;
  netfw::nft::for_each_attribute(bytes, [&](std::uint16_t, std::string_view payload) {
    CHECK_THAT(payload.data() >= bytes.data() &&
               payload.data() + payload.size() <= bytes.data() + bytes.size());
    static_cast<void>(netfw::nft::read_u32(payload));
    CHECK_THAT(netfw::nft::read_text(payload).size() <= payload.size());
    if (depth > 0) walk(payload, depth - 1);
  });
  CHECK_THAT(netfw::nft::parse_attributes(bytes).size() <= bytes.size());
}

const netfw::nft::RenderedRule& ours() {
  static const auto kRule = netfw::nft::render_jump(netfw::Family::v4, "gestalt-input");
  return kRule;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  walk(bytes, 4);
  static_cast<void>(netfw::nft::is_same_rule(ours(), bytes));
  CHECK_THAT(netfw::nft::is_same_rule(ours(), ours().expressions.bytes()));
  return 0;
}
