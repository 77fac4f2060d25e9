// SPDX-License-Identifier: Apache-2.0
// An instance's writable files in a file system of their own, so that they end at its limit.
//
// `image` is a file with an ext4 file system. It becomes a loop device that the kernel frees with
// its last user, and is mounted in the caller's mount namespace: with the container's last process
// both are gone, whoever was killed before. The folders upper, work and sandbox of `layer` get
// counterparts with the same owners there; the sandbox's is mounted over the original.
// The device nodes are made on a tmpfs of our own: a node without udev has none, and /run is nodev.
// Requires: a private mount namespace. Source: loop(4), Documentation/admin-guide/devices.txt.
#pragma once

namespace oci_start {

// Where upper and work are from now on: `place`, or nullptr after one line on stderr when the limit
// cannot be had; nothing is mounted then.
const char* mount_disk(const char* image, const char* layer, const char* place,
                       const char* devices);

}  // namespace oci_start
