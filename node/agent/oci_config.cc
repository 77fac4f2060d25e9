// SPDX-License-Identifier: Apache-2.0
#include "node/agent/oci_config.h"

#include <nlohmann/json.hpp>

#include "node/agent/environment.h"
#include "node/agent/seccomp.h"

namespace node::agent {

namespace {

using base::Json;

// What a root process inside may do to its own processes and files; all of it is confined to its
// user namespace where there is one.
const std::vector<std::string> kCapabilities{
    "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",     "CAP_KILL",
    "CAP_SETGID", "CAP_SETPCAP",      "CAP_SETUID", "CAP_SYS_CHROOT", "CAP_NET_BIND_SERVICE"};

Json mount_entry(const std::string& target, const std::string& type, const std::string& source,
                 std::vector<std::string> options) {
  return {{"destination", target}, {"type", type}, {"source", source}, {"options", options}};
}

base::Result<std::vector<std::string>> make_argv(const ContainerInput& input) {
  std::vector<std::string> argv = input.record.spec->argv;
  if (argv.empty()) {
    argv = input.image.entrypoint;
    argv.insert(argv.end(), input.image.command.begin(), input.image.command.end());
  }
  if (!argv.empty() && !argv[0].empty()) {
    if (input.record.spec->init) argv.insert(argv.begin(), {kContainerInit, "init", "--"});
    return argv;
  }
  return base::Error{base::Code::invalid_argument,
                     "neither the application nor the image names a program", "argv_missing"};
}

Json make_process(const ContainerInput& input, std::vector<std::string> argv) {
  Environment environment =
      make_environment(input.record, kContainerSandbox, input.image.environment);
  environment.emplace("HOME", input.user.home);
  Json process{
      {"terminal", false},
      {"args", std::move(argv)},
      {"env", to_lines(environment)},
      {"cwd",
       input.image.working_folder.starts_with('/') ? input.image.working_folder : std::string("/")},
      {"noNewPrivileges", true},
      {"user",
       {{"uid", input.user.uid}, {"gid", input.user.gid}, {"additionalGids", input.user.groups}}}};
  process["capabilities"]["bounding"] = kCapabilities;
  if (input.user.uid == 0) {
    process["capabilities"]["effective"] = kCapabilities;
    process["capabilities"]["permitted"] = kCapabilities;
  }
  return process;
}

void add_volumes(const ContainerInput& input, bool mapped, Json& mounts) {
  for (std::size_t i = 0; i < input.volumes.size(); ++i) {
    const api::VolumeSpec& volume = input.record.spec->volumes[i];
    const VolumePlace& place = input.volumes[i];
    const std::string target = volume.container_path.starts_with('/')
                                   ? volume.container_path
                                   : std::string(kContainerSandbox) + "/" + volume.container_path;
    std::vector<std::string> options{"rbind", volume.read_only ? "ro" : "rw", "nosuid", "nodev"};
    // The mount of a volume of the file system has the numbers of users mapped itself: the kernel
    // maps those of FUSE only since 6.12, and only for servers that ask for it.
    if (mapped && place.unit.empty()) options.push_back("idmap");
    mounts.push_back(mount_entry(target, "bind", place.folder, std::move(options)));
  }
}

Json make_mounts(const ContainerInput& input, bool mapped) {
  Json out = Json::array();
  out.push_back(mount_entry("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
  out.push_back(mount_entry("/dev", "tmpfs", "tmpfs",
                            {"nosuid", "noexec", "strictatime", "mode=755", "size=65536k"}));
  out.push_back(mount_entry("/dev/pts", "devpts", "devpts",
                            {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}));
  out.push_back(mount_entry("/dev/shm", "tmpfs", "shm",
                            {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
  out.push_back(mount_entry("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  // The node's network namespace is not owned by the container's user namespace, so a fresh sysfs
  // is refused; a bind of the node's is what remains.
  out.push_back(mount_entry("/sys", "bind", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"}));
  if (input.mount_resolv_conf) {
    for (const char* file : {"/etc/resolv.conf", "/etc/hosts"}) {
      out.push_back(mount_entry(file, "bind", file, {"bind", "nosuid", "noexec", "nodev", "ro"}));
    }
  }
  if (input.record.spec->init) {
    out.push_back(
        mount_entry(kContainerInit, "bind", input.init_program, {"bind", "nosuid", "nodev", "ro"}));
  }
  std::vector<std::string> sandbox_options{"rbind", "rw", "nosuid", "nodev"};
  if (mapped) sandbox_options.push_back("idmap");
  out.push_back(mount_entry(kContainerSandbox, "bind", input.sandbox, sandbox_options));
  add_volumes(input, mapped, out);
  return out;
}

Json make_linux(const ContainerInput& input) {
  Json out{
      {"namespaces",
       {{{"type", "pid"}},
        {{"type", "ipc"}},
        {{"type", "uts"}},
        {{"type", "mount"}},
        {{"type", "cgroup"}}}},
      {"maskedPaths",
       {"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
        "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
        "/proc/timer_stats", "/sys/dev/block", "/sys/devices/virtual/powercap", "/sys/firmware"}},
      {"readonlyPaths", {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}},
      {"seccomp", make_seccomp()}};
  if (input.record.uid_first == 0) return out;
  out["namespaces"].push_back({{"type", "user"}});
  const Json mapping{
      {{"containerID", 0}, {"hostID", input.record.uid_first}, {"size", kUidsPerInstance}}};
  out["uidMappings"] = mapping;
  out["gidMappings"] = mapping;
  return out;
}

// A host name has at most 64 bytes.
std::string make_hostname(const Record& record) {
  std::string out;
  for (const char c : record.status.id.text()) {
    out += c == '_' || c == '.' || c == ':' ? '-' : c;
  }
  const std::size_t length_max = 63;
  if (out.size() > length_max) out = out.substr(0, length_max);
  while (out.ends_with('-')) out.pop_back();
  return out;
}

}  // namespace

base::Result<Json> make_oci_config(const ContainerInput& input) {
  std::vector<std::string> argv = TRY(make_argv(input));
  const bool mapped = input.record.uid_first != 0;
  return Json{{"ociVersion", "1.0.2"},
              {"process", make_process(input, std::move(argv))},
              {"root", {{"path", kContainerRoot}, {"readonly", input.record.spec->read_only_root}}},
              {"hostname", make_hostname(input.record)},
              {"mounts", make_mounts(input, mapped)},
              {"linux", make_linux(input)}};
}

}  // namespace node::agent
