// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>
#include <vector>

#include "services/daemon.h"
#include "services/store_tool.h"

namespace {

// As many calls may wait for the same commit; each is one client's.
constexpr std::size_t kWorkers = 40;
constexpr std::string_view kServicesFlag = "--services=";

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "store") {
    return services::run_store_tool({argv + 2, argv + argc});
  }
  std::string wanted;
  std::vector<char*> others;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with(kServicesFlag)) {
      wanted = argument.substr(kServicesFlag.size());
    } else {
      others.push_back(argv[i]);
    }
  }
  others.push_back(nullptr);
  return rest::run_daemon(
      static_cast<int>(others.size()) - 1, others.data(),
      {.name = "services",
       .about =
           "Gestalt's services: security, meta, policy, change, event, launcher, task, audit.\n"
           "  --services=LIST   the services to host, comma separated, or all\n"
           "\ngestalt-services store --help: copies of the store",
       .check =
           [&](const base::Json& config) {
             return services::check_services_config(config, wanted);
           },
       .start =
           [&](rest::DaemonContext context) { return services::start_services(context, wanted); },
       .describe_routes = services::describe_services,
       .worker_threads = kWorkers});
}
