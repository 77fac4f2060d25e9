// SPDX-License-Identifier: Apache-2.0
#include "services/event/event.h"

#include <algorithm>

#include "common/base/crc32c.h"
#include "common/base/text.h"

namespace services::event {
namespace {

bool is_name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

bool is_printable(std::string_view text) {
  return base::is_utf8(text) && std::none_of(text.begin(), text.end(),
                                             [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

base::Result<void> check_channel_name(std::string_view name) {
  const bool fits = !name.empty() && name.size() <= kChannelNameMax &&
                    std::all_of(name.begin(), name.end(), is_name_letter) &&
                    name.find_first_not_of('.') != std::string_view::npos;
  if (fits) return {};
  return base::Error{base::Code::invalid_argument,
                     "a channel's name is 1 to 200 letters, digits, '.', '_' and '-'",
                     "channel_name_invalid"};
}

base::Result<void> check_event(const Event& event) {
  const auto refuse = [](std::string detail, std::string pointer) {
    return base::Error{base::Code::invalid_argument, std::move(detail), "event_invalid", 0,
                       std::move(pointer)};
  };
  if (event.id.empty() || event.id.size() > kEventIdMax || !is_printable(event.id))
    return refuse("an event's id is 1 to 128 bytes of text", "/uuid");
  if (event.name.size() > kEventNameMax || !is_printable(event.name))
    return refuse("an event's name is at most 255 bytes of text", "/event_name");
  if (event.key && event.key->size() > kEventKeyMax)
    return refuse("an event's key is at most 4096 bytes", "/key");
  if (event.data && event.data->size() > kEventDataMax)
    return base::Error{base::Code::too_large, "an event's data is at most 1 MiB", "event_too_large",
                       0, "/data"};
  return {};
}

std::uint32_t choose_partition(const Event& event, std::uint32_t partitions) {
  return base::crc32c(event.key ? *event.key : event.id) % partitions;
}

}  // namespace services::event
