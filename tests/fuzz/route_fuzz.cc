// SPDX-License-Identifier: Apache-2.0
// RouteTable::match on raw paths. Properties: what matches is UTF-8 without control characters, dot
// segments or slashes inside a parameter; the match's path, encoded again, gives the same path, and
// the same row unless slashes were left out ("/v1/a//x/b" needs the rest parameter, "/v1/a/x/b"
// does not).
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/rest/route.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

rest::RouteTable make_table() {
  rest::RouteTable table;
  for (const char* path : {"/", "/v2/apps", "/v2/apps/{id...}", "/v2/deployments/{id}",
                           "/v2/deployments/all", "/v1/{a}/x/{b}", "/v1/{a}/{b...}"}) {
    for (const rest::Method method : {rest::Method::get, rest::Method::put}) {
      table.add({method, path, rest::Scope("app:read"), rest::Run::on_loop, {}, "", {}});
    }
  }
  return table;
}

void check_text(std::string_view text, bool one_segment) {
  require(base::is_utf8(text) && !text.empty());
  for (const char c : text)
    require(static_cast<unsigned char>(c) >= 0x20 && c != '\\' && c != 0x7f);
  require(!one_segment || text.find('/') == std::string_view::npos);
  for (const std::string_view segment : base::split(text, '/')) {
    require(!segment.empty() && segment != "." && segment != "..");
  }
}

std::string encode(std::string_view path) {
  std::string out;
  for (const std::string_view segment : base::split(path.substr(1), '/')) {
    out += '/' + base::percent_encode(segment);
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const rest::RouteTable table = make_table();
  const std::string_view raw(reinterpret_cast<const char*>(data), size);
  table.methods(raw);
  const auto match = table.match(rest::Method::get, raw);
  if (!match) return 0;
  for (const auto& [name, value] : match->parameters) {
    const bool rest_of_path = match->row->path.find("{" + name + "...}") != std::string::npos;
    check_text(value, !rest_of_path);
  }
  const auto again = table.match(rest::Method::get, encode(match->path));
  require(again.has_value() && again->path == match->path);
  const bool is_plain = raw.find("//") == raw.npos && raw.find('%') == raw.npos;
  require(!is_plain || again->index == match->index);
  return 0;
}
