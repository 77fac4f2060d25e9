// SPDX-License-Identifier: Apache-2.0
#include "services/security/model/patch.h"

#include <algorithm>

namespace security {

namespace {

base::Error patch_error(std::string detail, std::string pointer = {}) {
  base::Error error{base::Code::invalid_argument, std::move(detail), "patch_invalid"};
  error.pointer = std::move(pointer);
  return error;
}

bool is_allowed(std::string_view path, std::span<const std::string_view> paths) {
  return std::any_of(paths.begin(), paths.end(), [&](std::string_view allowed) {
    if (!allowed.ends_with("/*")) return path == allowed;
    allowed.remove_suffix(1);
    return path.size() > allowed.size() && path.starts_with(allowed);
  });
}

base::Result<PatchOp> parse_op(const base::Json& json, const std::string& pointer,
                               std::span<const std::string_view> paths) {
  if (!json.is_object()) return patch_error("an operation is an object", pointer);
  PatchOp out;
  std::string verb;
  base::Fields fields(json, pointer);
  fields.required("op", verb, {.length_max = 16});
  fields.required("path", out.path, {.length_max = 512});
  TRY(fields.finish(base::UnknownFields::ignore));
  if (verb == "add") {
    out.verb = PatchVerb::add;
  } else if (verb == "replace") {
    out.verb = PatchVerb::replace;
  } else if (verb == "remove") {
    out.verb = PatchVerb::remove;
  } else {
    return patch_error("only add, remove and replace are supported", pointer + "/op");
  }
  if (!is_allowed(out.path, paths)) {
    return patch_error("there is no '" + out.path + "' to change", pointer + "/path");
  }
  const auto value = json.find("value");
  if (value != json.end() && !value->is_null()) out.text = base::dump_json(*value);
  if (out.verb != PatchVerb::remove && out.text.empty()) {
    return patch_error("add and replace need a value", pointer + "/value");
  }
  return out;
}

}  // namespace

base::Result<std::string> PatchOp::string_value() const {
  const base::Result<base::Json> json = base::parse_json(text);
  if (!json || !json->is_string()) return patch_error("the value of " + path + " is a string");
  return json->get<std::string>();
}

base::Result<bool> PatchOp::bool_value() const {
  if (text == "true") return true;
  if (text == "false") return false;
  return patch_error("the value of " + path + " is true or false");
}

base::Result<std::vector<PatchOp>> parse_patch(const base::Json& body,
                                               std::span<const std::string_view> paths) {
  std::vector<PatchOp> out;
  if (body.is_object()) {  // the older form: the fields to replace
    for (const auto& [name, value] : body.items()) {
      const std::string path = "/" + name;
      if (!is_allowed(path, paths))
        return patch_error("there is no '" + path + "' to change", path);
      if (!value.is_null()) out.push_back({PatchVerb::replace, path, base::dump_json(value)});
    }
    if (out.empty()) return patch_error("there is nothing to change");
    return out;
  }
  if (!body.is_array() || body.empty() || body.size() > kPatchMax) {
    return patch_error("a patch is a list of 1 to 200 operations");
  }
  for (std::size_t i = 0; i < body.size(); ++i) {
    out.push_back(TRY(parse_op(body[i], "/" + std::to_string(i), paths)));
  }
  return out;
}

}  // namespace security
