// SPDX-License-Identifier: Apache-2.0
#include "samples/guestbook/http.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace guestbook {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char byte) { return static_cast<char>(std::tolower(byte)); });
  return out;
}

std::string_view trim(std::string_view text) {
  const auto blank = [](char byte) { return byte == ' ' || byte == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  return line;
}

struct Head {
  HttpRequest request;
  std::optional<std::size_t> length;
};

bool read_request_line(std::string_view line, HttpRequest& request) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return false;
  request.method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (target.empty() || target.front() != '/' || target.find(' ') != std::string_view::npos) {
    return false;
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return false;
  request.path = target.substr(0, target.find('?'));
  request.keep_alive = version == "HTTP/1.1";
  return true;
}

bool read_field(std::string_view line, Head& head) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 || line[colon - 1] == ' ') return false;
  const std::string name = lower(line.substr(0, colon));
  const std::string_view value = trim(line.substr(colon + 1));
  if (name == "transfer-encoding") return false;
  if (name == "connection") {
    const std::string wish = lower(value);
    if (wish == "close") head.request.keep_alive = false;
    if (wish == "keep-alive") head.request.keep_alive = true;
  }
  if (name != "content-length") return true;
  std::size_t length = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (failure != std::errc{} || end != value.data() + value.size() || head.length) return false;
  head.length = length;
  return true;
}

bool read_head(std::string_view text, Head& head) {
  if (!read_request_line(take_line(text), head.request)) return false;
  while (!text.empty()) {
    if (!read_field(take_line(text), head)) return false;
  }
  return true;
}

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 303: return "See Other";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 413: return "Content Too Large";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
  }
}

int digit_of(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  const char small = static_cast<char>(byte | 0x20);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

}  // namespace

Reading read_request(std::string& buffer, HttpRequest& request) {
  const std::size_t end = buffer.find("\r\n\r\n");
  if (end == std::string::npos) {
    return buffer.size() > kHeadMax ? Reading::too_large : Reading::incomplete;
  }
  if (end > kHeadMax) return Reading::too_large;
  Head head;
  if (!read_head(std::string_view(buffer).substr(0, end + 2), head)) return Reading::bad_request;
  const std::size_t length = head.length.value_or(0);
  if (length > kBodyMax) return Reading::too_large;
  if (buffer.size() < end + 4 + length) return Reading::incomplete;
  request = std::move(head.request);
  request.body = buffer.substr(end + 4, length);
  buffer.erase(0, end + 4 + length);
  return Reading::complete;
}

std::string write_response(const HttpResponse& response, bool keep_alive, bool head_only) {
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + " ";
  out += reason_of(response.status);
  out += "\r\nContent-Type: " + response.type;
  out += "\r\nContent-Length: " + std::to_string(response.body.size());
  if (!response.location.empty()) out += "\r\nLocation: " + response.location;
  out += keep_alive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
  if (!head_only) out += response.body;
  return out;
}

std::string form_value(std::string_view body, std::string_view name) {
  while (!body.empty()) {
    const std::size_t end = std::min(body.find('&'), body.size());
    const std::string_view pair = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
    const std::string_view value = pair.substr(equals + 1);
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const bool coded = value[i] == '%' && i + 2 < value.size() && digit_of(value[i + 1]) >= 0 &&
                         digit_of(value[i + 2]) >= 0;
      if (coded) {
        out += static_cast<char>(digit_of(value[i + 1]) * 16 + digit_of(value[i + 2]));
        i += 2;
      } else {
        out += value[i] == '+' ? ' ' : value[i];
      }
    }
    return out;
  }
  return {};
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    switch (byte) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += byte;
    }
  }
  return out;
}

}  // namespace guestbook
