// SPDX-License-Identifier: Apache-2.0
// An application definition from a client. What is accepted must read back as itself and must give
// a RunSpec that agents accept.
#include <nlohmann/json.hpp>

#include "node/api/run_spec.h"
#include "node/master/app.h"
#include "node/master/run_spec_of.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace node::master;  // NOLINT: one entry point
  const auto json = base::parse_json({reinterpret_cast<const char*>(data), size});
  if (!json) return 0;
  Problems problems;
  const auto app = make_app(*json, "/", "", problems);
  CHECK_THAT(app.has_value() == problems.empty());
  if (!app) return 0;
  Problems none;
  const auto again = make_app(*app->document, "/", "", none);
  CHECK_THAT(again && *again->document == *app->document);
  App versioned = *app;
  versioned.version = versioned.restart_version = "2026-01-01T00:00:00.000Z";
  const auto record = from_record(base::Json::parse(base::dump_json(to_record(versioned))));
  CHECK_THAT(record.has_value());
  CHECK_THAT(
      node::api::decode_run_spec(node::api::encode(make_run_spec(versioned, 0))).has_value());
  return 0;
}
