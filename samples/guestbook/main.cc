// SPDX-License-Identifier: Apache-2.0
// The sample application: a guestbook on the volume of its instance.
#include <stdlib.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

#include "samples/guestbook/pages.h"
#include "samples/guestbook/server.h"

namespace {

constexpr const char* kHelp =
    "guestbook: a small web application, the sample of Gestalt.\n"
    "\n"
    "  GET /        the page with the latest entries and the instance that answered\n"
    "  POST /       adds the form field \"entry\"\n"
    "  GET /health  200 ok\n"
    "  GET /id      instance and version\n"
    "\n"
    "Environment: PORT (or PORT0, else 8000), MESOS_TASK_ID, GUESTBOOK_FILE (default\n"
    "/data/entries), GUESTBOOK_VERSION, GUESTBOOK_UNHEALTHY (set: /health answers 503).\n"
    "SIGTERM ends it after the requests under way.\n";

std::string from_environment(const char* name, std::string fallback) {
  const char* value = ::getenv(name);
  return value != nullptr && *value != '\0' ? value : fallback;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    const bool help = std::strcmp(argv[1], "--help") == 0;
    std::fputs(kHelp, help ? stdout : stderr);
    return help ? 0 : 2;
  }
  const std::string text = from_environment("PORT", from_environment("PORT0", "8000"));
  int port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc{} || *end != '\0' || port < 1 || port > 65535) {
    std::fprintf(stderr, "guestbook: PORT is \"%s\", not a port\n", text.c_str());
    return 2;
  }
  guestbook::Book book(from_environment("GUESTBOOK_FILE", "/data/entries"));
  const guestbook::Identity identity{.instance = from_environment("MESOS_TASK_ID", "alone"),
                                     .version = from_environment("GUESTBOOK_VERSION", "1"),
                                     .healthy = ::getenv("GUESTBOOK_UNHEALTHY") == nullptr};
  guestbook::Server server([&](const guestbook::HttpRequest& request) {
    return guestbook::answer(request, book, identity);
  });
  if (!server.listen(port)) {
    std::perror("guestbook: cannot listen");
    return 1;
  }
  std::printf("guestbook: %s listens on port %d\n", identity.instance.c_str(), port);
  std::fflush(stdout);
  server.run();
  return 0;
}
