// SPDX-License-Identifier: Apache-2.0
#include "services/meta/json_patch.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

using Kind = PatchOperation::Kind;

Error patch_error(std::string pointer, std::string detail) {
  return Error{Code::invalid_argument, std::move(detail), "patch_invalid", 0, std::move(pointer)};
}

Error absent(const PatchOperation& operation) {
  return Error{Code::invalid_argument, operation.pointer + " does not exist", "patch_path_absent",
               0, operation.pointer};
}

Result<Kind> read_kind(const std::string& op, const std::string& pointer) {
  if (op == "add") return Kind::add;
  if (op == "remove") return Kind::remove;
  if (op == "replace") return Kind::replace;
  if (op == "test") return Kind::test;
  if (op == "move" || op == "copy")
    return patch_error(pointer, "op '" + op + "' is not taken here");
  return patch_error(pointer, "op must be add, remove, replace or test");
}

// RFC 6901: digits without a leading zero; "-" is the place behind the last.
bool read_place(const std::string& token, std::size_t size, std::size_t& place) {
  if (token == "-") {
    place = size;
    return true;
  }
  if (token.size() > 1 && token.front() == '0') return false;
  const auto number = base::parse_int(token, 0, static_cast<std::int64_t>(size));
  if (!number) return false;
  place = static_cast<std::size_t>(*number);
  return true;
}

// The value at one token below `here`, or nullptr.
Json* step(Json& here, const std::string& token) {
  if (here.is_object()) {
    const auto found = here.find(token);
    return found == here.end() ? nullptr : &*found;
  }
  std::size_t place = 0;
  if (!here.is_array() || !read_place(token, here.size(), place) || place >= here.size()) {
    return nullptr;
  }
  return &here[place];
}

Result<void> add_at(Json& parent, const PatchOperation& operation) {
  const std::string& token = operation.path.back();
  if (parent.is_object()) {
    parent[token] = operation.value;
    return {};
  }
  std::size_t place = 0;
  if (!parent.is_array() || !read_place(token, parent.size(), place)) return absent(operation);
  parent.insert(parent.begin() + static_cast<std::ptrdiff_t>(place), operation.value);
  return {};
}

Result<void> remove_at(Json& parent, const PatchOperation& operation) {
  const std::string& token = operation.path.back();
  if (step(parent, token) == nullptr) return absent(operation);
  if (parent.is_object()) {
    parent.erase(token);
    return {};
  }
  std::size_t place = 0;
  if (!read_place(token, parent.size(), place)) return absent(operation);
  parent.erase(place);
  return {};
}

Result<void> apply_one(Json& document, const PatchOperation& operation) {
  Json* parent = &document;
  for (std::size_t i = 0; i + 1 < operation.path.size(); ++i) {
    parent = step(*parent, operation.path[i]);
    if (parent == nullptr) return absent(operation);
  }
  Json* target = operation.path.empty() ? &document : step(*parent, operation.path.back());
  switch (operation.kind) {
    case Kind::add:
      if (!operation.path.empty()) return add_at(*parent, operation);
      document = operation.value;
      return {};
    case Kind::remove:
      if (operation.path.empty()) return patch_error("", "the whole document cannot be removed");
      return remove_at(*parent, operation);
    case Kind::replace:
      if (target == nullptr) return absent(operation);
      *target = operation.value;
      return {};
    case Kind::test:
      if (target == nullptr) return absent(operation);
      if (*target == operation.value) return {};
      return Error{Code::failed_precondition, operation.pointer + " has another value",
                   "patch_test_failed", 0, operation.pointer};
  }
  return {};
}

Result<PatchOperation> read_operation(const Json& entry, const std::string& pointer) {
  base::Fields fields(entry, pointer);
  std::string op;
  PatchOperation operation;
  fields.required("op", op, {.length_max = 16});
  fields.required("path", operation.pointer, {.length_max = kPatchPointerMax});
  fields.find("value");
  fields.find("from");
  TRY(fields.finish(base::UnknownFields::refuse));
  operation.kind = TRY(read_kind(op, base::child_pointer(pointer, "op")));
  auto path = read_pointer(operation.pointer);
  if (!path) return patch_error(base::child_pointer(pointer, "path"), path.error().detail);
  operation.path = *std::move(path);
  if (operation.kind == Kind::remove) return operation;
  const auto value = entry.find("value");  // null is a value here
  if (value == entry.end()) return patch_error(pointer, "value is missing");
  operation.value = *value;
  return operation;
}

}  // namespace

Result<std::vector<std::string>> read_pointer(std::string_view pointer) {
  std::vector<std::string> tokens;
  if (pointer.empty()) return tokens;
  if (pointer.front() != '/') return patch_error("", "a path begins with '/'");
  for (const std::string_view piece : base::split(pointer.substr(1), '/')) {
    if (tokens.size() == kPatchDepthMax) return patch_error("", "a path has at most 32 steps");
    std::string token;
    for (std::size_t i = 0; i < piece.size(); ++i) {
      if (piece[i] != '~') {
        token.push_back(piece[i]);
        continue;
      }
      const char next = i + 1 < piece.size() ? piece[++i] : ' ';
      if (next != '0' && next != '1')
        return patch_error("", "'~' is written ~0 and '/' ~1 in a path");
      token.push_back(next == '0' ? '~' : '/');
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Result<std::vector<PatchOperation>> read_patch(const Json& body) {
  if (!body.is_array()) return patch_error("", "a patch is an array of operations (RFC 6902)");
  if (body.size() > kPatchOperationsMax)
    return patch_error("", "a patch has at most 1000 operations");
  std::vector<PatchOperation> operations;
  for (std::size_t i = 0; i < body.size(); ++i) {
    operations.push_back(TRY(read_operation(body[i], "/" + std::to_string(i))));
  }
  return operations;
}

Result<Json> apply_patch(Json document, const std::vector<PatchOperation>& operations) {
  for (const PatchOperation& operation : operations) TRY(apply_one(document, operation));
  return document;
}

Json patch_between(const Json& from, const Json& to) { return Json::diff(from, to); }

}  // namespace services::meta
