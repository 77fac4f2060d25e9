// SPDX-License-Identifier: Apache-2.0
// The object "container" of a definition: image, volumes, port mappings. Used by make_app() only.
#pragma once

#include <optional>
#include <string>

#include "node/master/app.h"

namespace node::master {

struct ContainerParts {
  base::Json document;  // as it is shown, without port mappings
  std::optional<base::Json> mappings;
  std::string mappings_pointer;
  bool wants_bridge = false;  // docker.network of older clients says so
  bool has_persistent_volumes = false;
};
// Entries of docker.parameters, by their key: what `docker run` calls --init and so on.
inline constexpr std::string_view kParameterInit = "init";
inline constexpr std::string_view kParameterReadOnly = "read-only";
inline constexpr std::string_view kParameterPids = "pids-limit";

// What is wrong goes to `problems`.
ContainerParts read_container(const base::Json& container, const std::string& pointer,
                              Problems& problems);

}  // namespace node::master
