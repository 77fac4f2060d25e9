// SPDX-License-Identifier: Apache-2.0
#include "cli/event_reader.h"

namespace cli {

base::Result<std::vector<ServerEvent>> EventReader::push(std::string_view bytes) {
  std::vector<ServerEvent> done;
  for (const char byte : bytes) {
    const bool line_feed_of_pair = after_return_ && byte == '\n';
    after_return_ = byte == '\r';
    if (line_feed_of_pair) continue;
    if (byte == '\n' || byte == '\r') {
      take_line(line_, done);
      line_.clear();
    } else {
      line_.push_back(byte);
    }
    if (line_.size() + event_.data.size() > kEventMax) {
      return base::Error{base::Code::too_large, "an event has more than 4 MiB", "event_too_large"};
    }
  }
  return done;
}

void EventReader::take_line(std::string_view line, std::vector<ServerEvent>& done) {
  if (line.empty()) {
    if (has_data_) done.push_back(std::move(event_));
    event_ = {};
    has_data_ = false;
    return;
  }
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value =
      colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    if (has_data_) event_.data += '\n';
    event_.data += value;
    has_data_ = true;
  } else if (name == "event") {
    event_.type = value;
  } else if (name == "id") {
    event_.id = value;
  }
  // "retry", comments (an empty name) and unknown fields are ignored, as the standard says.
}

}  // namespace cli
