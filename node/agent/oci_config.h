// SPDX-License-Identifier: Apache-2.0
// The OCI runtime configuration (config.json) of a container instance.
// Threads: pure function.
// Source: OCI runtime specification 1.0.2; crun(1) for the mount option `idmap`.
#pragma once

#include <string>

#include "common/base/json.h"
#include "node/agent/container_user.h"
#include "node/agent/image.h"
#include "node/agent/record.h"
#include "node/agent/volumes.h"

namespace node::agent {

// Where the sandbox is seen inside a container.
inline constexpr const char* kContainerSandbox = "/mnt/mesos/sandbox";
// Where gestalt-oci-start puts the root file system, in a mount namespace of its own.
inline constexpr const char* kContainerRoot = "/run/gestalt/oci/root";
// Where a container with an init finds it: a tmpfs, so that it needs no place in the image.
inline constexpr const char* kContainerInit = "/dev/gestalt-init";

struct ContainerInput {
  const Record& record;
  const ImageConfig& image;
  const ContainerUser& user;
  std::string sandbox;               // folder on the node
  std::vector<VolumePlace> volumes;  // of the specification, in its order
  bool mount_resolv_conf = true;     // the node has /etc/resolv.conf and /etc/hosts
  std::string init_program = {};     // gestalt-oci-start on the node
};

// Errors: invalid_argument argv_missing when neither the spec nor the image names a program.
base::Result<base::Json> make_oci_config(const ContainerInput& input);

}  // namespace node::agent
