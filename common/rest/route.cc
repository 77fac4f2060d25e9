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
  const auto same = [](const Segment& a, const Segment& b) {
    return a.kind == b.kind && (a.kind != Segment::Kind::literal || a.text == b.text);
  };
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    CHECK_THAT(rows_[i].method != row.method ||
               !std::equal(shape.begin(), shape.end(), shapes_[i].begin(), shapes_[i].end(), same));
  }
  rows_.push_back(std::move(row));
  shapes_.push_back(std::move(shape));
}

Result<std::vector<RouteTable::PathSegment>> RouteTable::read_path(std::string_view raw_path) {
  if (!raw_path.starts_with('/')) return path_error("the path must begin with '/'");
  std::vector<PathSegment> path;
  for (const std::string_view raw : base::split(raw_path.substr(1), '/')) {
    Result<std::string> text = base::percent_decode(raw);
    if (!text) return path_error("the path has a '%' without two hex digits");
    for (const char c : *text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte == 0x7f) return path_error("the path has a control character");
      if (c == '\\') return path_error("the path has a backslash");
    }
    if (is_dots(*text)) return path_error("the path has a '.' or '..' segment");
    if (!base::is_utf8(*text)) return path_error("the path is not UTF-8");
    const bool has_slash = text->find('/') != std::string::npos;
    path.push_back({*std::move(text), has_slash});
  }
  while (!path.empty() && path.back().text.empty()) path.pop_back();
  return path;
}

bool RouteTable::fits(const Shape& shape, const std::vector<PathSegment>& path) {
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i].kind == Segment::Kind::rest) return i < path.size();
    if (i >= path.size() || path[i].text.empty() || path[i].has_slash) return false;
    if (shape[i].kind == Segment::Kind::literal && shape[i].text != path[i].text) return false;
  }
  return shape.size() == path.size();
}

bool RouteTable::is_better(const Shape& a, const Shape& b) {
  return std::lexicographical_compare(
      a.begin(), a.end(), b.begin(), b.end(),
      [](const Segment& x, const Segment& y) { return x.kind < y.kind; });
}

Result<void> RouteTable::fill(const Shape& shape, const std::vector<PathSegment>& path,
                              Match& match) {
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i].kind != Segment::Kind::rest) {
      if (shape[i].kind == Segment::Kind::parameter) {
        match.parameters.emplace(shape[i].text, path[i].text);
      }
      match.path += '/' + path[i].text;
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
  const std::vector<PathSegment> path = TRY(read_path(raw_path));
  const Shape* best = nullptr;
  bool other_method = false;
  Match match;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].method != method && other_method) continue;
    if (!fits(shapes_[i], path)) continue;
    if (rows_[i].method != method) {
      other_method = true;
    } else if (best == nullptr || is_better(shapes_[i], *best)) {
      best = &shapes_[i];
      match.row = &rows_[i];
      match.index = i;
    }
  }
  if (best != nullptr) {
    TRY(fill(*best, path, match));
    return match;
  }
  if (other_method) {
    return Error{Code::unsupported, "this path does not take " + std::string(method_name(method)),
                 "method_not_allowed"};
  }
  if (std::any_of(path.begin(), path.end(), [](const PathSegment& s) { return s.has_slash; })) {
    return path_error("the path has an encoded slash");
  }
  return Error{Code::not_found, "no such path", "route_unknown"};
}

std::vector<Method> RouteTable::methods(std::string_view raw_path) const {
  std::vector<Method> found;
  const Result<std::vector<PathSegment>> path = read_path(raw_path);
  if (!path) return found;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (!fits(shapes_[i], *path)) continue;
    if (std::find(found.begin(), found.end(), rows_[i].method) == found.end()) {
      found.push_back(rows_[i].method);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace rest
