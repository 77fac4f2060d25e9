// SPDX-License-Identifier: Apache-2.0
// The query of GET /v2/events.
#include "node/master/event_bus.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Pairs are separated by newlines, the value begins at the first '='.
  rest::Request request;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t equals = line.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : line.substr(equals + 1);
    request.query.emplace_back(line.substr(0, equals), value);
  }
  const auto filter = node::master::read_event_filter(request);
  if (filter) {
    for (const std::string& type : filter->types) CHECK_THAT(!type.empty());
  }
  return 0;
}
