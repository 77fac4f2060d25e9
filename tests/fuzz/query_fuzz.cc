// SPDX-License-Identifier: Apache-2.0
// parse_query and what reads from it. Property: pairs that were read are the same after they were
// encoded and read again.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/rest/http.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto pairs = rest::parse_query({reinterpret_cast<const char*>(data), size});
  if (!pairs) return 0;
  std::string again;
  for (const auto& [name, value] : *pairs) {
    if (!base::is_utf8(name) || !base::is_utf8(value)) std::abort();
    again += base::percent_encode(name) + '=' + base::percent_encode(value) + '&';
  }
  const auto reread = rest::parse_query(again);
  if (!reread || *reread != *pairs) std::abort();
  rest::Request request;
  request.query = *pairs;
  static_cast<void>(request.query_flag("force"));
  static_cast<void>(request.query_int("n", 1, 0, 100));
  static_cast<void>(rest::read_page(request));
  return 0;
}
