// SPDX-License-Identifier: Apache-2.0
#include "samples/guestbook/pages.h"

#include <string.h>

namespace guestbook {

namespace {

constexpr const char* kHead =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Guestbook</title>"
    "<style>body{font:16px sans-serif;max-width:40em;margin:2em auto;padding:0 1em}"
    "li{margin:.3em 0}footer{color:#666;margin-top:2em}</style><h1>Guestbook</h1>"
    "<form method=\"post\" action=\"/\"><input name=\"entry\" maxlength=\"500\" required "
    "aria-label=\"Your entry\"> <button>Sign</button></form><ul>";

HttpResponse page(const Book& book, const Identity& identity) {
  std::string body = kHead;
  for (const std::string& entry : book.latest()) body += "<li>" + escape_html(entry) + "</li>";
  body += "</ul><footer>Answered by instance <code>" + escape_html(identity.instance) +
          "</code>, version " + escape_html(identity.version) + "</footer></html>\n";
  return {.body = std::move(body)};
}

HttpResponse text(int status, std::string body) {
  return {.status = status, .type = "text/plain; charset=utf-8", .body = std::move(body) + "\n"};
}

HttpResponse sign(const HttpRequest& request, Book& book) {
  const std::string entry = form_value(request.body, "entry");
  if (entry.empty()) return text(400, "the field \"entry\" is empty");
  if (!book.add(entry)) return text(503, std::string("not saved: ") + ::strerror(errno));
  return {.status = 303, .body = "", .location = "/"};
}

}  // namespace

HttpResponse answer(const HttpRequest& request, Book& book, const Identity& identity) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (request.path == "/health") {
    if (!reads) return text(405, "GET only");
    return identity.healthy ? text(200, "ok") : text(503, "told to be unhealthy");
  }
  if (request.path == "/id") return text(200, identity.instance + " " + identity.version);
  if (request.path != "/") return text(404, "there is nothing here");
  if (reads) return page(book, identity);
  return request.method == "POST" ? sign(request, book) : text(405, "GET or POST");
}

}  // namespace guestbook
