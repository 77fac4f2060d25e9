// SPDX-License-Identifier: Apache-2.0
// Server-sent events out of the bytes of a stream. Pure; used by `events`, `app run` and whoever
// follows a daemon.
// Source: WHATWG HTML, section 9.2.6.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace cli {

struct ServerEvent {
  std::string type = "message";
  std::string data;
  std::string id;
};

class EventReader {
 public:
  // The events that `bytes` completes. Errors: too_large event_too_large, when one event has more
  // than kEventMax bytes; the reader is of no use then.
  base::Result<std::vector<ServerEvent>> push(std::string_view bytes);

  static constexpr std::size_t kEventMax = 4 << 20;

 private:
  void take_line(std::string_view line, std::vector<ServerEvent>& done);

  std::string line_;
  bool after_return_ = false;  // the last byte was CR: an LF that follows belongs to it
  bool has_data_ = false;
  ServerEvent event_;
};

}  // namespace cli
