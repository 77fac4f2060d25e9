// SPDX-License-Identifier: Apache-2.0
#include "cli/macros.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using base::Code;
using base::Json;
using cli::expand_macros;
using cli::Macro;

namespace {

// Answers with what was asked; the name "object" is an object, "none" is not there.
base::Result<Json> echo(const Macro& macro) {
  if (macro.where == "object") return Json{{"id", "o"}};
  if (macro.where == "number") return Json(7);
  if (macro.where == "none") {
    return base::Error{Code::not_found, "there is none", "resource_unknown"};
  }
  return Json(macro.kind + "|" + macro.where + "|" + macro.field);
}

std::string expanded(const std::string& text) {
  return base::dump_json(UNWRAP(expand_macros(Json(text), echo)));
}

}  // namespace

TEST_GROUP(Macros){};

TEST(Macros, references_stand_alone_and_within_text) {
  STRCMP_EQUAL(R"("Provider|/root/x|id")", expanded("#{Provider /root/x}").c_str());
  STRCMP_EQUAL(R"("Policy|n|properties/config/url")",
               expanded("#{Policy  n properties.config.url}").c_str());
  STRCMP_EQUAL(R"("a Config|k|id b 7 c")", expanded("a #{Config k} b #{Lambda number} c").c_str());
  STRCMP_EQUAL(R"({"id":"o"})", expanded("#{Provider object}").c_str());
  STRCMP_EQUAL("7", expanded("#{Provider number}").c_str());
}

TEST(Macros, what_is_no_reference_stays) {
  for (const char* text : {"", "#", "{x}", "a # {b}", "${x}", "}#"}) {
    STRCMP_EQUAL(("\"" + std::string(text) + "\"").c_str(), expanded(text).c_str());
  }
  STRCMP_EQUAL(R"("#{Provider x}")", expanded("##{Provider x}").c_str());
  STRCMP_EQUAL(R"("a#{b} Policy|n|id")", expanded("a##{b} #{Policy n}").c_str());
}

TEST(Macros, all_texts_of_a_body_are_looked_through) {
  const Json body = {
      {"name", "n"},
      {"size", 3},
      {"properties", {{"provider", {{"id", "#{Provider x}"}}}, {"l", {"#{Config k}"}}}}};
  const Json out = UNWRAP(expand_macros(body, echo));
  STRCMP_EQUAL(
      R"({"name":"n","properties":{"l":["Config|k|id"],"provider":{"id":"Provider|x|id"}},"size":3})",
      base::dump_json(out).c_str());
}

TEST(Macros, what_cannot_be_read_is_refused) {
  for (const char* bad : {"#{", "#{}", "#{Provider}", "#{Provider x", "#{a-b x}", "#{../x y}",
                          "#{Provider a b c}", "#{Provider a b~c}", "x #{Provider object}"}) {
    CHECK_ERROR(Code::invalid_argument, "macro_invalid", expand_macros(Json(bad), echo));
  }
  CHECK_ERROR(Code::not_found, "resource_unknown", expand_macros(Json("#{Policy none}"), echo));
}

TEST(Macros, kinds_name_collections) {
  STRCMP_EQUAL("policies", cli::collection_of_kind("Policy").c_str());
  STRCMP_EQUAL("providers", cli::collection_of_kind("Provider").c_str());
  STRCMP_EQUAL("containers", cli::collection_of_kind("containers").c_str());
  STRCMP_EQUAL("", cli::collection_of_kind("a/b").c_str());
}
