// SPDX-License-Identifier: Apache-2.0
#include "node/agent/instance_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/config.h"
#include "common/sys/files.h"
#include "common/sys/process.h"
#include "node/agent/container_user.h"
#include "node/agent/oci_config.h"
#include "node/agent/tcp_probe.h"

namespace node::agent {

namespace {

base::Result<void> give_to(const std::string& path, std::uint32_t uid, std::uint32_t gid) {
  if (lchown(path.c_str(), uid, gid) != 0) return base::os_error(errno, "chown " + path);
  return {};
}

base::Result<void> write_plainly(const std::string& path, const std::string& text) {
  // No sync: after a power cut the instance is not started again from this file.
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return base::os_error(errno == 0 ? EIO : errno, "write " + path);
  return {};
}

base::Result<void> make_volumes(const InstanceFilesInput& input, std::uint32_t uid,
                                std::uint32_t gid) {
  for (std::size_t i = 0; i < input.volumes.size(); ++i) {
    const api::VolumeSpec& volume = input.record.spec->volumes[i];
    const VolumePlace& place = input.volumes[i];
    // What is mounted is made when everything else is there.
    if (!place.unit.empty() || access(place.folder.c_str(), F_OK) == 0) continue;
    if (volume.persistent.empty()) {
      return base::Error{base::Code::not_found,
                         "the node has no " + volume.host_path + " for a volume",
                         "volume_path_absent"};
    }
    TRY(sys::make_folder(std::filesystem::path(place.folder).parent_path(), 0711));
    TRY(sys::make_folder(place.folder, 0755));
    TRY(give_to(place.folder, uid, gid));
  }
  return {};
}

// A sparse file: the node's disk is used as the container writes. There is no journal, since an
// instance does not outlive a crash of its machine.
base::Result<void> make_disk(const InstanceFilesInput& input) {
  const std::string target = disk_file(input.folder);
  const std::string part = target + ".part";
  TRY(sys::remove_tree(part));
  const sys::Fd file(::open(part.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.is_open()) return base::os_error(errno, "create " + part);
  if (ftruncate(file.get(), input.record.spec->resources.disk_bytes) != 0) {
    return base::os_error(errno, "give a size to " + part);
  }
  sys::Command command;
  command.argv = {
      input.mkfs, "-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard",
      part};
  TRY(sys::run_checked(command));
  if (rename(part.c_str(), target.c_str()) != 0) return base::os_error(errno, "rename " + part);
  return {};
}

base::Result<InstanceFiles> make_container_files(const InstanceFilesInput& input) {
  const Record& record = input.record;
  const std::string& wanted =
      record.spec->user.empty() ? input.image->config.user : record.spec->user;
  const ContainerUser user = TRY(find_user_in(input.image->tree, wanted));
  const std::string sandbox = input.folder + "/sandbox";
  TRY(sys::make_folder(input.folder + "/work", 0700));
  TRY(sys::make_folder(input.folder + "/upper", 0755));
  // The container's root owns "/"; the sandbox is mapped when it is mounted.
  TRY(give_to(input.folder + "/upper", record.uid_first, record.uid_first));
  TRY(give_to(sandbox, user.uid, user.gid));
  TRY(make_volumes(input, user.uid, user.gid));
  const bool resolv_conf = access("/etc/resolv.conf", R_OK) == 0 && access("/etc/hosts", R_OK) == 0;
  const base::Json config = TRY(make_oci_config(
      {record, input.image->config, user, sandbox, input.volumes, resolv_conf, input.oci_start}));
  TRY(write_plainly(input.folder + "/config.json", base::dump_json(config)));
  InstanceFiles out;
  out.uid = user.uid;
  out.gid = user.gid;
  if (record.spec->resources.disk_bytes == 0) return out;
  const auto made = make_disk(input);
  out.has_disk = made.has_value();
  if (!made) out.disk_failure = base::to_string(made.error());
  return out;
}

}  // namespace

std::string disk_file(const std::string& folder) { return folder + "/disk.img"; }

base::Result<InstanceFiles> make_instance_files(const InstanceFilesInput& input) {
  for (const std::uint16_t port : input.record.status.ports) TRY(check_port_free(port));
  TRY(sys::make_folder(input.folder, 0711));
  TRY(sys::make_folder(input.folder + "/sandbox", 0755));
  TRY(sys::make_folder(input.run_folder, 0700));
  TRY(sys::make_folder(input.run_folder + "/crun", 0700));
  if (input.record.spec->kind == api::RunKind::container) return make_container_files(input);
  TRY(give_to(input.folder + "/sandbox", input.record.uid_first, input.record.uid_first));
  TRY(make_volumes(input, input.record.uid_first, input.record.uid_first));
  InstanceFiles out;
  if (input.record.spec->resources.disk_bytes > 0) {
    out.disk_failure = "a process has no file system of its own";
  }
  return out;
}

base::Result<void> remove_runtime_files(const std::string& folder, const std::string& run_folder) {
  TRY(sys::remove_tree(run_folder));
  TRY(sys::remove_tree(folder + "/upper"));
  TRY(sys::remove_tree(folder + "/work"));
  TRY(sys::remove_tree(disk_file(folder)));
  TRY(sys::remove_tree(disk_file(folder) + ".part"));
  return {};
}

}  // namespace node::agent
