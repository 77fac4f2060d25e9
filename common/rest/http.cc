// SPDX-License-Identifier: Apache-2.0
#include "common/rest/http.h"

#include <algorithm>

#include "common/base/text.h"

namespace rest {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kQueryPairsMax = 256;
constexpr std::size_t kCursorMax = 1024;

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

Error query_error(std::string detail) {
  return Error{Code::invalid_argument, std::move(detail), "query_invalid"};
}

// A line break in a value is text that the client sent on purpose (labels, commands); the other
// control characters have no use in a query.
bool is_query_text(std::string_view text) {
  std::string rest(text);
  std::erase_if(rest, [](char c) { return c == '\n' || c == '\r' || c == '\t'; });
  return !has_control_character(rest) && base::is_utf8(text);
}

Result<std::string> decode_query_part(std::string_view raw) {
  std::string spaced(raw);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  Result<std::string> text = base::percent_decode(spaced);
  if (!text || !is_query_text(*text)) {
    return query_error("the query has a bad escape or characters that are not text");
  }
  return text;
}

}  // namespace

std::string_view method_name(Method method) {
  switch (method) {
    case Method::get: return "GET";
    case Method::post: return "POST";
    case Method::put: return "PUT";
    case Method::patch: return "PATCH";
    case Method::del: return "DELETE";
  }
  return "GET";
}

Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view raw) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (raw.empty()) return pairs;
  for (const std::string_view piece : base::split(raw, '&')) {
    if (piece.empty()) continue;
    if (pairs.size() == kQueryPairsMax) {
      return query_error("the query has more than " + std::to_string(kQueryPairsMax) + " parts");
    }
    const std::size_t equals = piece.find('=');
    const bool has_value = equals != std::string_view::npos;
    std::string name = TRY(decode_query_part(piece.substr(0, equals)));
    std::string value = TRY(decode_query_part(has_value ? piece.substr(equals + 1) : ""));
    pairs.emplace_back(std::move(name), std::move(value));
  }
  return pairs;
}

const std::string& Request::parameter(std::string_view name) const {
  const auto at = path_parameters.find(name);
  CHECK_THAT(at != path_parameters.end());
  return at->second;
}

std::optional<std::string> Request::find_query(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::vector<std::string> Request::all_query(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : query) {
    if (key == name) values.push_back(value);
  }
  return values;
}

Result<bool> Request::query_flag(std::string_view name, bool fallback) const {
  const std::optional<std::string> text = find_query(name);
  if (!text) return fallback;
  const std::string value = base::lower(*text);
  if (value.empty() || value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  return query_error("'" + std::string(name) + "' must be true or false");
}

Result<std::int64_t> Request::query_int(std::string_view name, std::int64_t fallback,
                                        std::int64_t min, std::int64_t max) const {
  const std::optional<std::string> text = find_query(name);
  if (!text) return fallback;
  const Result<std::int64_t> value = base::parse_int(*text, min, max);
  if (!value) return query_error("'" + std::string(name) + "': " + value.error().detail);
  return *value;
}

std::optional<std::string_view> Request::find_header(std::string_view lower_case_name) const {
  const auto at = headers.find(lower_case_name);
  if (at == headers.end()) return std::nullopt;
  return at->second;
}

Result<base::Json> Request::json() const {
  // The route's limit has bounded the body already.
  return base::parse_json(body, {.bytes_max = body.size()});
}

bool ByteStream::write(std::string_view bytes) {
  if (closed_ || finished_) return false;
  if (waiting() > buffer_max_ || bytes.size() > buffer_max_ - waiting()) {
    closed_ = true;
    pending_.clear();
    taken_ = 0;
    if (wake_) wake_();
    return false;
  }
  if (taken_ > 0 && taken_ >= pending_.size() / 2) {
    pending_.erase(0, taken_);
    taken_ = 0;
  }
  pending_ += bytes;
  if (wake_) wake_();
  return true;
}

void ByteStream::finish() {
  if (closed_ || finished_) return;
  finished_ = true;
  if (wake_) wake_();
}

std::size_t ByteStream::take(char* out, std::size_t most) {
  const std::size_t count = std::min(most, pending_.size() - taken_);
  std::copy_n(pending_.data() + taken_, count, out);
  taken_ += count;
  if (taken_ == pending_.size()) {
    pending_.clear();
    taken_ = 0;
  }
  return count;
}

void ByteStream::close() {
  closed_ = true;
  wake_ = nullptr;
  // Moved out first, so that it runs once even when it drops the last reference to this stream.
  if (const auto callback = std::exchange(on_close_, nullptr)) callback();
}

Response Response::json(const base::Json& value, int status) {
  return json_text(base::dump_json(value), status);
}

Response Response::json_text(std::string body, int status) {
  Response response;
  response.status = status;
  response.headers["Content-Type"] = "application/json";
  response.body = std::move(body);
  return response;
}

Response Response::text(std::string body, std::string content_type) {
  Response response;
  response.headers["Content-Type"] = std::move(content_type);
  response.body = std::move(body);
  return response;
}

Response Response::created(std::string location, const base::Json& value) {
  return json(value, 201).with("Location", std::move(location));
}

Response Response::no_content() {
  Response response;
  response.status = 204;
  return response;
}

Response Response::event_stream(std::shared_ptr<ByteStream> stream) {
  Response response;
  response.headers["Content-Type"] = "text/event-stream";
  response.stream = std::move(stream);
  return response;
}

Response&& Response::with(std::string name, std::string value) && {
  headers[std::move(name)] = std::move(value);
  return std::move(*this);
}

std::string format_event(std::string_view type, std::string_view data, std::string_view id) {
  const auto without_breaks = [](std::string_view text) {
    std::string line(text);
    std::erase_if(line, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
    return line;
  };
  std::string out;
  if (!id.empty()) out += "id: " + without_breaks(id) + "\r\n";
  if (!type.empty()) out += "event: " + without_breaks(type) + "\r\n";
  // A lone CR ends a line for the client too, so it must not reach it as part of the data.
  std::string lines(data);
  for (std::size_t at = 0; (at = lines.find("\r\n", at)) != std::string::npos;) lines.erase(at, 1);
  std::replace(lines.begin(), lines.end(), '\r', '\n');
  for (const std::string_view line : base::split(lines, '\n')) {
    out += "data: ";
    out += line;
    out += "\r\n";
  }
  return out + "\r\n";
}

std::string make_etag(std::uint64_t revision) { return '"' + std::to_string(revision) + '"'; }

Result<void> check_if_match(const Request& request, std::uint64_t revision) {
  const std::optional<std::string_view> header = request.find_header("if-match");
  if (!header) return {};
  const std::string current = make_etag(revision);
  for (const std::string_view piece : base::split(*header, ',')) {
    const std::string_view tag = base::trim(piece);
    if (tag == "*" || tag == current) return {};
  }
  return Error{Code::conflict, "If-Match does not name the current revision " + current,
               "revision_moved_on"};
}

Result<Page> read_page(const Request& request, std::size_t limit_default, std::size_t limit_max) {
  Page page;
  page.limit = static_cast<std::size_t>(TRY(request.query_int(
      "limit", static_cast<std::int64_t>(limit_default), 1, static_cast<std::int64_t>(limit_max))));
  page.after = request.find_query("cursor").value_or("");
  if (page.after.size() > kCursorMax) return query_error("'cursor' is too long");
  return page;
}

}  // namespace rest
