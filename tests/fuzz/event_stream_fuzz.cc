// SPDX-License-Identifier: Apache-2.0
// What a daemon streams to the command line: the same events however the bytes are cut, each of
// which can be shown on one line.
#include <algorithm>
#include <cstdint>

#include "cli/event_lines.h"
#include "common/base/check.h"

namespace {

using Events = std::vector<cli::ServerEvent>;

bool read(cli::EventReader& reader, std::string_view bytes, Events& out) {
  auto events = reader.push(bytes);
  if (!events) return false;
  out.insert(out.end(), events->begin(), events->end());
  return true;
}

bool is_same(const cli::ServerEvent& a, const cli::ServerEvent& b) {
  return a.type == b.type && a.data == b.data && a.id == b.id;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  cli::EventReader whole;
  Events at_once;
  if (!read(whole, bytes, at_once)) return 0;
  cli::EventReader in_parts;
  Events piecemeal;
  const std::size_t step = size == 0 ? 1 : data[0] % 7 + 1;
  for (std::size_t at = 0; at < size; at += step)
    CHECK_THAT(read(in_parts, bytes.substr(at, step), piecemeal));
  CHECK_THAT(
      std::equal(at_once.begin(), at_once.end(), piecemeal.begin(), piecemeal.end(), is_same));
  for (const cli::ServerEvent& event : at_once) {
    const std::string line = cli::event_line(event, {});
    CHECK_THAT(std::count(line.begin(), line.end(), '\n') == 1 && line.back() == '\n');
    static_cast<void>(cli::event_json_line(event));
  }
  return 0;
}
