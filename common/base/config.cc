// SPDX-License-Identifier: Apache-2.0
#include "common/base/config.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

namespace base {

Result<std::string> read_file(const std::filesystem::path& file, std::size_t bytes_max) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) return os_error(errno != 0 ? errno : EIO, "open " + file.string());
  std::string text;
  char buffer[65536];
  while (in.read(buffer, sizeof buffer) || in.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (text.size() > bytes_max) {
      return Error{Code::too_large,
                   file.string() + " has more than " + std::to_string(bytes_max) + " bytes",
                   "file_too_large"};
    }
  }
  if (in.bad()) return os_error(EIO, "read " + file.string());
  return text;
}

namespace {

Result<void> merge(const std::filesystem::path& file, Json& into) {
  const std::string text = TRY(read_file(file));
  Result<Json> parsed = parse_json(text, {}, JsonComments::ignore);
  if (!parsed) return prepend(file.string(), std::move(parsed).error());
  if (!parsed->is_object()) {
    return Error{Code::invalid_argument, file.string() + ": must hold an object", "not_an_object"};
  }
  into.merge_patch(*parsed);
  return {};
}

}  // namespace

Result<Json> load_config(const std::filesystem::path& file) {
  Json config = Json::object();
  std::error_code ignored;  // absent and unreadable are told apart by read_file below
  if (std::filesystem::exists(file, ignored)) TRY(merge(file, config));

  std::filesystem::path folder = file;
  folder.replace_extension(".d");
  std::vector<std::filesystem::path> parts;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".json") parts.push_back(entry.path());
  }
  std::sort(parts.begin(), parts.end());
  for (const auto& part : parts) TRY(merge(part, config));
  return config;
}

}  // namespace base
