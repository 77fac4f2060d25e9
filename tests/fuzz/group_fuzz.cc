// SPDX-License-Identifier: Apache-2.0
// A group definition from a client, checked and then deployed on one node. Nothing it can say may
// end masterd.
#include <nlohmann/json.hpp>

#include "node/master/edits.h"

namespace {

std::string digest(std::string_view text) {
  char out[65];
  std::snprintf(out, sizeof out, "%064zx", std::hash<std::string_view>{}(text));
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace node::master;  // NOLINT: one entry point
  const auto json = base::parse_json({reinterpret_cast<const char*>(data), size});
  if (!json) return 0;
  Scheduler scheduler(base::system_clock(), base::system_rng(), {.digest = digest});
  node::api::Node node;
  node.name = "n1";
  node.resources = {4, std::int64_t{1} << 32, 0};
  node.port_last = 3010;
  scheduler.node_info(node);
  scheduler.node_live("n1", true);
  for (int i = 0; i < 2; ++i) {
    Problems problems;
    auto change = edit_group(scheduler, "/", *json, Create::yes, problems);
    if (!change || !*change) return 0;
    check_whole(scheduler, **change, problems);
    std::int64_t instances = 0;
    for (const App& app : (*change)->put) instances += app.instances;
    if (!problems.empty() || instances > 1000) return 0;
    scheduler.deploy(std::move(**change));
    scheduler.take_effects();
  }
  return 0;
}
