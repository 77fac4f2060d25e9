// SPDX-License-Identifier: Apache-2.0
// What browsers and anybody else send to the sample application: requests one behind the other, and
// the text of an entry, which is never taken for markup.
#include "samples/guestbook/http.h"

#include <cstdint>

#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string buffer(reinterpret_cast<const char*>(data), size);
  for (;;) {
    guestbook::HttpRequest request;
    const std::size_t before = buffer.size();
    if (guestbook::read_request(buffer, request) != guestbook::Reading::complete) {
      CHECK_THAT(buffer.size() == before);
      break;
    }
    CHECK_THAT(buffer.size() < before);
    CHECK_THAT(request.body.size() <= guestbook::kBodyMax);
    CHECK_THAT(request.path.starts_with('/'));
    const std::string entry = guestbook::escape_html(guestbook::form_value(request.body, "entry"));
    CHECK_THAT(entry.find_first_of("<>\"'") == std::string::npos);
  }
  const std::string whole(reinterpret_cast<const char*>(data), size);
  const std::string value = guestbook::form_value(whole, "entry");
  CHECK_THAT(value.size() <= whole.size());
  const guestbook::HttpResponse response{.body = guestbook::escape_html(value)};
  CHECK_THAT(guestbook::write_response(response, false, false).ends_with(response.body));
  return 0;
}
