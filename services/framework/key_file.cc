// SPDX-License-Identifier: Apache-2.0
#include "services/framework/key_file.h"

#include <array>
#include <fstream>
#include <iterator>

#include "common/base/text.h"
#include "common/sys/files.h"

namespace services {

base::Result<base::Secret> load_or_make_key(const std::string& path, base::Rng& rng) {
  std::ifstream file(path, std::ios::binary);
  if (file) {
    const std::string hex{std::istreambuf_iterator<char>(file), {}};
    // The digits are counted: gcc 12 misreads moves of a text of known size (-Warray-bounds).
    const std::string_view digits = base::trim(hex);
    base::Result<std::string> key = base::from_hex(digits);
    if (!key || digits.size() != 2 * kKeyBytes) {
      return base::Error{base::Code::corrupt, path + " is no key of 32 bytes in hex",
                         "seal_key_invalid"};
    }
    return base::Secret(*std::move(key));
  }
  std::array<std::uint8_t, kKeyBytes> bytes{};
  rng.fill(bytes);
  const std::string hex =
      base::to_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()}) + "\n";
  TRY(sys::write_file_durably(path, hex, 0600));
  return base::Secret(TRY(base::from_hex(base::trim(hex))));
}

}  // namespace services
