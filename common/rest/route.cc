// SPDX-License-Identifier: Apache-2.0
#include "common/rest/route.h"

#include <algorithm>

#include "common/base/text.h"

namespace rest {

using base::Code;
using base::Error;
using base::Result;

namespace {

Error path_error(std::string detail) {
  return Error{Code::invalid_argument, std::move(detail), "path_invalid"};
}

bool is_dots(std::string_view text) { return text == "." || text == ".."; }

}  // namespace

Result<Response> RouteTable::fail_without_service(const Request& /*request*/) {
  return Error{Code::internal, "the table was only described", "internal"};
}

Response RouteTable::failure(const Error& error, const Request& request) const {
  return render_ ? render_(error, request) : problem(error, request.id);
}

void RouteTable::answer_options(std::function<Response(const Request&)> answer) {
  options_ = Row{Method::get,
                 "/",
                 kPublic,
                 Run::on_loop,
                 [answer = std::move(answer)](const Request& request) -> Result<Response> {
                   return answer(request);
                 },
                 "Which methods a path takes",
                 {}};
}

RouteTable::Shape RouteTable::parse_shape(std::string_view path) {
  CHECK_THAT(path.starts_with('/'));
  Shape shape;
  for (const std::string_view text : base::split(path.substr(1), '/')) {
    CHECK_THAT(shape.empty() || shape.back().kind != Segment::Kind::rest);
    if (text.empty()) continue;  // "/" itself
    if (!text.starts_with('{')) {
      shape.push_back({Segment::Kind::literal, std::string(text)});
    } else if (text.ends_with("...}")) {
      shape.push_back({Segment::Kind::rest, std::string(text.substr(1, text.size() - 5))});
    } else {
      CHECK_THAT(text.size() > 2 && text.ends_with('}'));
      shape.push_back({Segment::Kind::parameter, std::string(text.substr(1, text.size() - 2))});
    }
  }
  return shape;
}

void RouteTable::add(Row row) {
  Shape shape = parse_shape(row.path);
  CHECK_THAT(!row.scope.name().empty());
  std::size_t node = 0;
  bool is_rest = false;
  for (const Segment& segment : shape) {
    std::size_t next = nodes_.size();
    switch (segment.kind) {
      case Segment::Kind::rest: is_rest = true; continue;
      case Segment::Kind::literal:
        next = nodes_[node].literals.emplace(segment.text, next).first->second;
        break;
      case Segment::Kind::parameter:
        next = nodes_[node].parameter.value_or(next);
        nodes_[node].parameter = next;
        break;
    }
    if (next == nodes_.size()) nodes_.emplace_back();
    node = next;
  }
  RowOfMethod& rows = is_rest ? nodes_[node].rests : nodes_[node].ends;
  int& place = rows[static_cast<std::size_t>(row.method)];
  CHECK_THAT(place == -1);
  place = static_cast<int>(rows_.size());
  rows_.push_back(std::move(row));
  shapes_.push_back(std::move(shape));
}

Result<RouteTable::PathSegment> RouteTable::read_segment(std::string_view raw, Path& path) {
  std::string_view text = raw;
  if (raw.find('%') != std::string_view::npos) {
    Result<std::string> decoded = base::percent_decode(raw);
    if (!decoded) return path_error("the path has a '%' without two hex digits");
    path.decoded.push_back(std::make_unique<const std::string>(*std::move(decoded)));
    text = *path.decoded.back();
  }
  bool is_ascii = true;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return path_error("the path has a control character");
    if (c == '\\') return path_error("the path has a backslash");
    is_ascii = is_ascii && byte < 0x80;
  }
  if (is_dots(text)) return path_error("the path has a '.' or '..' segment");
  if (!is_ascii && !base::is_utf8(text)) return path_error("the path is not UTF-8");
  return PathSegment{text, text.find('/') != std::string_view::npos};
}

Result<RouteTable::Path> RouteTable::read_path(std::string_view raw_path) {
  if (!raw_path.starts_with('/')) return path_error("the path must begin with '/'");
  Path path;
  path.segments.reserve(8);  // enough for most
  for (std::string_view left = raw_path; !left.empty();) {
    left.remove_prefix(1);
    const std::string_view raw = left.substr(0, left.find('/'));
    left.remove_prefix(raw.size());
    path.segments.push_back(TRY(read_segment(raw, path)));
  }
  while (!path.segments.empty() && path.segments.back().text.empty()) path.segments.pop_back();
  return path;
}

bool RouteTable::Path::has_slash() const {
  return std::any_of(segments.begin(), segments.end(),
                     [](const PathSegment& segment) { return segment.has_slash; });
}

template <class Visit>
bool RouteTable::walk(std::size_t node, const Path& path, std::size_t at,
                      const Visit& visit) const {
  const Node& here = nodes_[node];
  if (at == path.segments.size()) return visit(here.ends);
  const PathSegment& segment = path.segments[at];
  if (!segment.text.empty() && !segment.has_slash) {
    const auto literal = here.literals.find(segment.text);
    if (literal != here.literals.end() && walk(literal->second, path, at + 1, visit)) return true;
    if (here.parameter && walk(*here.parameter, path, at + 1, visit)) return true;
  }
  return visit(here.rests);
}

Result<void> RouteTable::fill(const Shape& shape, const Path& whole, Match& match) {
  const std::vector<PathSegment>& path = whole.segments;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i].kind != Segment::Kind::rest) {
      if (shape[i].kind == Segment::Kind::parameter) {
        match.parameters.emplace(shape[i].text, path[i].text);
      }
      (match.path += '/') += path[i].text;
      continue;
    }
    std::string rest;
    for (std::size_t k = i; k < path.size(); ++k) {
      for (const std::string_view piece : base::split(path[k].text, '/')) {
        if (is_dots(piece)) return path_error("the path has a '.' or '..' segment");
        if (piece.empty()) continue;
        if (!rest.empty()) rest += '/';
        rest += piece;
      }
    }
    if (rest.empty()) return path_error("the path ends where '" + shape[i].text + "' is expected");
    match.path += '/' + rest;
    match.parameters.emplace(shape[i].text, std::move(rest));
  }
  if (match.path.empty()) match.path = "/";
  return {};
}

Result<RouteTable::Match> RouteTable::match(Method method, std::string_view raw_path) const {
  const Path path = TRY(read_path(raw_path));
  bool other_method = false;
  Match match;
  const bool found = walk(0, path, 0, [&](const RowOfMethod& rows) {
    const int row = rows[static_cast<std::size_t>(method)];
    other_method = other_method || rows != kNoRows;
    if (row < 0) return false;
    match.index = static_cast<std::size_t>(row);
    return true;
  });
  if (found) {
    match.row = &rows_[match.index];
    TRY(fill(shapes_[match.index], path, match));
    return match;
  }
  if (other_method) {
    return Error{Code::unsupported, "this path does not take " + std::string(method_name(method)),
                 "method_not_allowed"};
  }
  if (path.has_slash()) return path_error("the path has an encoded slash");
  return Error{Code::not_found, "no such path", "route_unknown"};
}

std::vector<Method> RouteTable::methods(std::string_view raw_path) const {
  std::vector<Method> found;
  const Result<Path> path = read_path(raw_path);
  if (!path) return found;
  std::array<bool, kMethods> taken{};
  walk(0, *path, 0, [&](const RowOfMethod& rows) {
    for (std::size_t i = 0; i < kMethods; ++i) taken[i] = taken[i] || rows[i] >= 0;
    return false;
  });
  for (std::size_t i = 0; i < kMethods; ++i) {
    if (taken[i]) found.push_back(static_cast<Method>(i));
  }
  return found;
}

}  // namespace rest
