// SPDX-License-Identifier: Apache-2.0
#include "common/sys/journal.h"

#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace sys {

namespace {

constexpr const char* kJournalSocket = "/run/systemd/journal/socket";
constexpr std::size_t kFieldNameMax = 64;  // journald drops fields with longer names

// journald takes A-Z, 0-9 and '_', and no '_' or digit in front.
std::string field_name(std::string_view name) {
  std::string upper;
  for (char c : name.substr(0, kFieldNameMax - 2)) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    const bool is_plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    upper += is_plain ? c : '_';
  }
  if (upper.empty() || upper[0] == '_' || (upper[0] >= '0' && upper[0] <= '9')) upper = "F" + upper;
  return upper;
}

}  // namespace

void journal_sink(base::log::Level level, std::string_view event, std::string_view message,
                  base::log::FieldList fields) noexcept {
  // sd_journal_sendv reports success when there is no journal, so we look for ourselves.
  if (::access(kJournalSocket, W_OK) != 0) {
    base::log::stderr_sink(level, event, message, fields);
    return;
  }
  std::vector<std::string> lines;
  lines.reserve(3 + fields.size());
  lines.push_back("PRIORITY=" + std::to_string(static_cast<int>(level)));
  lines.push_back("MESSAGE=" + std::string(message));
  lines.push_back("EVENT=" + std::string(event));
  for (const base::log::Field& field : fields) {
    lines.push_back(field_name(field.name) + "=" + field.value);
  }
  std::vector<iovec> parts;
  parts.reserve(lines.size());
  for (std::string& line : lines) parts.push_back({line.data(), line.size()});
  if (sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) < 0) {
    base::log::stderr_sink(level, event, message, fields);
  }
}

}  // namespace sys
