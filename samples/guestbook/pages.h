// SPDX-License-Identifier: Apache-2.0
// What the guestbook answers to each request.
// Threads: one.
#pragma once

#include <string>

#include "samples/guestbook/book.h"
#include "samples/guestbook/http.h"

namespace guestbook {

struct Identity {
  std::string instance;  // shown on the page, so that a reader sees which instance answered
  std::string version;
  bool healthy = true;
};

HttpResponse answer(const HttpRequest& request, Book& book, const Identity& identity);

}  // namespace guestbook
