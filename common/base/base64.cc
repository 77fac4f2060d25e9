// SPDX-License-Identifier: Apache-2.0
#include "common/base/base64.h"

#include <algorithm>

#include "common/base/text.h"

namespace base {

std::string to_base64(std::string_view bytes) {
  std::string text = to_base64url(bytes);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

}  // namespace base
