// SPDX-License-Identifier: Apache-2.0
#include "cli/input.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "common/base/config.h"

namespace cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

Result<std::string> read_input(const std::string& file) {
  if (file != "-") return base::read_file(file, kInputBytesMax);
  // At most one byte more than is allowed, so that a pipe without an end does not fill memory.
  std::string text;
  char byte = 0;
  while (text.size() <= kInputBytesMax && std::cin.get(byte)) text.push_back(byte);
  if (text.size() <= kInputBytesMax) return text;
  return Error{Code::too_large, "standard input has more than 1 MiB", "file_too_large"};
}

Result<Json> read_json_input(const std::string& file) {
  const std::string text = TRY(read_input(file));
  auto document = base::parse_json(text, {.bytes_max = kInputBytesMax}, base::JsonComments::ignore);
  if (!document) return base::prepend(file, std::move(document).error());
  return document;
}

}  // namespace cli
