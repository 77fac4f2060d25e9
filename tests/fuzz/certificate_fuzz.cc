// SPDX-License-Identifier: Apache-2.0
// Files with certificates for HTTPS, as operators and their tools make them: refused, or a server's
// certificate with the key that belongs to it, which reads as the same again.
#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/check.h"
#include "common/sys/tls.h"

namespace {

const sys::KeyPair& own_pair() {
  static const sys::KeyPair pair = [] {
    auto made = sys::make_self_signed("n1", {"n1.example", "10.0.0.2"}, std::chrono::hours(1));
    CHECK_THAT(made.has_value());
    return *std::move(made);
  }();
  return pair;
}

void try_file(const std::string& text) {
  const auto found = sys::read_server_certificate(text);
  if (!found) return;
  CHECK_THAT(found->sha1.size() == 40);
  const auto again = sys::read_server_certificate(found->pem.reveal());
  CHECK_THAT(again && again->sha1 == found->sha1 && again->names == found->names);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string key(own_pair().key_pem.reveal());
  try_file(text);
  try_file(text + key);
  // Behind a certificate of its own the text is the rest of the chain.
  try_file(own_pair().certificate_pem + text + key);
  return 0;
}
