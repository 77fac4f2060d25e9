// SPDX-License-Identifier: Apache-2.0
// The folders and files that an instance needs before its unit starts, and their removal.
//
//   <folder>/config.json  OCI configuration        <folder>/upper, work  its changes to the image
//   <folder>/sandbox      its own files            <run folder>/crun, pid  state of the runtime
//   <folder>/disk.img     with a disk limit: a file system of that size for the three of them
// Threads: workers.
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "node/agent/image.h"
#include "node/agent/record.h"
#include "node/agent/volumes.h"

namespace node::agent {

struct InstanceFilesInput {
  Record record;
  std::string folder;
  std::string run_folder;
  std::vector<VolumePlace> volumes;  // of the specification, in its order
  std::optional<Image> image;        // of a container
  std::string mkfs;
  std::string oci_start;
};

// The file system of an instance with a disk limit.
std::string disk_file(const std::string& folder);

struct InstanceFiles {
  std::uint32_t uid = 0, gid = 0;  // whose its volumes are, as it calls them itself
  bool has_disk = false;           // there is a disk.img, as the container's disk limit wants it
  std::string disk_failure;        // why there is none although it does
};

// May be repeated while the unit was not asked for. Errors: os errors; failed_precondition
// port_in_use; not_found user_unknown; invalid_argument argv_missing; not_found volume_path_absent.
base::Result<InstanceFiles> make_instance_files(const InstanceFilesInput& input);

// After the end: all but the sandbox, which stays until the instance is forgotten.
base::Result<void> remove_runtime_files(const std::string& folder, const std::string& run_folder);

}  // namespace node::agent
