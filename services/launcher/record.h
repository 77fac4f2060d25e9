// SPDX-License-Identifier: Apache-2.0
// What the launcher keeps of a container: which application stands for it, where, and which tasks
// wait for it.
//
// 1. A record says where an application is before it is made there, so that nothing runs unknown.
// Threads: plain data and functions over a transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/store/store.h"

namespace services::launcher {

inline constexpr std::string_view kContainers = "launcher.containers";

struct Record {
  std::string app = {};                    // "/gestalt/acme/web-0123456789abcdef"
  std::string provider = {};               // where it runs, or shall; empty: nowhere yet
  std::vector<std::string> previous = {};  // providers where it still has to end
  std::vector<std::string> tasks = {};     // that wait for it, oldest first
  bool operator==(const Record&) const = default;
};

std::string format_record(const Record& record);
// Errors: those of Fields.
base::Result<Record> parse_record(std::string_view text);
base::Result<std::optional<Record>> find_record(store::Reader& reader, std::string_view id);
base::Result<void> put_record(store::Writer& writer, std::string_view id, const Record& record);

}  // namespace services::launcher
